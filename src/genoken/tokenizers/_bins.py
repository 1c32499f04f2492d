"""Numba kernels that put the values of a row into bins; they hold no lock, so loader threads run them side by side."""

from __future__ import annotations

import numba
import numpy as np

from genoken.tokenizers._sorting import PLACE_BITS, PLACE_MASK, bits_of_key, descending_key, longest_row, make_counts, sort_words


@numba.njit(nogil=True, cache=True)
def count_binned(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, rows: np.ndarray, first_edges: np.ndarray, room: int
) -> tuple[np.ndarray, int]:
    """Return offsets (rows + 1,) of one CLS and at most ``room`` binned features per row, and how many did not fit.

    ``first_edges`` holds the lowest edge of each feature, or one for all; a value below it has bin 0 and is no token.
    """
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    truncated = 0
    for position in range(len(rows)):
        first, last = indptr[rows[position]], indptr[rows[position] + 1]
        found = 0
        if len(first_edges) == 1:
            lowest = first_edges[0]
            for stored in range(first, last):
                found += data[stored] >= lowest
        else:
            for stored in range(first, last):
                found += data[stored] >= first_edges[indices[stored]]
        offsets[position + 1] = offsets[position] + 1 + min(found, room)
        truncated += max(found - room, 0)
    return offsets, truncated


