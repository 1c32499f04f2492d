from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from genoken.core.random import generator
from genoken.interpretation import aggregate
from genoken.interpretation.aggregate import gene_importance, spearman, value_correlations

SCORES = sp.csr_matrix(
    np.array(
        [
            [2.0, -1.0, 0.0, 0.0],
            [4.0, -5.0, 0.0, 3.0],
            [0.0, 2.0, 0.0, -3.0],
        ]
    )
)


@pytest.mark.parametrize(
    ("how", "expected"),
    [("mean", [2.0, -4 / 3, 0.0, 0.0]), ("max", [4.0, -5.0, 0.0, 3.0]), ("median", [2.0, -1.0, 0.0, 0.0])],
)
def test_importance_by_hand(how, expected):
    assert np.allclose(gene_importance(SCORES, how), expected)


@pytest.mark.parametrize("how", ["mean", "max", "median"])
def test_no_samples_give_no_importance(how):
    assert gene_importance(SCORES[:0], how).tolist() == [0.0] * 4


@given(seed=st.integers(0, 10_000), how=st.sampled_from(["mean", "max", "median"]))
def test_importance_does_not_depend_on_the_order_of_samples(seed, how):
    rng = generator(seed, "test")
    scores = sp.random_array((6, 5), density=0.6, rng=rng, data_sampler=rng.standard_normal).tocsr()
    scores = sp.csr_matrix(scores)
    dense = {"mean": np.mean, "median": np.median, "max": lambda x, axis: x[np.abs(x).argmax(axis=axis), np.arange(5)]}[how]
    assert np.allclose(gene_importance(scores, how), dense(scores.toarray(), axis=0))
    assert np.allclose(gene_importance(scores[rng.permutation(6)], how), gene_importance(scores, how))


def test_medians_do_not_depend_on_the_blocks(monkeypatch):
    whole = gene_importance(SCORES, "median")
    monkeypatch.setattr(aggregate, "_BLOCK", 3)
    assert np.array_equal(gene_importance(SCORES, "median"), whole)


def test_spearman_equals_scipy_with_ties():
    first, second = np.array([1.0, 2.0, 2.0, 5.0, -1.0]), np.array([0.3, 0.1, 0.9, 0.9, 0.0])
    assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert np.isnan(spearman(first, np.ones(5)))
    assert np.isnan(spearman(first[:1], second[:1]))


def test_correlation_equals_scipy():
    rng = generator(2, "test")
    values = rng.random((30, 5)).astype(np.float32) * (rng.random((30, 5)) < 0.5)
    values[:, 3] = 1.7
    targets = np.stack([rng.random(30) < 0.4, rng.standard_normal(30), np.ones(30)], axis=1).astype(np.float64)
    found = value_correlations(sp.csr_matrix(values), targets)
    for gene in (0, 1, 2, 4):
        for target in (0, 1):
            assert found[gene, target] == pytest.approx(pearsonr(values[:, gene], targets[:, target]).statistic, abs=1e-6)
    assert np.isnan(found[3]).all()
    assert np.isnan(found[:, 2]).all()
