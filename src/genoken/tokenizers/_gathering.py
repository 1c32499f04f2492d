"""Columns of a sparse matrix in another order, by a Numba kernel that holds no lock."""

from __future__ import annotations

import numba
import numpy as np
import scipy.sparse as sp

from genoken.tokenizers._sorting import PLACE_BITS, PLACE_MASK, make_counts, sort_words


def gather_columns(values: sp.csr_matrix, columns: np.ndarray) -> sp.csr_matrix:
    """Return the matrix whose column ``j`` is column ``columns[j]`` of ``values``, or zeros where ``columns[j]`` is -1.

    No column may be asked for twice.
    """
    present = np.flatnonzero(columns >= 0)
    feature_of = np.full(values.shape[1], -1, dtype=np.int64)
    feature_of[columns[present]] = present
    if np.count_nonzero(feature_of >= 0) < len(present):
        raise ValueError("a column is asked for twice")
    in_order = bool((np.diff(columns[present]) > 0).all())
    data = np.asarray(values.data, dtype=np.float32)
    indptr, indices, gathered = gather(values.indptr, values.indices, data, feature_of, in_order)
    result = sp.csr_matrix((gathered, indices, indptr), shape=(values.shape[0], len(columns)))
    result.has_sorted_indices = result.has_canonical_format = True
    return result


@numba.njit(nogil=True, cache=True)
def gather(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, feature_of: np.ndarray, in_order: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return indptr, indices and data of the matrix whose column ``feature_of[c]`` is column ``c``; -1 leaves a column out.

    Parameters
    ----------
    indptr, indices, data
        A CSR matrix; its indices are sorted within each row.
    feature_of
        int64 of shape (columns,), no number but -1 twice.
    in_order
        Whether the numbers other than -1 ascend, so that nothing has to be sorted.

    Returns
    -------
    tuple
        int64, int32 and float32; no zeros, indices sorted within each row.
    """
    starts = np.zeros(len(indptr), dtype=np.int64)
    longest = 0
    for row in range(len(indptr) - 1):
        found = 0
        for stored in range(indptr[row], indptr[row + 1]):
            found += feature_of[indices[stored]] >= 0 and data[stored] != 0
        starts[row + 1] = starts[row] + found
        longest = max(longest, found)
    new_indices, new_data = np.empty(starts[-1], dtype=np.int32), np.empty(starts[-1], dtype=np.float32)
    words, spare, counts = np.empty(longest, dtype=np.uint64), np.empty(longest, dtype=np.uint64), make_counts()
    row_data = np.empty(longest, dtype=np.float32)
    for row in range(len(indptr) - 1):
        written = starts[row]
        for stored in range(indptr[row], indptr[row + 1]):
            feature = feature_of[indices[stored]]
            if feature >= 0 and data[stored] != 0:
                new_indices[written] = feature
                new_data[written] = data[stored]
                written += 1
        if in_order:
            continue
        length = written - starts[row]
        for place in range(length):
            words[place] = (np.uint64(new_indices[starts[row] + place]) << PLACE_BITS) | np.uint64(place)
            row_data[place] = new_data[starts[row] + place]
        sort_words(words, spare, counts, length)
        for place in range(length):
            new_indices[starts[row] + place] = spare[place] >> PLACE_BITS
            new_data[starts[row] + place] = row_data[spare[place] & PLACE_MASK]
    return starts, new_indices, new_data
