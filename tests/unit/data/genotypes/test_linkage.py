"""Linkage within windows against NumPy's correlations of all pairs; pruning and clumping typed by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.data.genotypes import linkage as module
from genoken.data.genotypes.imputation import imputed
from genoken.data.genotypes.linkage import clump, linkage, linked_features, prune, window_ends


def features(*places):
    """Return a feature table of (chromosome, position)."""
    return pd.DataFrame(places, columns=["chromosome", "position_bp"])


@pytest.fixture(scope="module")
def cohort():
    """60 samples of 40 correlated variants on two chromosomes, with missing calls."""
    random = generator(5, "cohort")
    latent = np.cumsum(random.normal(size=(60, 40)), axis=1)
    dense = np.digitize(latent, [-2.0, 2.0]).astype(np.int8)
    dense[:, ::3] = 2 - dense[:, ::3]
    dense[random.random(dense.shape) < 0.05] = -1
    table = features(*[("1", 100 * i) for i in range(25)], *[("2", 50 * i) for i in range(15)])
    return dense, table


@pytest.mark.parametrize("at_once", [7, 512])
@pytest.mark.parametrize(
    ("window_bp", "window_variants", "min_r2"), [(500, None, 0.0), (None, 3, 0.1), (400, 6, 0.2), (10**9, None, 0.0)]
)
def test_correlations_are_numpys_of_all_pairs(cohort, monkeypatch, at_once, window_bp, window_variants, min_r2):
    monkeypatch.setattr(module, "_VARIANTS_AT_ONCE", at_once)
    dense, table = cohort
    found = linkage(dense, table, window_bp=window_bp, window_variants=window_variants, min_r2=min_r2)
    whole = np.corrcoef(imputed(dense).T)
    expected = np.zeros_like(whole)
    count = 0
    for i in range(40):
        for j in range(i + 1, 40):
            near = window_bp is None or table["position_bp"][j] - table["position_bp"][i] <= window_bp
            near &= window_variants is None or j - i <= window_variants
            if near and (table["chromosome"][i] == table["chromosome"][j]) and whole[i, j] ** 2 >= min_r2:
                expected[i, j] = whole[i, j]
                count += 1
    assert np.allclose(found.toarray(), expected, atol=1e-12)
    assert found.nnz == count > 20
    assert (expected < 0).any()


def test_counting_the_other_allele_changes_the_sign(cohort):
    dense, table = cohort
    turned = dense.copy()
    turned[:, 3] = np.where(dense[:, 3] < 0, -1, 2 - dense[:, 3])
    found, other = (linkage(genotypes, table, window_variants=4).toarray() for genotypes in (dense, turned))
    assert np.allclose(other[3], -found[3])
    assert np.allclose(other[:, 3], -found[:, 3])
    assert found[3, 4] < -0.2


def test_windows_end_where_they_should():
    table = features(("1", 10), ("1", 20), ("1", 20), ("1", 31), ("2", 31), ("2", 40))
    assert window_ends(table, window_bp=10).tolist() == [3, 3, 3, 4, 6, 6]
    assert window_ends(table, window_variants=1).tolist() == [2, 3, 4, 4, 6, 6]
    with pytest.raises(ValueError, match="give window_bp"):
        window_ends(table)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (features(("1", 1), ("2", 1), ("1", 2)), "chromosome '1' stands in several places"),
        (features(("1", 2), ("1", 1)), "positions on chromosome '1' do not ascend"),
    ],
)
def test_variants_out_of_order_are_refused(table, message):
    with pytest.raises(DataError, match=message):
        window_ends(table, window_bp=1)


def upper(size, **r):
    """Return a matrix of pairs written as ``r01=0.9``."""
    found = np.zeros((size, size))
    for name, value in r.items():
        found[int(name[1]), int(name[2])] = value
    return sp.csr_matrix(found)


def plain(kernel):
    return getattr(kernel, "py_func", kernel)


@pytest.mark.parametrize("interpreted", [False, True])
def test_pruning_is_typed_by_hand(monkeypatch, interpreted):
    if interpreted:
        monkeypatch.setattr(module, "_pruned", plain(module._pruned))
    pairs = upper(6, r01=-0.9, r12=0.9, r23=0.9, r45=0.7)
    # 0 is rarer than 1 and goes; 1 and 2 are equal, so 2 goes, and 3 is free; 4 and 5 are at r² 0.49.
    frequency = np.array([0.1, 0.8, 0.2, 0.05, 0.5, 0.5])
    assert prune(pairs, frequency, max_r2=0.5).tolist() == [False, True, False, True, True, True]
    assert prune(pairs, frequency, max_r2=0.3).tolist() == [False, True, False, True, True, False]


def test_no_pair_that_is_kept_is_above_the_limit_and_each_dropped_one_had_such_a_pair(cohort):
    dense, table = cohort
    pairs = linkage(dense, table, window_variants=10)
    kept = prune(pairs, imputed(dense).mean(axis=0) / 2, max_r2=0.2)
    close = pairs.toarray() ** 2 > 0.2
    assert not close[np.ix_(kept, kept)].any()
    assert (close | close.T)[~kept].any(axis=1).all()
    assert 5 < kept.sum() < 35


@pytest.mark.parametrize("interpreted", [False, True])
def test_clumping_is_typed_by_hand(monkeypatch, interpreted):
    if interpreted:
        monkeypatch.setattr(module, "_clumped", plain(module._clumped))
    pairs = upper(7, r01=0.8, r12=-0.9, r23=0.9, r34=0.3, r56=0.9)
    scores = np.array([1.0, 5.0, 4.0, 3.0, 3.0, np.nan, 9.0])
    # 6 leads alone, 5 has no score; 1 leads 0 and 2; 2 is taken, so 3 leads itself.
    assert clump(pairs, scores, min_r2=0.5).tolist() == [1, 1, 1, 3, 4, -1, 6]
    assert clump(pairs, scores, min_r2=0.05).tolist() == [1, 1, 1, 3, 3, -1, 6]
    assert clump(pairs, scores, min_r2=0.7).tolist() == [0, 1, 1, 3, 4, -1, 6]


@pytest.mark.parametrize("at_once", [3, 8, 512])
def test_linked_features_are_those_of_the_matrix_of_correlations(at_once, monkeypatch):
    monkeypatch.setattr(module, "_VARIANTS_AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(60, 6))
    values = np.round(np.clip(hidden[:, np.arange(20) // 4] + 0.7 * rng.normal(size=(60, 20)) + 1, 0, 2))
    values[:, 7] = 1  # does not vary
    chromosomes = np.repeat([0, 1], [9, 11])
    found = linked_features(sp.csr_matrix(values), window=3, min_r2=0.2, chromosomes=chromosomes)
    with np.errstate(invalid="ignore", divide="ignore"):
        squared = np.nan_to_num(np.corrcoef(values.T)) ** 2
    expected = {
        (i, j) for i in range(20) for j in range(i + 1, min(i + 4, 20)) if squared[i, j] >= 0.2 and chromosomes[i] == chromosomes[j]
    }
    assert len(expected) > 10
    assert {tuple(pair) for pair in found.T.tolist()} == expected
    assert found.shape == (2, len(expected))
    assert not (found == 7).any()


def test_equal_features_have_a_squared_correlation_of_one():
    column = np.random.default_rng(1).integers(0, 3, size=(50, 1))
    found = linked_features(sp.csr_matrix(np.hstack([column, 2 - column])), window=1, min_r2=1.0)
    assert found.tolist() == [[0], [1]]
