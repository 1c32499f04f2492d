"""Canonical matrices, and what their values are."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genoken.core.errors import DataError
from genoken.core.matrix import as_csr, describe_matrix, find_non_finite, to_csr
from genoken.core.random import generator

DENSE = np.array([[0.0, 1.5, 0.0], [2.0, 0.0, -3.0], [0.0, 0.0, 0.0], [4.0, 5.0, 6.0]])


def counts(samples=80, features=40, mean=2.0, key="counts"):
    rng = generator(0, key)
    depth = rng.uniform(0.5, 3.0, size=(samples, 1))
    return rng.poisson(mean * depth * rng.gamma(0.5, 2.0, size=(1, features))).astype(np.float64)


def normalized(matrix, total):
    return matrix / matrix.sum(axis=1, keepdims=True) * total


@pytest.mark.parametrize(
    "make",
    [
        np.asarray,
        np.matrix,
        np.asfortranarray,
        sp.csr_matrix,
        sp.csc_matrix,
        sp.coo_matrix,
        sp.lil_matrix,
        sp.csr_array,
        sp.csc_array,
        lambda dense: dense.astype(np.float32),
        lambda dense: (dense * 2).astype(np.int16),
    ],
)
def test_every_form_becomes_the_same_canonical_matrix(make):
    given_matrix = make(DENSE)
    csr = as_csr(given_matrix, "X")
    expected = DENSE * 2 if csr.toarray()[3, 0] == 8 else DENSE
    assert isinstance(csr, sp.csr_matrix)
    assert csr.dtype == np.float32
    np.testing.assert_array_equal(csr.toarray(), expected)
    np.testing.assert_array_equal(csr.indices, [1, 0, 2, 0, 1, 2])
    np.testing.assert_array_equal(csr.indptr, [0, 1, 3, 3, 6])


def test_stored_zeros_duplicates_and_disorder_are_mended_without_touching_the_input():
    data = np.array([5.0, 0.0, 1.0, 2.0, 3.0], dtype=np.float32)
    indices = np.array([2, 1, 0, 2, 2], dtype=np.int32)
    messy = sp.csr_matrix((data, indices, np.array([0, 3, 5], dtype=np.int32)), shape=(2, 3))
    csr = as_csr(messy, "X")
    np.testing.assert_array_equal(csr.data, [1, 5, 5])
    np.testing.assert_array_equal(csr.indices, [0, 2, 2])
    np.testing.assert_array_equal(csr.indptr, [0, 2, 3])
    np.testing.assert_array_equal(messy.data, [5, 0, 1, 2, 3])
    np.testing.assert_array_equal(messy.indices, [2, 1, 0, 2, 2])


def test_values_that_cancel_are_not_stored():
    matrix = sp.coo_matrix(([1.0, -1.0, 2.0], ([0, 0, 0], [1, 1, 2])), shape=(1, 3))
    np.testing.assert_array_equal(as_csr(matrix, "X").indices, [2])


def test_a_canonical_matrix_is_not_copied():
    matrix = sp.csr_matrix(DENSE.astype(np.float32))
    assert np.shares_memory(as_csr(matrix, "X").data, matrix.data)


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=7), elements=st.integers(-3, 3)))
def test_as_csr_keeps_every_value_and_is_idempotent(dense):
    csr = as_csr(sp.csc_matrix(dense), "X")
    np.testing.assert_array_equal(csr.toarray(), dense)
    assert np.count_nonzero(csr.data) == csr.nnz == np.count_nonzero(dense)
    again = as_csr(csr, "X")
    np.testing.assert_array_equal(again.indices, csr.indices)


def test_dense_matrices_of_many_blocks_are_whole():
    dense = generator(0, "blocks").integers(0, 3, size=(9001, 2)).astype(np.float64)
    np.testing.assert_array_equal(as_csr(dense, "X").toarray(), dense)


def test_matrices_on_disk_are_read(tmp_path):
    path = tmp_path / "cells.h5ad"
    anndata.AnnData(sp.csr_matrix(DENSE), layers={"dense": DENSE}).write_h5ad(path)
    backed = anndata.read_h5ad(path, backed="r")
    np.testing.assert_array_equal(as_csr(backed.X, "X").toarray(), DENSE)
    backed.file.close()
    with h5py.File(path, "r") as file:
        np.testing.assert_array_equal(as_csr(file["layers/dense"], "X").toarray(), DENSE)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_values_that_are_not_finite_are_counted_and_placed(bad):
    dense = DENSE.copy()
    dense[1, 2] = bad
    dense[3, 0] = bad
    for matrix in (dense, sp.csr_matrix(dense), sp.csc_matrix(dense)):
        with pytest.raises(DataError, match="2 values are missing or infinite, the first at sample 1, feature 2"):
            as_csr(matrix, "cells.h5ad:X")
    assert find_non_finite(to_csr(dense, "X")) == (2, 1, 2)
    assert find_non_finite(to_csr(DENSE, "X")) is None


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros(3), "expected a matrix"),
        (np.array([["a", "b"]]), "not real numbers"),
        (np.array([[1j]]), "not real numbers"),
        ("text", "expected a matrix of samples by features, found str"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(matrix, message):
    with pytest.raises(DataError, match=message):
        as_csr(matrix, "X")


def test_a_damaged_sparse_matrix_is_refused():
    matrix = sp.csr_matrix(DENSE)
    matrix.indices = matrix.indices.copy()
    matrix.indices[0] = 99
    with pytest.raises(DataError, match="damaged"):
        as_csr(matrix, "X")


def test_counts_are_known():
    state = describe_matrix(counts())
    assert state.kind == "counts"
    assert "whole numbers from 0 to" in state.evidence
    assert describe_matrix(np.array([[0, 1], [1, 0]])).evidence.startswith("only 0 and 1")
    assert describe_matrix(counts() + 1e-6).kind == "counts"
    assert describe_matrix(np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])).kind == "counts"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("samples", "features", "high"), [(2, 2, 2), (3, 4, 5), (10, 5, 3), (40, 30, 20), (200, 12, 8)])
def test_small_whole_numbers_are_counts(seed, samples, features, high):
    matrix = generator(seed, "small").integers(0, high, size=(samples, features))
    matrix[0, 0] = 1
    assert describe_matrix(matrix).kind == "counts"
    matrix[:, 0] = 20
    assert describe_matrix(matrix).kind == "counts"


def test_estimated_counts_are_counts():
    estimated = counts(mean=20.0)
    estimated[::4, ::3] += 0.37
    state = describe_matrix(estimated)
    assert state.kind == "counts"
    assert "estimated or corrected" in state.evidence


@pytest.mark.parametrize(("total", "kept"), [(1e4, 40), (1e6, 40), (1e4, 15)])
@pytest.mark.parametrize(("logarithm", "name"), [(np.log1p, "log1p"), (lambda x: np.log2(1 + x), "log2")])
def test_normalized_values_and_their_logarithms_are_known_also_for_some_of_the_features(total, kept, logarithm, name):
    values = normalized(counts() + 1, total)[:, :kept].astype(np.float32)
    assert describe_matrix(values).kind == "normalized"
    state = describe_matrix(logarithm(values))
    assert state.kind == "log"
    assert state.evidence.startswith(name)
    assert (f"{total:,.0f}" in state.evidence) == (kept == 40)


def test_logarithms_of_plain_counts_are_said_not_to_be_normalized():
    state = describe_matrix(np.log1p(counts()).astype(np.float32))
    assert state.kind == "log"
    assert "counts that were not normalized" in state.evidence


def test_fractions_of_one_are_normalized_and_not_logarithms():
    assert describe_matrix(normalized(counts() + 1, 1.0)).kind == "normalized"


def test_logarithms_of_unknown_origin_are_known_by_their_range():
    values = generator(0, "arrays").uniform(3.0, 15.0, size=(30, 50))
    state = describe_matrix(values)
    assert state.kind == "log"
    assert "range" in state.evidence
    quantile_normalized = np.take_along_axis(np.sort(values[0])[None, :].repeat(30, axis=0), values.argsort(axis=1), axis=1)
    assert describe_matrix(quantile_normalized).kind == "log"


def test_whole_numbered_logarithms_are_told_from_counts_by_their_totals():
    rng = generator(0, "whole logs")
    powers = np.array([rng.permutation([1023, 1023, 511, 255, 127, 63, 31, 15, 7, 3, 1, 0, 0]) for _ in range(40)])
    logs = np.log2(powers + 1)
    logs[:20] = np.array([rng.permutation([10, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 9, 0]) for _ in range(20)])
    assert describe_matrix(logs).kind == "log"


def test_scaled_values_are_known_with_and_without_centering_and_clipping():
    logs = np.log1p(normalized(counts() + 1, 1e4))
    scaled = (logs - logs.mean(axis=0)) / logs.std(axis=0)
    assert describe_matrix(scaled).kind == "scaled"
    clipped = scaled * 5
    clipped[clipped > 10] = 10
    assert "clipped at 10" in describe_matrix(clipped).evidence
    assert describe_matrix(logs / logs.std(axis=0)).kind == "scaled"


def test_negative_values_that_are_not_centered_are_unknown():
    state = describe_matrix(generator(0, "shifted").normal(5.0, 2.0, size=(200, 30)))
    assert state.kind == "unknown"
    assert "negative" in state.evidence


def test_real_values_of_no_known_form_are_unknown():
    state = describe_matrix(generator(0, "rates").lognormal(3.0, 2.0, size=(50, 30)))
    assert state.kind == "unknown"
    assert "neither counts" in state.evidence


@pytest.mark.parametrize(
    ("matrix", "evidence"),
    [(np.zeros((3, 2)), "every value is 0"), (np.zeros((0, 2)), "the matrix is empty"), (np.zeros((3, 0)), "empty")],
)
def test_matrices_without_values_are_unknown(matrix, evidence):
    state = describe_matrix(matrix)
    assert state.kind == "unknown"
    assert evidence in state.evidence
    assert (state.density, state.minimum, state.maximum) == (0.0, 0.0, 0.0)


def test_figures_are_those_of_the_matrix():
    state = describe_matrix(DENSE)
    assert (state.density, state.minimum, state.maximum, state.rows_seen, state.num_non_finite) == (0.5, -3.0, 6.0, 4, 0)


def test_values_that_are_not_finite_are_counted_and_do_not_decide():
    values = counts()
    values[3, 4] = np.nan
    values[5, 6] = np.inf
    state = describe_matrix(values)
    assert state.kind == "counts"
    assert state.num_non_finite == 2
    assert "2 values are missing or infinite" in state.evidence
    assert np.isnan(values[3, 4])


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csc_matrix, np.asarray])
def test_big_matrices_are_looked_at_in_part(make):
    matrix = make(generator(0, "big").integers(0, 5, size=(5000, 3)))
    state = describe_matrix(matrix)
    assert state.rows_seen == 2000
    assert state.kind == "counts"
    assert "2,000 evenly spaced samples" in state.evidence
