"""The kernel that takes columns out of a CSR matrix."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genoken.tokenizers import _gathering


def gather(dense, columns, *, plain=False):
    get = (lambda kernel: getattr(kernel, "py_func", kernel)) if plain else (lambda kernel: kernel)
    csr = sp.csr_matrix(np.asarray(dense, dtype=np.float32))
    feature_of = np.full(csr.shape[1], -1, dtype=np.int32)
    feature_of[columns] = np.arange(len(columns))
    ones = np.ones(csr.shape[0]), np.ones(csr.shape[1])
    starts, indices, data = get(_gathering.gather)(csr.indptr, csr.indices, csr.data, feature_of, *ones)
    get(_gathering.sort_rows)(starts, indices, data)
    return starts, indices, data


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("columns", "indices", "data"), [([0, 2], [0, 1, 1], [1, 3, 6]), ([2, 0], [0, 1, 0], [3, 1, 6]), ([1], [0], [2])]
)
def test_gathering_is_typed_by_hand(columns, indices, data, plain):
    starts, new_indices, new_data = gather([[1, 2, 3], [0, 0, 6]], columns, plain=plain)
    assert (new_indices.tolist(), new_data.tolist()) == (indices, data)
    assert starts.tolist() == ([0, 1, 1] if columns == [1] else [0, 2, 3])
    assert (starts.dtype, new_indices.dtype, new_data.dtype) == (np.int64, np.int32, np.float32)


def test_stored_zeros_are_left_out():
    csr = sp.csr_matrix((np.array([0, 2], dtype=np.float32), np.array([0, 1]), np.array([0, 2])), shape=(1, 2))
    _, indices, data = _gathering.gather(
        csr.indptr, csr.indices, csr.data, np.array([0, 1], dtype=np.int32), np.ones(1), np.ones(2)
    )
    assert (indices.tolist(), data.tolist()) == ([1], [2])


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(6)), elements=st.sampled_from([0, 0, 1, 2, -3])),
    st.permutations(range(6)),
    st.integers(1, 6),
)
def test_gathering_is_dense_indexing(dense, columns, count):
    columns = list(columns)[:count]
    starts, indices, data = gather(dense, columns)
    np.testing.assert_array_equal(sp.csr_matrix((data, indices, starts), (len(dense), count)).toarray(), dense[:, columns])
    assert all((np.diff(indices[start:stop]) > 0).all() for start, stop in itertools.pairwise(starts))


def test_gathering_leaves_missing_columns_empty():
    values = sp.csr_matrix(np.array([[1, 2, 3], [4, 0, 6]], dtype=np.float32))
    gathered = _gathering.gather_columns(values, np.array([2, -1, 0, -1]))
    np.testing.assert_array_equal(gathered.toarray(), [[3, 0, 1, 0], [6, 0, 4, 0]])
    assert (gathered.nnz, gathered.dtype) == (4, np.float32)
    assert gathered.has_sorted_indices
    gathered.check_format(full_check=True)
    assert _gathering.gather_columns(values, np.array([-1, -1])).shape == (2, 2)
    assert _gathering.gather_columns(values, np.array([-1, -1])).nnz == 0


def test_rows_are_multiplied_and_columns_divided():
    values = sp.csr_matrix(np.array([[1, 2, 3], [4, 0, 6]], dtype=np.float32))
    gathered = _gathering.gather_columns(values, np.array([2, -1, 0]), np.array([2.0, 5.0]), np.array([3.0, 0.0, 8.0]))
    np.testing.assert_array_equal(gathered.toarray(), [[2, 0, 0.25], [10, 0, 2.5]])


def test_a_column_cannot_be_asked_for_twice():
    with pytest.raises(ValueError, match="a column is asked for twice"):
        _gathering.gather_columns(sp.csr_matrix(np.eye(3, dtype=np.float32)), np.array([1, 0, 1]))
