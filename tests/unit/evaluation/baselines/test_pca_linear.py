"""Principal components and a linear model: the components are scikit-learn's, learned on train."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from genoken.core.contracts import BaselineProblem
from genoken.evaluation.baselines._components import principal_components
from genoken.evaluation.baselines.pca_linear import PcaLinearBaseline


def test_components_of_a_sparse_matrix_are_those_of_the_dense_one():
    rng = np.random.default_rng(0)
    values = rng.poisson(0.5, (60, 25)).astype(np.float32) * np.arange(1, 26, dtype=np.float32)
    components = principal_components(sp.csr_matrix(values[:40]), 5, 0)
    pca = PCA(n_components=5, svd_solver="full").fit(values[:40].astype(np.float64))
    for dense in (values[:40], values[40:]):
        found = components.scores(sp.csr_matrix(dense))
        expected = pca.transform(dense)
        assert np.abs(found) == pytest.approx(np.abs(expected), abs=1e-6)


def test_components_are_no_more_than_samples_and_features():
    components = principal_components(sp.csr_matrix(np.eye(4)), 50, 0)
    assert components.scores(sp.csr_matrix(np.eye(4))).shape == (4, 4)
    assert components.scores(sp.csr_matrix((2, 4))).shape == (2, 4)
    constant = sp.csr_matrix(np.ones((3, 1)))
    assert principal_components(constant, 50, 0).scores(constant).tolist() == [[0.0]] * 3


def test_a_single_component_that_carries_the_label_is_enough(predicted):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 200)
    values = rng.normal(0, 0.1, (200, 30)) + codes[:, None] * np.linspace(-1, 1, 30)
    matrix = sp.csr_matrix(values)
    problem = BaselineProblem(matrix[:100], matrix[100:140], codes[:100], codes[100:140], 2, 0)
    found = predicted(PcaLinearBaseline(num_components=1), problem, matrix[140:])
    assert (found.argmax(axis=1) == codes[140:]).all()


def test_both_linear_maps_are_one_on_the_features_themselves():
    rng = np.random.default_rng(0)
    values = rng.poisson(1.0, (80, 12)).astype(np.float64)
    labels = values @ rng.normal(size=12)
    problem = BaselineProblem(sp.csr_matrix(values[:60]), sp.csr_matrix(values[60:]), labels[:60], labels[60:], 0, 0)
    state = PcaLinearBaseline(num_components=4, penalties=(2.0,)).fit(problem)
    pca = PCA(n_components=4, svd_solver="full").fit(values[:60])
    scores = pca.transform(values[:60])
    models = [(Ridge(alpha=2.0).fit(scores / scale, labels[:60]), scale) for scale in (np.ones(4), scores.std(axis=0))]
    model, scale = min(models, key=lambda item: ((item[0].predict(pca.transform(values[60:]) / item[1]) - labels[60:]) ** 2).mean())
    expected = model.predict(pca.transform(values[60:]) / scale)
    assert set(state) == {"weights", "intercept"}
    assert state["weights"].shape == (12,)
    assert values[60:] @ state["weights"] + state["intercept"] == pytest.approx(expected, abs=1e-6)
