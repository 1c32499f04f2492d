"""Leaving out tokens in training steps: which ones is a pure function of (seed, epoch, row, token's place in its sample)."""

from __future__ import annotations

import numpy as np

from genoken.core.random import hash_step, seed_for, unit_interval


def visible_tokens(offsets: np.ndarray, rows: np.ndarray, share: float, seed: int, epoch: int) -> np.ndarray:
    """Return the indices of the tokens that stay, int64, ascending; the first token of each sample (CLS) always stays.

    A token goes when a 64-bit hash of its sample's row, its place, the seed and the epoch falls below ``share``. Hashing instead of
    drawing makes the choice independent of the batch in which the sample stands.

    Parameters
    ----------
    offsets
        int64 of shape (samples + 1,).
    rows
        Row of each sample in its data set, shape (samples,).
    share
        Probability with which a token is left out, in [0, 1].
    """
    lengths = np.diff(offsets)
    places = np.arange(offsets[-1], dtype=np.int64) - np.repeat(offsets[:-1], lengths)
    key = np.uint64(seed_for(seed, "token_dropout", epoch))
    with np.errstate(over="ignore"):
        per_row = hash_step(key, rows.astype(np.uint64))
        mixed = hash_step(np.repeat(per_row, lengths), places.astype(np.uint64))
    return np.flatnonzero((unit_interval(mixed) >= share) | (places == 0))
