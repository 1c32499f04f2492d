"""Numba kernels that order the values of a row, highest first; they hold no lock, so loader threads run them side by side.

A 32-bit float, read as an integer, orders like its value when it is positive and against it when it is negative. That integer and
the feature's place share one 64-bit word. The words are sorted by counting the key's highest 22 bits, 11 at a time, lower ones
first; each pass keeps the order of equal digits. What then differs in lower bits alone is close together, and is moved into place.
Equal values stay in the order of features, because their words differ by the place.
"""

from __future__ import annotations

import numba
import numpy as np

PLACE_BITS = np.uint64(31)
"""Low bits of a word that hold the place."""
PLACE_MASK = np.uint64((1 << 31) - 1)
"""What is left of a word when its key is taken away."""
_NUM_BUCKETS = 1 << 11
_DIGIT_MASK = np.uint64(_NUM_BUCKETS - 1)
# Shifts are unsigned, because Numba guards every index that could be negative.
_LOW_DIGIT, _HIGH_DIGIT = np.uint64(31 + 32 - 22), np.uint64(31 + 32 - 11)
_SIGN = np.uint64(1 << 31)
_ALL_BUT_SIGN = np.uint64((1 << 31) - 1)


@numba.njit(nogil=True, cache=True)
def make_counts() -> np.ndarray:
    """Return the scratch counters of :func:`sort_words`, to be used again for every row."""
    return np.empty((2, _NUM_BUCKETS), dtype=np.int32)


@numba.njit(nogil=True, cache=True, inline="always")
def descending_key(bits: np.uint64) -> np.uint64:
    """Return an integer in [0, 2^32) that is smaller for a larger float with these bits; minus zero equals zero."""
    return bits if bits > _SIGN else _ALL_BUT_SIGN - (bits & _ALL_BUT_SIGN)


@numba.njit(nogil=True, cache=True, inline="always")
def bits_of_key(key: np.uint64) -> np.uint64:
    """Return the bits of the float whose :func:`descending_key` this is."""
    return key if key > _SIGN else _ALL_BUT_SIGN - key


@numba.njit(nogil=True, cache=True)
def sort_words(words: np.ndarray, spare: np.ndarray, counts: np.ndarray, length: int) -> None:
    """Sort the first ``length`` words in place, ascending; they were put there in the order of their places.

    Parameters
    ----------
    words
        uint64 words of a key and a place.
    spare, counts
        Scratch memory: as many words again, and :func:`make_counts`.
    length
        How many words there are.
    """
    counts[:] = 0
    low_starts, high_starts = counts[0], counts[1]
    for position in range(length):
        word = words[position]
        low_starts[(word >> _LOW_DIGIT) & _DIGIT_MASK] += np.int32(1)
        high_starts[word >> _HIGH_DIGIT] += np.int32(1)
    low_total, high_total = np.int32(0), np.int32(0)
    for bucket in range(_NUM_BUCKETS):
        low_here, high_here = low_starts[bucket], high_starts[bucket]
        low_starts[bucket], high_starts[bucket] = low_total, high_total
        low_total += low_here
        high_total += high_here
    for position in range(length):
        word = words[position]
        bucket = (word >> _LOW_DIGIT) & _DIGIT_MASK
        spare[np.uint64(low_starts[bucket])] = word
        low_starts[bucket] += np.int32(1)
    for position in range(length):
        word = spare[position]
        bucket = word >> _HIGH_DIGIT
        words[np.uint64(high_starts[bucket])] = word
        high_starts[bucket] += np.int32(1)
    if not _insert(words, length):
        words[:length] = np.sort(words[:length])


@numba.njit(nogil=True, cache=True)
def _insert(words: np.ndarray, length: int) -> bool:
    """Sort words of which few are out of place, by insertion; give up, and return False, after more moves than there are words."""
    left = length
    for position in range(1, length):
        word = words[position]
        if words[position - 1] <= word:
            continue
        place = position
        while place > 0 and words[place - 1] > word:
            words[place] = words[place - 1]
            place -= 1
        words[place] = word
        left -= position - place
        if left < 0:
            return False
    return True


@numba.njit(nogil=True, cache=True)
def longest_row(indptr: np.ndarray, rows: np.ndarray) -> int:
    """Return the most entries that one of these rows stores."""
    longest = 0
    for position in range(len(rows)):
        longest = max(longest, indptr[rows[position] + 1] - indptr[rows[position]])
    return longest


@numba.njit(nogil=True, cache=True)
def pack_ranked(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, rows: np.ndarray, offsets: np.ndarray, cls_id: int, first_id: int
) -> np.ndarray:
    """Return the identity channel of the stored entries, highest value first, ties by the lower feature index.

    Where a row holds more entries than its offsets leave room for, the lowest values are left out.
    """
    identities = np.empty(offsets[-1], dtype=np.int64)
    longest = longest_row(indptr, rows)
    words, spare, counts = np.empty(longest, dtype=np.uint64), np.empty(longest, dtype=np.uint64), make_counts()
    bits = data.view(np.uint32)
    for position in range(len(rows)):
        start = offsets[position]
        first, last = indptr[rows[position]], indptr[rows[position] + 1]
        identities[start] = cls_id
        for stored in range(first, last):
            words[stored - first] = (descending_key(np.uint64(bits[stored])) << PLACE_BITS) | np.uint64(indices[stored])
        sort_words(words, spare, counts, last - first)
        for place in range(offsets[position + 1] - start - 1):
            identities[start + 1 + place] = first_id + np.int64(words[place] & PLACE_MASK)
    return identities


@numba.njit(nogil=True, cache=True)
def order_every_feature(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, rows: np.ndarray, num_features: int
) -> np.ndarray:
    """Return int32 (rows, features): the features of each row, highest value first, zeros included, ties by the lower index."""
    order = np.empty((len(rows), num_features), dtype=np.int32)
    words, spare = np.empty(num_features, dtype=np.uint64), np.empty(num_features, dtype=np.uint64)
    counts = make_counts()
    bits = data.view(np.uint32)
    absent = descending_key(np.uint64(0)) << PLACE_BITS
    for position in range(len(rows)):
        for feature in range(num_features):
            words[feature] = absent | np.uint64(feature)
        for stored in range(indptr[rows[position]], indptr[rows[position] + 1]):
            words[indices[stored]] = (descending_key(np.uint64(bits[stored])) << PLACE_BITS) | np.uint64(indices[stored])
        sort_words(words, spare, counts, num_features)
        for rank in range(num_features):
            order[position, rank] = np.int32(words[rank] & PLACE_MASK)
    return order


@numba.njit(nogil=True, cache=True)
def column_medians(indptr: np.ndarray, data: np.ndarray) -> np.ndarray:
    """Return the median of the stored values of each column of a CSC matrix, float64; NaN where nothing is stored."""
    medians = np.full(len(indptr) - 1, np.nan)
    for column in range(len(medians)):
        if indptr[column + 1] > indptr[column]:
            medians[column] = np.median(data[indptr[column] : indptr[column + 1]])
    return medians
