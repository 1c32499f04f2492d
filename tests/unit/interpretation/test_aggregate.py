from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from genoken.core.random import generator
from genoken.interpretation import aggregate
from genoken.interpretation.aggregate import (
    COLUMNS,
    gene_importance,
    gene_table,
    leading_genes,
    spearman,
    split_half_stability,
    top_rows,
    value_correlations,
)

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


def test_stability_is_high_for_a_shared_pattern_and_low_for_noise():
    rng = generator(0, "test")
    pattern, noise = np.linspace(-3, 3, 40), rng.standard_normal((60, 40))
    shared = split_half_stability(sp.csr_matrix(pattern + 0.1 * noise), "mean", generator(1))
    unshared = split_half_stability(sp.csr_matrix(noise), "mean", generator(1))
    assert shared > 0.9
    assert abs(unshared) < 0.4


def test_stability_by_hand():
    # Two samples: each is a half; magnitudes 1, 2, 3 against 2, 1, 3; the fourth gene is a token of neither.
    scores = sp.csr_matrix(np.array([[1.0, -2.0, 3.0, 0.0], [2.0, 1.0, -3.0, 0.0]]))
    assert split_half_stability(scores, "mean", generator(0)) == pytest.approx(0.5)
    assert np.isnan(split_half_stability(scores[:1], "mean", generator(0)))


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


@pytest.fixture
def table() -> pd.DataFrame:
    return gene_table(
        SCORES,
        np.array([1, 1, 0]),
        ("A", "B", "C"),
        np.array([[0.1, 0.5, np.nan], [0.2, 0.6, np.nan], [0.3, 0.7, np.nan], [0.4, 0.8, np.nan]]),
        feature_ids=("g0", "g1", "g2", "g3"),
        symbols=("S0", "S1", "S2", "S3"),
        aggregate="mean",
        method="gradient",
        seed=0,
    )


def test_table_by_hand(table):
    assert tuple(table.columns) == COLUMNS
    assert table["class"].tolist() == ["A"] * 4 + ["B"] * 4
    assert table["feature_id"].tolist() == ["g3", "g1", "g0", "g2", "g0", "g1", "g3", "g2"]
    assert table["symbol"].tolist() == ["S3", "S1", "S0", "S2", "S0", "S1", "S3", "S2"]
    assert table["rank"].tolist() == [1, 2, 3, 4] * 2
    assert table["importance"].tolist() == [-3.0, 2.0, 0.0, 0.0, 3.0, -3.0, 1.5, 0.0]
    assert table["correlation"].tolist() == [0.4, 0.2, 0.1, 0.3, 0.5, 0.6, 0.8, 0.7]
    assert table["stability"][:4].isna().all()
    assert table["stability"][4:].nunique() == 1
    assert set(table["method"]) == {"gradient"}


def test_top_and_leading_genes(table):
    assert top_rows(table, 2)["feature_id"].tolist() == ["g3", "g1", "g0", "g1"]
    assert len(top_rows(table, 0)) == 8
    # In turn by rank: A's g3, B's g0, then g1 of both (once); g2 has no importance anywhere.
    assert leading_genes(table, 10) == ["g3", "g0", "g1"]
    assert leading_genes(table, 2) == ["g3", "g0"]


def test_table_without_samples_has_its_columns():
    nothing = SCORES[:0], np.zeros(0, int), ("A",), np.zeros((4, 1))
    empty = gene_table(*nothing, feature_ids="abcd", symbols="abcd", aggregate="mean", method="m", seed=0)
    assert tuple(empty.columns) == COLUMNS
    assert empty.empty
