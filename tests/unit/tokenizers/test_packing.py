"""Kernels that pack CSR rows into tokens: typed by hand, and the same with and without compilation."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genoken.tokenizers import _packing

CLS, FIRST = 0, 3
MATRIX = sp.csr_matrix(np.array([[0, 2.5, 0, 1.5], [0, 0, 0, 0], [1, 3, 3, 2], [4, 0, 0, 0]], dtype=np.float32))


def interpreted(kernel):
    """Return a kernel as plain Python; it is that already when NUMBA_DISABLE_JIT is set."""
    return getattr(kernel, "py_func", kernel)


def pack(matrix, rows, room, *, every_feature=False, plain=False):
    get = interpreted if plain else (lambda kernel: kernel)
    rows = np.asarray(rows, dtype=np.int64)
    offsets = get(_packing.count_tokens)(matrix.indptr, rows, room, matrix.shape[1], every_feature)
    kernel = get(_packing.pack_every_feature if every_feature else _packing.pack_expressed)
    identities, values = kernel(matrix.indptr, matrix.indices, matrix.data, rows, offsets, CLS, FIRST)
    return offsets, identities, values


@pytest.mark.parametrize("plain", [False, True])
def test_expressed_features_are_packed_in_the_order_of_the_rows_asked_for(plain):
    offsets, identities, values = pack(MATRIX, [2, 0, 1], 4, plain=plain)
    assert offsets.tolist() == [0, 5, 8, 9]
    assert identities.tolist() == [0, 3, 4, 5, 6, 0, 4, 6, 0]
    assert values.tolist() == [0, 1, 3, 3, 2, 0, 2.5, 1.5, 0]
    assert (offsets.dtype, identities.dtype, values.dtype) == (np.int64, np.int64, np.float32)


@pytest.mark.parametrize("plain", [False, True])
def test_every_feature_is_packed_with_its_zeros(plain):
    offsets, identities, values = pack(MATRIX, [0, 1, 3], 4, every_feature=True, plain=plain)
    assert offsets.tolist() == [0, 5, 10, 15]
    assert identities.tolist() == [0, 3, 4, 5, 6] * 3
    assert values.tolist() == [0, 0, 2.5, 0, 1.5, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("room", "identities", "values"),
    [
        (3, [0, 4, 5, 6], [0, 3, 3, 2]),
        (2, [0, 4, 5], [0, 3, 3]),
        (1, [0, 4], [0, 3]),  # two features have the value 3: the one of the lower index stays
        (0, [0], [0]),
    ],
)
def test_the_highest_values_stay_in_the_order_of_features(room, identities, values, plain):
    _, found_identities, found_values = pack(MATRIX, [2], room, plain=plain)
    assert found_identities.tolist() == identities
    assert found_values.tolist() == values


def test_no_rows_give_no_tokens():
    offsets, identities, values = pack(MATRIX, [], 4)
    assert offsets.tolist() == [0]
    assert len(identities) == len(values) == 0


MATRICES = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(1, 8)), elements=st.sampled_from([0, 0, 0.5, 1, 2, 2.25])
)


@given(MATRICES, st.integers(0, 8), st.booleans(), st.randoms(use_true_random=False))
def test_compiled_and_plain_kernels_agree(dense, room, every_feature, random):
    matrix = sp.csr_matrix(dense)
    rows = [random.randrange(len(dense)) for _ in range(4)]
    room = dense.shape[1] if every_feature else room
    compiled = pack(matrix, rows, room, every_feature=every_feature)
    plain = pack(matrix, rows, room, every_feature=every_feature, plain=True)
    for one, other in zip(compiled, plain, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@given(MATRICES, st.booleans())
def test_packed_tokens_hold_the_whole_matrix(dense, every_feature):
    matrix = sp.csr_matrix(dense)
    offsets, identities, values = pack(matrix, np.arange(len(dense)), dense.shape[1], every_feature=every_feature)
    unpacked = np.zeros_like(dense)
    for row in range(len(dense)):
        own = slice(offsets[row] + 1, offsets[row + 1])
        assert identities[offsets[row]] == CLS
        assert (np.diff(identities[own]) > 0).all()
        unpacked[row, identities[own] - FIRST] = values[own]
    np.testing.assert_array_equal(unpacked, dense)


@given(MATRICES, st.integers(0, 8))
def test_what_is_cut_off_is_never_larger_than_what_stays(dense, room):
    matrix = sp.csr_matrix(dense)
    offsets, identities, values = pack(matrix, np.arange(len(dense)), room)
    for row in range(len(dense)):
        own = slice(offsets[row] + 1, offsets[row + 1])
        # A sort of (-value, index) pairs says which features stay.
        ranked = sorted((-value, index) for index, value in enumerate(dense[row]) if value)[:room]
        assert sorted(identities[own] - FIRST) == sorted(index for _, index in ranked)
        np.testing.assert_array_equal(values[own], dense[row, identities[own] - FIRST])