@numba.njit(nogil=True, cache=True)
def pack_fixed_bins(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    rows: np.ndarray,
    offsets: np.ndarray,
    edges: np.ndarray,
    first_id: int,
    first_bin: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return identity and bin channels of the packed tokens, bins by edges that do not depend on the row.

    Parameters
    ----------
    indptr, indices, data, rows
        Rows of a CSR matrix.
    offsets
        What :func:`count_binned` returned.
    edges
        float64 (features, edges), or (1, edges) for all features alike; rows that have fewer edges end in infinity. Bin ``k`` holds
        ``edges[k - 1] <= x < edges[k]``.
    first_id, first_bin
        Added to feature indices and bins.

    Returns
    -------
    tuple
        int64 of shape (tokens,) each; entries at CLS mean nothing, the caller writes them.
    """
    identities, values = _two_channels(offsets[-1])
    bins = np.empty(longest_row(indptr, rows), dtype=np.int32)
    totals = np.empty(edges.shape[1] + 1, dtype=np.int64)
    for position in range(len(rows)):
        first, last = indptr[rows[position]], indptr[rows[position] + 1]
        if len(edges) == 1:
            _shared_bins(data[first:last], edges[0], bins)
        else:
            _own_bins(indices[first:last], data[first:last], edges, bins)
        start, stop = offsets[position], offsets[position + 1]
        _emit(indices[first:last], bins, stop - start - 1, totals, identities[start:], values[start:], first_id, first_bin)
    return identities[: offsets[-1]], values[: offsets[-1]]


@numba.njit(nogil=True, cache=True)
def pack_quantile_bins(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    rows: np.ndarray,
    offsets: np.ndarray,
    quantiles: np.ndarray,
    first_id: int,
    first_bin: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return identity and bin channels of the packed tokens, bins by quantiles of each row's stored values.

    As :func:`pack_fixed_bins`, with ``quantiles`` from 0 to 1 in place of edges: bins run from 1 to their number.
    """
    identities, values = _two_channels(offsets[-1])
    longest = longest_row(indptr, rows)
    words, spare, counts = np.empty(longest, dtype=np.uint64), np.empty(longest, dtype=np.uint64), make_counts()
    bins = np.empty(longest, dtype=np.int32)
    sorted_bits, edges = np.empty(longest, dtype=np.uint32), np.empty(len(quantiles), dtype=np.float64)
    totals = np.empty(len(quantiles) + 1, dtype=np.int64)
    bits, ascending = data.view(np.uint32), sorted_bits.view(np.float32)
    for position in range(len(rows)):
        first, last = indptr[rows[position]], indptr[rows[position] + 1]
        length = last - first
        for place in range(length):
            words[place] = (descending_key(np.uint64(bits[first + place])) << PLACE_BITS) | np.uint64(place)
        sort_words(words, spare, counts, length)
        for place in range(length):
            sorted_bits[place] = np.uint32(bits_of_key(words[length - 1 - place] >> PLACE_BITS))
        _quantiles(ascending, length, quantiles, edges)
        below = 0
        for place in range(length):
            value = ascending[place]
            while below < len(edges) and edges[below] < value:
                below += 1
            # A value that several edges share could have any of several bins; it has the lowest.
            shared = below < len(edges) and edges[below] == value
            bins[words[length - 1 - place] & PLACE_MASK] = below + shared
        start, stop = offsets[position], offsets[position + 1]
        _emit(indices[first:last], bins, stop - start - 1, totals, identities[start:], values[start:], first_id, first_bin)
    return identities[: offsets[-1]], values[: offsets[-1]]


@numba.njit(nogil=True, cache=True)
def _two_channels(num_tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two int64 channels, not filled, one entry longer than asked: an entry is written before it is known whether it counts.

    They share one allocation, which the C library then keeps for the next batch; two it gives back to the system, page by page.
    """
    channels = np.empty((2, num_tokens + 1), dtype=np.int64)
    return channels[0], channels[1]


@numba.njit(nogil=True, cache=True)
def _shared_bins(data: np.ndarray, edges: np.ndarray, bins: np.ndarray) -> None:
    """Write the bin of each value, the same edges for all features; one edge at a time, so many values are compared at once."""
    for place in range(len(data)):
        bins[place] = 0
    for edge in edges:
        for place in range(len(data)):
            bins[place] += np.int32(data[place] >= edge)


@numba.njit(nogil=True, cache=True)
def _own_bins(indices: np.ndarray, data: np.ndarray, edges: np.ndarray, bins: np.ndarray) -> None:
    """Write the bin of each value by its feature's own edges."""
    for place in range(len(data)):
        own = edges[indices[place]]
        low, high = 0, len(own)
        while low < high:
            middle = (low + high) // 2
            if own[middle] <= data[place]:
                low = middle + 1
            else:
                high = middle
        bins[place] = low


@numba.njit(nogil=True, cache=True)
def _quantiles(ascending: np.ndarray, length: int, quantiles: np.ndarray, edges: np.ndarray) -> None:
    """Write NumPy's linear quantiles of the first ``length`` values, interpolated from the nearer end as NumPy does."""
    if length == 0:
        return
    for number in range(len(quantiles)):
        index = quantiles[number] * (length - 1)
        previous = min(int(index), length - 1)
        share = index - previous
        low, high = np.float64(ascending[previous]), np.float64(ascending[min(previous + 1, length - 1)])
        edges[number] = high - (high - low) * (1 - share) if share >= 0.5 else low + (high - low) * share


@numba.njit(nogil=True, cache=True)
def _emit(
    indices: np.ndarray,
    bins: np.ndarray,
    room: int,
    totals: np.ndarray,
    identities: np.ndarray,
    values: np.ndarray,
    first_id: int,
    first_bin: int,
) -> None:
    """Write a row's features with a bin above 0, in their order, behind a place for CLS; both outputs begin at that place.

    Where there is ``room`` for fewer of them, the highest bins stay, then the lower feature index.
    """
    found = 0
    for place in range(len(indices)):
        found += bins[place] > 0
    if found > room:
        lowest, left = _cut(bins, len(indices), room, totals)
    else:
        lowest, left = 0, 0
    written = 1
    if found == len(indices) and lowest == 0:
        for place in range(len(indices)):
            identities[1 + place] = first_id + indices[place]
            values[1 + place] = first_bin + bins[place]
    elif lowest == 0:
        for place in range(len(indices)):
            identities[written] = first_id + indices[place]
            values[written] = first_bin + bins[place]
            written += bins[place] > 0
    else:
        for place in range(len(indices)):
            if bins[place] > lowest or (bins[place] == lowest and left > 0):
                left -= bins[place] == lowest
                identities[written] = first_id + indices[place]
                values[written] = first_bin + bins[place]
                written += 1


@numba.njit(nogil=True, cache=True)
def _cut(bins: np.ndarray, length: int, room: int, totals: np.ndarray) -> tuple[int, int]:
    """Return the lowest bin that still has room, and how many of its features do."""
    totals[:] = 0
    for place in range(length):
        totals[bins[place]] += 1
    lowest, left = len(totals) - 1, room
    while totals[lowest] <= left:
        left -= totals[lowest]
        lowest -= 1
    return lowest, left
