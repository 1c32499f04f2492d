"""Principal components and a linear model: the components are scikit-learn's, learned on train."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import PCA

from genoken.core.contracts import BaselineProblem
from genoken.evaluation.baselines._components import principal_components
from genoken.evaluation.baselines.pca_linear import PcaLinearBaseline


def test_components_of_a_sparse_matrix_are_those_of_the_dense_one():
    rng = np.random.default_rng(0)
    values = rng.poisson(0.5, (60, 25)).astype(np.float32) * np.arange(1, 26, dtype=np.float32)
    train, other = principal_components(sp.csr_matrix(values[:40]), (sp.csr_matrix(values[40:]),), 5, 0)
    pca = PCA(n_components=5, svd_solver="full").fit(values[:40].astype(np.float64))
    for found, dense in ((train, values[:40]), (other, values[40:])):
        expected = pca.transform(dense)
        assert np.abs(found) == pytest.approx(np.abs(expected), abs=1e-6)


def test_components_are_no_more_than_samples_and_features():
    train, other = principal_components(sp.csr_matrix(np.eye(4)), (sp.csr_matrix((2, 4)),), 50, 0)
    assert train.shape == (4, 4)
    assert other.shape == (2, 4)
    assert principal_components(sp.csr_matrix(np.ones((3, 1))), (), 50, 0)[0].shape == (3, 1)


def test_a_single_component_that_carries_the_label_is_enough():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 200)
    values = rng.normal(0, 0.1, (200, 30)) + codes[:, None] * np.linspace(-1, 1, 30)
    matrix = sp.csr_matrix(values)
    problem = BaselineProblem(matrix[:100], matrix[100:140], matrix[140:], codes[:100], codes[100:140], 2, 0)
    found = PcaLinearBaseline(num_components=1).fit_predict(problem)
    assert (found.argmax(axis=1) == codes[140:]).all()
