"""Samples known again by their values."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genoken.core.calls import Calls
from genoken.core.samples import Samples

_BLOCK_ROWS = 65_536


def sample_hashes(samples: Samples) -> np.ndarray:
    """Return one 64-bit hash per sample, uint64 (samples,), equal for equal values, and of phased genotypes for equal strands."""
    hashes = row_hashes(samples.values)
    if samples.first_strand is None:
        return hashes
    # A row's hash is a sum over its values: this is the hash of the row with the strand's columns behind its own.
    return hashes + row_hashes(samples.first_strand, first_column=samples.num_features)


def row_hashes(values: Calls | sp.csr_matrix, *, first_column: int = 0) -> np.ndarray:
    """Return one 64-bit hash per row that is equal for equal rows.

    Each stored value is mixed with its column (the finalizer of SplitMix64), and a row's hash is the sum over its values
    modulo 2^64. Among a million different rows, two share a hash with a probability of about 3e-8.

    Parameters
    ----------
    values
        Canonical CSR float32 of shape (samples, features), or calls, whose hashes are those of the matrix that they stand for.
    first_column
        What the first column is counted as.

    Returns
    -------
    numpy.ndarray
        uint64 of shape (samples,).
    """
    if isinstance(values, Calls):
        blocks = (row_hashes(block.read(), first_column=first_column) for block in values.blocks())
        return np.concatenate([np.zeros(0, dtype=np.uint64), *blocks])
    hashes = np.zeros(values.shape[0], dtype=np.uint64)
    for start in range(0, values.shape[0], _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, values.shape[0])
        begin, end = values.indptr[start], values.indptr[stop]
        mixed = (values.indices[begin:end].astype(np.uint64) + np.uint64(first_column)) << np.uint64(32)
        mixed |= np.ascontiguousarray(values.data[begin:end], dtype=np.float32).view(np.uint32)
        mixed += np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
        sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(mixed, dtype=np.uint64)])
        offsets = values.indptr[start : stop + 1] - begin
        hashes[start:stop] = sums[offsets[1:]] - sums[offsets[:-1]]
    return hashes


def first_copies(hashes: np.ndarray, is_filled: np.ndarray) -> np.ndarray:
    """Return for each row the first one that is equal to it, int64 (samples,); itself where there is none before it.

    Parameters
    ----------
    hashes
        Of each row, see :func:`row_hashes`.
    is_filled
        bool (samples,): the others are copies of none, because different samples with few values too easily look the same.
    """
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    return np.where(is_filled, first[inverse], np.arange(len(hashes)))
