"""Normalizing, choosing and gathering features: parity with scanpy on whole matrices."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.samples import Samples
from genoken.tokenizers import _features


def samples_of(values, kind="counts") -> Samples:
    values = sp.csr_matrix(values, dtype=np.float32)
    return Samples(
        values=values,
        table=pd.DataFrame(index=[f"s{row}" for row in range(values.shape[0])]),
        features=pd.DataFrame(index=[f"g{column}" for column in range(values.shape[1])]),
        value_kind=kind,
        origin="test:X",
    )


@pytest.fixture(scope="module")
def counts() -> sp.csr_matrix:
    """300 samples of 150 features with means over three orders of magnitude, and different overdispersion."""
    rng = np.random.default_rng(5)
    mean = np.exp(rng.normal(0, 1.5, 150))
    shape = rng.uniform(0.3, 5, 150)
    return sp.csr_matrix(rng.poisson(rng.gamma(shape, mean / shape, size=(300, 150))).astype(np.float32))


def test_normalizing_is_typed_by_hand():
    values = sp.csr_matrix(np.array([[1, 3, 0], [0, 0, 0], [0, 0, 5]], dtype=np.float32))
    total = _features.normalize_total_log1p(values, 8.0, total=True, log=False)
    np.testing.assert_allclose(total.toarray(), [[2, 6, 0], [0, 0, 0], [0, 0, 8]])
    both = _features.normalize_total_log1p(values, 8.0, total=True, log=True)
    np.testing.assert_allclose(both.toarray(), np.log([[3, 7, 1], [1, 1, 1], [1, 1, 9]]), rtol=1e-6)
    log = _features.normalize_total_log1p(values, 8.0, total=False, log=True)
    np.testing.assert_allclose(log.toarray(), np.log([[2, 4, 1], [1, 1, 1], [1, 1, 6]]), rtol=1e-6)
    neither = _features.normalize_total_log1p(values, 8.0, total=False, log=False)
    np.testing.assert_array_equal(neither.toarray(), values.toarray())
    given = _features.normalize_total_log1p(values, 8.0, total=True, log=False, totals=np.array([2.0, 0.0, 20.0]))
    np.testing.assert_allclose(given.toarray(), [[4, 12, 0], [0, 0, 0], [0, 0, 2]])
    assert both.dtype == np.float32
    np.testing.assert_array_equal(values.toarray(), [[1, 3, 0], [0, 0, 0], [0, 0, 5]])


def test_rescaling_is_typed_by_hand():
    values = sp.csr_matrix(np.log(np.array([[3, 7, 1], [1, 1, 9]], dtype=np.float32)))
    found = _features.rescale_log1p(values, 0.5)
    np.testing.assert_allclose(found.toarray(), np.log([[2, 4, 1], [1, 1, 5]]), rtol=1e-6)
    assert found.dtype == np.float32


def test_normalizing_is_scanpys(counts):
    adata = anndata.AnnData(counts.copy())
    scanpy.pp.normalize_total(adata, target_sum=1e4)
    scanpy.pp.log1p(adata)
    ours = _features.normalize_total_log1p(counts, 1e4, total=True, log=True)
    np.testing.assert_allclose(ours.toarray(), adata.X.toarray(), rtol=2e-6, atol=1e-6)


def test_variable_features_of_counts_are_scanpys_seurat_v3(counts):
    adata = anndata.AnnData(counts.copy())
    expected = np.flatnonzero(
        scanpy.pp.highly_variable_genes(adata, n_top_genes=40, flavor="seurat_v3", inplace=False).highly_variable
    )
    chosen = _features.variable_features(samples_of(counts), _features.normalize_total_log1p(counts, 1e4, total=True, log=True), 40)
    np.testing.assert_array_equal(chosen, expected)


def test_variable_features_of_log_values_are_scanpys_seurat(counts):
    log = _features.normalize_total_log1p(counts, 1e4, total=True, log=True)
    adata = anndata.AnnData(log.copy())
    expected = np.flatnonzero(
        scanpy.pp.highly_variable_genes(adata, n_top_genes=40, flavor="seurat", inplace=False).highly_variable
    )
    chosen = _features.variable_features(samples_of(log, "log"), log, 40)
    np.testing.assert_array_equal(chosen, expected)
    by_counts = _features.variable_features(samples_of(counts), log, 40)
    assert set(by_counts) != set(chosen)


def test_rarely_seen_features_are_no_candidates(counts):
    dense = counts.toarray()
    dense[:, 7] = 0
    dense[:2, 7] = 1000  # by far the most variable one, yet in two samples only
    values = sp.csr_matrix(dense)
    log = _features.normalize_total_log1p(values, 1e4, total=True, log=True)
    assert 7 not in _features.variable_features(samples_of(values), log, 40)
    dense[2, 7] = 1000
    values = sp.csr_matrix(dense)
    log = _features.normalize_total_log1p(values, 1e4, total=True, log=True)
    assert 7 in _features.variable_features(samples_of(values), log, 40)


def test_all_candidates_are_taken_when_there_are_not_more():
    values = sp.csr_matrix(np.array([[1, 0, 2, 0], [1, 0, 1, 1], [2, 0, 3, 0]], dtype=np.float32))
    log = _features.normalize_total_log1p(values, 1e4, total=True, log=True)
    assert _features.variable_features(samples_of(values), log, 2).tolist() == [0, 2]
    with pytest.raises(DataError, match="no feature is expressed in the train split"):
        _features.variable_features(samples_of(np.zeros((4, 3))), sp.csr_matrix((4, 3)), 2)


FEW_VARY = np.tile(np.array([[1, 1, 1, 1, 2]], dtype=np.float32), (4, 1))
FEW_VARY[0, 3] = 9
TWO_MEANS = np.kron(np.array([[1, 3], [2, 5], [3, 4]]), np.ones((1, 20)))  # 40 features vary, around two means


@pytest.mark.parametrize("dense", [FEW_VARY, TWO_MEANS])
def test_counts_that_defy_the_loess_fit_are_ranked_by_dispersion(dense):
    values = sp.csr_matrix(dense)
    log = _features.normalize_total_log1p(values, 1e4, total=True, log=True)
    assert _features._seurat_v3(values, 2) is None
    chosen = _features.variable_features(samples_of(values), log, 2)
    assert chosen.tolist() == np.sort(_features._seurat(log, 2)).tolist()
    assert len(chosen) == 2


def test_moments_count_the_zeros(counts):
    mean, deviation = _features.feature_moments(sp.csr_matrix(np.array([[0, 1], [4, 3]], dtype=np.float32)))
    assert mean.tolist() == [2, 2]
    assert deviation.tolist() == [2, 1]
    mean, deviation = _features.feature_moments(counts)
    np.testing.assert_allclose(mean, counts.toarray().mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(deviation, counts.toarray().std(axis=0), rtol=1e-5)
