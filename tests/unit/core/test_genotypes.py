"""Genotypes between dense and sparse."""

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.calls import Calls
from genoken.core.errors import DataError
from genoken.core.genotypes import MISSING, dense_dosages, other_strand, sparse_dosages

_DENSE = np.array([[0, 1, 2, MISSING], [2, 0, 0, 1]], dtype=np.int8)


def test_sparse_genotypes_store_missing_calls_as_nan_and_no_zeros() -> None:
    found = sparse_dosages(_DENSE)
    assert found.dtype == np.float32
    assert found.indices.tolist() == [1, 2, 3, 0, 3]
    np.testing.assert_array_equal(found.data, np.array([1, 2, np.nan, 2, 1], dtype=np.float32))


def test_dense_genotypes_come_back() -> None:
    np.testing.assert_array_equal(dense_dosages(sparse_dosages(_DENSE)), _DENSE)
    np.testing.assert_array_equal(dense_dosages(sparse_dosages(_DENSE), np.array([3, 0])), [[MISSING, 0], [1, 2]])


def test_no_samples_make_an_empty_matrix() -> None:
    assert sparse_dosages(np.zeros((0, 3), dtype=np.int8)).shape == (0, 3)


def test_zeros_are_not_stored_and_missing_calls_are():
    dense = np.array([[0, 1, -1], [2, 0, 0], [0, 0, 0]], dtype=np.int8)
    found = sparse_dosages(dense)
    assert found.has_canonical_format
    assert found.indptr.tolist() == [0, 2, 3, 3]
    assert found.indices.tolist() == [1, 2, 0]
    np.testing.assert_array_equal(found.data, np.array([1, np.nan, 2], dtype=np.float32))


def test_the_other_strand_is_read_backwards() -> None:
    assert [other_strand(allele) for allele in ("A", "GA", "AAC", "<DEL>", "I")] == ["T", "TC", "GTT", "<DEL>", "I"]


@pytest.mark.parametrize("number", [0.37, 1.999, -1.0, 3.0, np.inf])
def test_fractions_and_other_numbers_are_refused_and_never_rounded(number):
    values = sp.csr_matrix(np.array([[0, 1, np.nan], [2, number, 0]], dtype=np.float32))
    for convert in (dense_dosages, Calls.of):
        with pytest.raises(DataError, match=f"genotypes are 0, 1 or 2 copies, found {number:g} — round imputed dosages"):
            convert(values)
