"""Leaving out tokens in training steps: which ones is a pure function of (seed, epoch, row, token's place in its sample)."""

from __future__ import annotations

import numpy as np

from genoken.core.random import seed_for

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


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
        per_row = _mix(key + rows.astype(np.uint64) * _GOLDEN)
        mixed = _mix(np.repeat(per_row, lengths) + places.astype(np.uint64) * _GOLDEN)
    uniform = (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.flatnonzero((uniform >= share) | (places == 0))


def _mix(state: np.ndarray) -> np.ndarray:
    """Finalizer of splitmix64 (Steele et al., 2014, doi:10.1145/2660193.2660195)."""
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))
