"""Calls of two bits: typed by hand, against plain arrays, and whatever blocks they come in."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from genoken.core import calls
from genoken.core.calls import Calls, num_bytes, pack_calls, turn_block, turn_blocks

NAN = np.nan
DENSE = np.array([[0, 1, 2, -1, 2], [2, 2, -1, 0, -1]], dtype=np.int8)
PACKED = np.array([[0b11_10_01_00, 0b10], [0b00_11_10_10, 0b11]], dtype=np.uint8)
CALLS = Calls(PACKED, 5)
COPIES = st.sampled_from([0, 1, 2, -1])


def matrices(most_columns):
    shapes = st.tuples(st.integers(1, 13), st.integers(1, most_columns))
    return shapes.flatmap(lambda shape: arrays.arrays(np.int8, shape, elements=COPIES))


def packed(dense):
    return Calls(pack_calls(dense), dense.shape[1])


def test_bytes_typed_by_hand():
    np.testing.assert_array_equal(pack_calls(DENSE), PACKED)
    np.testing.assert_array_equal(CALLS.dense(), DENSE)
    assert (CALLS.shape, CALLS.nnz, num_bytes(8), num_bytes(9)) == ((2, 5), 8, 2, 3)


def test_other_negative_numbers_are_missing_too():
    np.testing.assert_array_equal(pack_calls(np.array([[-9, -127, 0, 2]], dtype=np.int8)), [[0b10_00_11_11]])


def test_a_matrix_has_nan_where_missing_and_no_zeros():
    found = CALLS.read()
    assert (found.dtype, found.nnz, found.has_canonical_format) == (np.float32, 8, True)
    np.testing.assert_array_equal(found.indices, [1, 2, 3, 4, 0, 1, 2, 4])
    np.testing.assert_array_equal(found.toarray(), [[0, 1, 2, NAN, 2], [2, 2, NAN, 0, NAN]])
    np.testing.assert_array_equal(CALLS.toarray(), found.toarray())


def test_single_copies_on_the_second_strand_are_below_zero():
    both = packed(np.array([[1, 1, 2, -1, 0]], dtype=np.int8))
    first = packed(np.array([[1, 0, 1, -1, 0]], dtype=np.int8))
    np.testing.assert_array_equal(both.read(first).toarray(), [[1, -1, 2, NAN, 0]])


def test_counts_by_variant_and_missing_calls_by_sample():
    np.testing.assert_array_equal(CALLS.counts(), [[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [1, 1, 1, 0, 1], [0, 0, 1, 1, 1]])
    np.testing.assert_array_equal(CALLS.totals(), [2, 1, 4, 3])
    np.testing.assert_array_equal(CALLS.missing_of_samples(), [1, 2])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([1, 0, 1], [1, 0, 1]), ([False, True], [1]), (slice(0, 1), [0]), (slice(None, None, -1), [1, 0]), ([], [])],
    ids=["integers", "mask", "slice", "backwards", "none"],
)
def test_rows(rows, expected):
    found = CALLS[rows if isinstance(rows, slice) else np.array(rows, dtype=bool if expected == [1] else int)]
    np.testing.assert_array_equal(found.dense(), DENSE[expected])
    assert found.read().shape == (len(expected), 5)


def test_rows_that_follow_each_other_share_memory():
    assert np.shares_memory(CALLS[1:].packed, PACKED)


def test_columns_with_the_other_allele_counted_and_one_that_is_absent():
    found = CALLS.columns(np.array([4, -1, 0, 3, 1]), np.array([True, True, True, False, True]))
    np.testing.assert_array_equal(found.dense(), [[0, -1, 2, -1, 1], [-1, -1, 0, 0, 0]])
    strand = packed(np.array([[0, 1, -1]], dtype=np.int8)).columns([0, 1, 2], np.ones(3, dtype=bool), most=1)
    np.testing.assert_array_equal(strand.dense(), [[1, 0, -1]])


def test_rows_of_several():
    np.testing.assert_array_equal(Calls.stacked([CALLS, CALLS[1:]]).dense(), DENSE[[0, 1, 1]])


def test_calls_of_a_matrix(monkeypatch):
    monkeypatch.setattr(calls, "BLOCK_CALLS", 7)  # a row at a time
    matrix = sp.csr_matrix(np.array([[0, 1, 2, NAN, 2], [2, 2, NAN, 0, NAN]], dtype=np.float32))
    np.testing.assert_array_equal(Calls.of(matrix).packed, PACKED)
    assert Calls.of(CALLS) is CALLS
    assert [block.shape for block in CALLS.blocks()] == [(1, 5), (1, 5)]


def test_without_samples_or_variants():
    nobody = packed(np.zeros((0, 3), dtype=np.int8))
    assert (nobody.shape, nobody.read().shape, nobody.counts().shape) == ((0, 3), (0, 3), (4, 3))
    nothing = packed(np.zeros((2, 0), dtype=np.int8))
    assert (nothing.shape, nothing.dense().shape, list(nothing.missing_of_samples())) == ((2, 0), (2, 0), [0, 0])


@given(dense=matrices(13), data=st.data())
def test_what_is_done_with_calls_is_what_is_done_with_an_array(dense, data):
    found = packed(dense)
    np.testing.assert_array_equal(found.dense(), dense)
    places = data.draw(st.lists(st.integers(0, dense.shape[1] - 1), min_size=1))
    np.testing.assert_array_equal(found.columns(np.array(places)).dense(), dense[:, places])
    expected = np.where(dense < 0, NAN, dense).astype(np.float32)
    np.testing.assert_array_equal(found.read().toarray(), expected)
    assert found.nnz == found.read().nnz
    np.testing.assert_array_equal(found.counts(), [(dense == copies).sum(axis=0) for copies in (0, 1, 2, -1)])
    np.testing.assert_array_equal(found.totals(), found.counts().sum(axis=1))
    np.testing.assert_array_equal(found.missing_of_samples(), (dense < 0).sum(axis=1))


@given(dense=matrices(30), data=st.data())
def test_blocks_by_variant_of_any_size_become_calls_by_sample(dense, data):
    bounds = sorted(data.draw(st.sets(st.integers(1, dense.shape[1]))) | {0, dense.shape[1]})
    blocks = [pack_calls(dense[:, start:stop].T) for start, stop in pairwise(bounds)]
    for block in blocks:  # what comes after the last sample does not matter
        block[:, -1] |= (0xFF << 2 * (dense.shape[0] - 4 * (block.shape[1] - 1))) & 0xFF
    found = turn_blocks(deque(blocks), len(dense))
    np.testing.assert_array_equal(found.packed, pack_calls(dense))
    assert found.num_columns == dense.shape[1]


@pytest.mark.parametrize("shape", [(1030, 9), (9, 1030), (257, 515)])
def test_a_block_wider_than_a_tile(shape):
    dense = np.random.default_rng(0).integers(-1, 3, shape).astype(np.int8)
    np.testing.assert_array_equal(turn_block(pack_calls(dense.T), shape[0]), pack_calls(dense))
