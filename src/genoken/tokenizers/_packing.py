"""Numba kernels that turn CSR rows into packed tokens; they hold no lock, so loader threads run them side by side."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def count_tokens(indptr: np.ndarray, rows: np.ndarray, room: int, num_features: int, every_feature: bool) -> np.ndarray:
    """Return offsets (rows + 1,) of the packed tokens: one CLS and at most ``room`` features per row."""
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    for position in range(len(rows)):
        stored = num_features if every_feature else indptr[rows[position] + 1] - indptr[rows[position]]
        offsets[position + 1] = offsets[position] + 1 + min(stored, room)
    return offsets


@numba.njit(nogil=True, cache=True)
def pack_every_feature(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, rows: np.ndarray, offsets: np.ndarray, cls_id: int, first_id: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return identity and value channels with every feature of the vocabulary in order, zeros included."""
    identities = np.empty(offsets[-1], dtype=np.int64)
    values = np.zeros(offsets[-1], dtype=np.float32)
    for position in range(len(rows)):
        start = offsets[position]
        identities[start] = cls_id
        for token in range(start + 1, offsets[position + 1]):
            identities[token] = first_id + token - start - 1
        for stored in range(indptr[rows[position]], indptr[rows[position] + 1]):
            values[start + 1 + indices[stored]] = data[stored]
    return identities, values


@numba.njit(nogil=True, cache=True)
def pack_expressed(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, rows: np.ndarray, offsets: np.ndarray, cls_id: int, first_id: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return identity and value channels of the stored entries in vocabulary order.

    Where a row holds more entries than its offsets leave room for, the highest values stay, ties by the lower feature index.
    """
    identities = np.empty(offsets[-1], dtype=np.int64)
    values = np.zeros(offsets[-1], dtype=np.float32)
    for position in range(len(rows)):
        start = offsets[position]
        first, last = indptr[rows[position]], indptr[rows[position] + 1]
        room = offsets[position + 1] - start - 1
        identities[start] = cls_id
        if last - first <= room:
            for stored in range(first, last):
                identities[start + 1 + stored - first] = first_id + indices[stored]
                values[start + 1 + stored - first] = data[stored]
        else:
            # A stable sort of the negated values keeps the lower index first among equal values.
            kept = np.sort(np.argsort(-data[first:last], kind="mergesort")[:room])
            for place in range(room):
                identities[start + 1 + place] = first_id + indices[first + kept[place]]
                values[start + 1 + place] = data[first + kept[place]]
    return identities, values
