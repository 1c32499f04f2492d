"""Numba kernels that choose tokens by hashing; they hold no lock, so loader threads run them side by side."""

from __future__ import annotations

import numba
import numpy as np

from genoken.core.random import hash_step, unit_interval

_hash_step = numba.njit(nogil=True, cache=True)(hash_step)
_unit_interval = numba.njit(nogil=True, cache=True)(unit_interval)

_ROUNDING = 1e-9
"""``0.07 * 100`` is a little more than 7, and must not be rounded up to 8."""
_ONE = np.uint64(1)


@numba.njit(nogil=True, cache=True)
def choose_places(
    offsets: np.ndarray, rows: np.ndarray, eligible: np.ndarray, key: np.uint64, probability: float, exact: bool, same: bool
) -> np.ndarray:
    """Return the indices of the chosen tokens, int64, ascending.

    Each eligible token has the hash of its sample's row and its place in the sample. ``exact``: of a sample's ``n`` eligible tokens
    the ``ceil(probability n)`` with the smallest hashes, at least one; otherwise all whose hash, as a number in [0, 1), is below
    ``probability``.

    Parameters
    ----------
    offsets
        int64 of shape (samples + 1,).
    rows
        Row of each sample in its data set, int64 of shape (samples,).
    eligible
        Which tokens may be chosen, of shape (tokens,).
    key
        Hash of everything that the choice depends on besides row and place.
    same
        Whether the row is left out of the hash, so that every sample has the same places.
    """
    places = np.empty(offsets[-1], dtype=np.int64)
    hashes = np.empty(offsets[-1], dtype=np.uint64)
    found = 0
    for sample in range(len(rows)):
        row_key = _hash_step(key, np.uint64(0) if same else np.uint64(rows[sample]))
        # Candidates are written behind what was found, where the chosen ones then close ranks.
        end = found
        for token in range(offsets[sample], offsets[sample + 1]):
            if eligible[token]:
                places[end] = token
                hashes[end] = _hash_step(row_key, np.uint64(token - offsets[sample]))
                end += 1
        if end == found or probability <= 0.0:
            continue
        start, room, limit = found, end - found, np.uint64(0)
        if exact:
            room = min(room, max(1, int(np.ceil(probability * room - _ROUNDING))))
            limit = np.partition(hashes[start:end], room - 1)[room - 1]
        for candidate in range(start, end):
            chosen = hashes[candidate] <= limit if exact else _unit_interval(hashes[candidate]) < probability
            if chosen and found - start < room:
                places[found] = places[candidate]
                found += 1
    return places[:found].copy()


@numba.njit(nogil=True, cache=True)
def draw_absent(
    offsets: np.ndarray,
    features: np.ndarray,
    samples: np.ndarray,
    wanted: np.ndarray,
    streams: np.ndarray,
    num_features: int,
) -> np.ndarray:
    """Return for each wanted target a feature that its sample does not hold, drawn evenly; -1 for others and where there is none.

    No feature is drawn twice for one sample.

    Parameters
    ----------
    offsets
        int64 of shape (samples + 1,).
    features
        Feature index of each token, -1 where it has none, of shape (tokens,).
    samples
        Sample of each target, ascending, of shape (targets,).
    wanted
        For which targets a feature is drawn, of shape (targets,).
    streams
        Hash of each target, uint64 of shape (targets,).
    """
    drawn = np.full(len(samples), -1, dtype=np.int64)
    holder = np.full(num_features, -1, dtype=np.int64)  # the last sample that was found to hold each feature
    noted, num_held = -1, 0
    for target in range(len(samples)):
        if not wanted[target]:
            continue
        sample = samples[target]
        if sample != noted:
            noted, num_held = sample, 0
            for token in range(offsets[sample], offsets[sample + 1]):
                if features[token] >= 0 and holder[features[token]] != sample:
                    holder[features[token]] = sample
                    num_held += 1
        if num_held == num_features:
            continue
        state = streams[target]
        candidate = np.int64(state % np.uint64(num_features))
        while holder[candidate] == sample:
            state = _hash_step(state, _ONE)
            candidate = np.int64(state % np.uint64(num_features))
        holder[candidate] = sample
        num_held += 1
        drawn[target] = candidate
    return drawn
