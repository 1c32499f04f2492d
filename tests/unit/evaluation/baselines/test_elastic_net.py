"""Elastic net: planted features found, weights on the columns as they are given, covariates left alone by the penalty."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.contracts import BaselineProblem
from genoken.evaluation.baselines.elastic_net import ElasticNetBaseline, _marginal_scores


def planted(num_samples=300, num_features=80):
    rng = np.random.default_rng(0)
    values = rng.binomial(2, rng.uniform(0.2, 0.5, num_features), (num_samples, num_features)).astype(np.float64)
    return values, values[:, 3] - values[:, 40], rng


def test_planted_features_have_the_weights_and_most_others_none():
    values, signal, rng = planted()
    labels = 2 + signal + 0.3 * rng.normal(size=300)
    matrix = sp.csr_matrix(values)
    state = ElasticNetBaseline(num_features=40).fit(BaselineProblem(matrix[:200], matrix[200:], labels[:200], labels[200:], 0, 0))
    weights = state["weights"]
    assert set(np.argsort(-np.abs(weights))[:2].tolist()) == {3, 40}
    np.testing.assert_allclose(weights[[3, 40]], [1, -1], atol=0.25)
    assert (weights != 0).sum() <= 40
    predicted = ElasticNetBaseline().predict(state, matrix[200:])
    assert 1 - ((labels[200:] - predicted) ** 2).mean() / labels[200:].var() > 0.75


def test_classes_are_told_by_planted_features():
    values, signal, rng = planted()
    labels = np.digitize(signal + 0.2 * rng.normal(size=300), [-0.5, 0.5])
    matrix, baseline = sp.csr_matrix(values), ElasticNetBaseline(num_features=20, steps=6)
    state = baseline.fit(BaselineProblem(matrix[:200], matrix[200:250], labels[:200], labels[200:250], 3, 0))
    assert (baseline.predict(state, matrix[250:]).argmax(axis=1) == labels[250:]).mean() > 0.7
    assert (np.abs(state["weights"]).sum(axis=1) > 0).sum() <= 20


def test_a_covariate_that_is_given_large_is_hardly_shrunken():
    values, _, rng = planted()
    covariate = rng.normal(size=300)
    labels = covariate + 0.1 * rng.normal(size=300)
    matrix = sp.csr_matrix(np.column_stack([values, 10 * covariate]))
    problem = BaselineProblem(matrix[:200], matrix[200:], labels[:200], labels[200:], 0, 0, num_covariates=1)
    state = ElasticNetBaseline(num_features=5).fit(problem)
    assert state["weights"].shape == (81,)
    assert state["weights"][80] == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("is_classes", [False, True])
def test_the_path_reaches_weak_features_beside_a_strong_covariate(is_classes):
    """Path of two decades below the covariate's strength, which is stored ten times as large, ends before any variant enters."""
    values, _, rng = planted(600, 60)
    effects = np.where(np.arange(60) < 30, rng.normal(size=60), 0.0)
    signal = (values - values.mean(axis=0)) @ effects
    signal, covariate = signal / signal.std(), rng.normal(size=600)
    labels = 0.5 * signal + (2 * covariate if is_classes else covariate) + 0.3 * rng.normal(size=600)
    labels = (labels > 0).astype(np.int64) if is_classes else labels
    matrix = sp.csr_matrix(np.column_stack([values, 10 * covariate]))
    problem = BaselineProblem(matrix[:400], matrix[400:], labels[:400], labels[400:], 2 * is_classes, 0, num_covariates=1)
    baseline = ElasticNetBaseline(steps=8)
    chosen = baseline._chosen(problem, problem.train, problem.train_labels)
    path = [
        state["weights"] for _, state in baseline._path(problem, chosen, problem.train, problem.train_labels, baseline._shares())
    ]
    counts = [np.count_nonzero(np.abs(weights.reshape(len(weights), -1)[:60]).max(axis=1) > 1e-9) for weights in path]
    assert counts[0] <= 3
    assert counts[-1] >= 50
    weights = baseline.fit(problem)["weights"]
    weights = weights[:, 1] - weights[:, 0] if is_classes else weights
    assert np.corrcoef(weights[:60], effects)[0, 1] > (0.7 if is_classes else 0.95)


def test_marginal_scores_are_squared_correlations_beyond_covariates():
    rng = np.random.default_rng(1)
    values, covariate = rng.normal(size=(50, 3)), rng.normal(size=50)
    labels = values[:, 0] + 3 * covariate
    found = _marginal_scores(sp.csr_matrix(np.column_stack([values, covariate])), labels, 3, is_classes=False)
    fixed = np.column_stack([np.ones(50), covariate])

    def outside(column):
        return column - fixed @ np.linalg.lstsq(fixed, column, rcond=None)[0]

    expected = [np.corrcoef(outside(values[:, place]), outside(labels))[0, 1] ** 2 for place in range(3)]
    np.testing.assert_allclose(found, expected)
    assert found[0] == pytest.approx(1)
