"""Kernels that order the values of a row: typed by hand, and the same with and without compilation."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genoken.tokenizers import _sorting

CLS, FIRST = 0, 3
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def interpreted(kernel):
    """Return a kernel as plain Python; it is that already when NUMBA_DISABLE_JIT is set."""
    return getattr(kernel, "py_func", kernel)


def sort(values, *, plain=False):
    """Return the places of the values, the highest first, by the kernels alone."""
    get = interpreted if plain else (lambda kernel: kernel)
    keys = np.array([int(interpreted(_sorting.descending_key)(np.uint64(bits))) for bits in np.float32(values).view(np.uint32)])
    words = (keys.astype(np.uint64) << _sorting.PLACE_BITS) | np.arange(len(values), dtype=np.uint64)
    spare = np.empty_like(words)
    get(_sorting.sort_words)(words, spare, get(_sorting.make_counts)(), len(values))
    return (words & _sorting.PLACE_MASK).astype(int).tolist()


@pytest.mark.parametrize("plain", [False, True])
def test_values_are_sorted_from_the_highest_with_ties_in_their_order(plain):
    assert sort([0.5, 2.0, -1.0, 2.0, 0.0, -0.0, 1e-30, -3e38, 3e38], plain=plain) == [8, 1, 3, 0, 6, 4, 5, 2, 7]


@given(hnp.arrays(np.float32, st.integers(1, 40), elements=FLOATS))
def test_sorting_is_numpys_stable_sort(values):
    assert sort(values) == np.argsort(-values, kind="stable").tolist()


@pytest.mark.parametrize("length", [2, 60, 3000])
def test_values_that_differ_in_their_last_bits_alone_are_sorted_too(length):
    values = (np.float32(1).view(np.uint32) + np.random.default_rng(2).permutation(length).astype(np.uint32)).view(np.float32)
    assert sort(values) == np.argsort(-values).tolist()


@pytest.mark.parametrize("plain", [False, True])
def test_insertion_gives_up_after_more_moves_than_there_are_words(plain):
    kernel = interpreted(_sorting._insert) if plain else _sorting._insert
    words = np.array([1, 3, 2, 5, 4, 6], dtype=np.uint64)
    assert kernel(words, 6)
    assert words.tolist() == [1, 2, 3, 4, 5, 6]
    assert not kernel(words[::-1].copy(), 6)


@given(FLOATS)
def test_a_key_gives_its_float_back(value):
    bits = np.float32(value).view(np.uint32)
    key = interpreted(_sorting.descending_key)(np.uint64(bits))
    assert np.uint32(interpreted(_sorting.bits_of_key)(key)).view(np.float32) == np.float32(value)


def pack(dense, rows, room, *, plain=False):
    get = interpreted if plain else (lambda kernel: kernel)
    csr = sp.csr_matrix(np.asarray(dense, dtype=np.float32))
    rows = np.asarray(rows, dtype=np.int64)
    stored = np.minimum(np.diff(csr.indptr)[rows], room)
    offsets = np.concatenate([[0], np.cumsum(stored + 1)]).astype(np.int64)
    return get(_sorting.pack_ranked)(csr.indptr, csr.indices, csr.data, rows, offsets, CLS, FIRST).tolist()


@pytest.mark.parametrize("plain", [False, True])
def test_rows_are_packed_by_rank(plain):
    dense = [[0, 2.5, 0, 3.5], [0, 0, 0, 0], [1, 3, 3, 2]]
    assert pack(dense, [2, 1, 0], 4, plain=plain) == [0, 4, 5, 6, 3, 0, 0, 6, 4]
    assert pack(dense, [2, 1, 0], 1, plain=plain) == [0, 4, 0, 0, 6]


MATRICES = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.sampled_from([0, 0, -1.5, 0.5, 1, 2])
)


@given(MATRICES)
def test_every_feature_is_ordered_with_its_zeros(dense):
    csr = sp.csr_matrix(dense)
    rows = np.arange(len(dense))[::-1].copy()
    expected = np.argsort(-dense[rows], axis=1, kind="stable")
    for kernel in (_sorting.order_every_feature, interpreted(_sorting.order_every_feature)):
        order = kernel(csr.indptr, csr.indices, csr.data, rows, dense.shape[1])
        assert order.dtype == np.int32
        np.testing.assert_array_equal(order, expected)


@pytest.mark.parametrize("plain", [False, True])
def test_medians_are_those_of_stored_values(plain):
    csc = sp.csc_matrix(np.array([[0, 4, 1], [0, 2, 0], [0, 0, 3], [0, 9, 0]], dtype=np.float32))
    kernel = interpreted(_sorting.column_medians) if plain else _sorting.column_medians
    np.testing.assert_array_equal(kernel(csc.indptr, csc.data), [np.nan, 4, 2])


def test_the_longest_row_is_found():
    csr = sp.csr_matrix(np.array([[1, 1, 1], [0, 1, 1], [0, 0, 0]]))
    assert [interpreted(_sorting.longest_row)(csr.indptr, np.array(rows)) for rows in ([0, 1], [1, 2], [2], [])] == [3, 2, 0, 0]
