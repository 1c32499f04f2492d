"""Columns of a sparse matrix in another order, by a Numba kernel that holds no lock."""

from __future__ import annotations

import numba
import numpy as np
import scipy.sparse as sp

from genoken.tokenizers._sorting import PLACE_BITS, PLACE_MASK, make_counts, sort_words


def gather_columns(
    values: sp.csr_matrix, columns: np.ndarray, factors: np.ndarray | None = None, divisors: np.ndarray | None = None
) -> sp.csr_matrix:
    """Return the matrix whose column ``j`` is column ``columns[j]`` of ``values``, or zeros where ``columns[j]`` is -1.

    Parameters
    ----------
    values
        CSR matrix (samples, features), indices sorted within each row.
    columns
        int64 of shape (gathered features,); no column may be asked for twice.
    factors
        By which each row is multiplied, shape (samples,); ``None``: 1.
    divisors
        By which each gathered column is divided, shape (gathered features,); ``None``: 1.

    Returns
    -------
    scipy.sparse.csr_matrix
        Of shape (samples, gathered features), float32, rounded once.
    """
    present = np.flatnonzero(columns >= 0)
    feature_of = np.full(values.shape[1], -1, dtype=np.int32)
    feature_of[columns[present]] = present
    if np.count_nonzero(feature_of >= 0) < len(present):
        raise ValueError("a column is asked for twice")
    in_order = bool((np.diff(columns[present]) > 0).all())
    factors = np.ones(values.shape[0]) if factors is None else factors
    weights = np.ones(values.shape[1])
    if divisors is not None:
        weights[columns[present]] = 1 / divisors[present]
    data = np.asarray(values.data, dtype=np.float32)
    indptr, indices, gathered = gather(values.indptr, values.indices, data, feature_of, factors, weights)
    if not in_order:
        sort_rows(indptr, indices, gathered)
    result = sp.csr_matrix((gathered, indices, indptr), shape=(values.shape[0], len(columns)))
    result.has_sorted_indices = result.has_canonical_format = True
    return result


@numba.njit(nogil=True, cache=True)
def gather(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    feature_of: np.ndarray,
    factors: np.ndarray,
    weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return indptr, indices and data of the matrix whose column ``feature_of[c]`` is column ``c``, not sorted within rows.

    Parameters
    ----------
    indptr, indices, data
        A CSR matrix.
    feature_of
        int32 of shape (columns,); -1 leaves a column out.
    factors, weights
        float64, by which each row and each column is multiplied.

    Returns
    -------
    tuple
        int64, int32 and float32; no zeros.
    """
    starts = np.zeros(len(indptr), dtype=np.int64)
    # One entry more than is stored, because an entry is written before it is known whether it counts.
    new_indices, new_data = np.empty(len(data) + 1, dtype=np.int32), np.empty(len(data) + 1, dtype=np.float32)
    written = np.int64(0)
    for row in range(len(indptr) - 1):
        factor = factors[row]
        for stored in range(indptr[row], indptr[row + 1]):
            column = np.uint32(indices[stored])
            new_indices[written] = feature_of[column]
            new_data[written] = data[stored] * factor * weights[column]
            written += np.int64((feature_of[column] >= 0) & (data[stored] != 0))
        starts[row + 1] = written
    new_indices, new_data = new_indices[:written], new_data[:written]
    if 2 * written < len(data):  # else the memory behind the entries is not worth a copy
        new_indices, new_data = new_indices.copy(), new_data.copy()
    return starts, new_indices, new_data


@numba.njit(nogil=True, cache=True)
def sort_rows(indptr: np.ndarray, indices: np.ndarray, data: np.ndarray) -> None:
    """Sort the entries of each row of a CSR matrix by their column, in place."""
    longest = 0
    for row in range(len(indptr) - 1):
        longest = max(longest, indptr[row + 1] - indptr[row])
    words, spare, counts = np.empty(longest, dtype=np.uint64), np.empty(longest, dtype=np.uint64), make_counts()
    unsorted = np.empty(longest, dtype=np.float32)
    for row in range(len(indptr) - 1):
        first, length = indptr[row], indptr[row + 1] - indptr[row]
        for place in range(length):
            words[place] = (np.uint64(indices[first + place]) << PLACE_BITS) | np.uint64(place)
            unsorted[place] = data[first + place]
        sort_words(words, spare, counts, length)
        for place in range(length):
            indices[first + place] = words[place] >> PLACE_BITS
            data[first + place] = unsorted[words[place] & PLACE_MASK]
