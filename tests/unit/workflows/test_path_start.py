"""The linear path by restricted maximum likelihood: the polygenic model's weights, and fits that have not seen a family."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.contracts import BaselineProblem
from genoken.evaluation.baselines.gblup import GblupBaseline
from genoken.workflows.path_start import reml_path


@pytest.fixture(scope="module")
def study() -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    """60 people of 12 families, 40 variants, a trait that half of them act on."""
    rng = np.random.default_rng(3)
    copies = rng.binomial(2, 0.4, size=(60, 40)).astype(np.float32)
    trait = copies[:, :20] @ rng.normal(size=20) + rng.normal(size=60)
    return sp.csr_matrix(copies), trait, np.repeat(np.arange(12), 5).astype(str)


def gblup(values: sp.csr_matrix, trait: np.ndarray) -> tuple[np.ndarray, float]:
    state = GblupBaseline().fit(BaselineProblem(values, values[:0], trait, trait[:0], num_classes=0, seed=0))
    return state["weights"], float(state["intercept"])


def test_each_fit_is_the_polygenic_model_of_the_families_that_it_has_seen(study):
    values, trait, families = study
    path = reml_path(values, trait, families, seed=1)
    by_family = path.fold_of_sample.reshape(12, 5)
    assert (by_family == by_family[:, :1]).all()
    assert sorted(np.unique(by_family[:, 0], return_counts=True)[1].tolist()) == [2, 2, 2, 3, 3]
    weights, intercept = gblup(values, trait)
    assert abs(weights).max() > 0.1
    np.testing.assert_array_equal(path.weights[:, 0], weights)
    np.testing.assert_array_equal(path.intercept, [intercept])
    for fold in range(5):
        seen = path.fold_of_sample != fold
        weights, intercept = gblup(values[seen], trait[seen])
        np.testing.assert_array_equal(path.fold_weights[fold, :, 0], weights)
        np.testing.assert_array_equal(path.fold_intercepts[fold], [intercept])


def test_one_family_cannot_be_divided(study):
    values, trait, _ = study
    path = reml_path(values, trait, np.full(60, "same"), seed=1)
    assert path.fold_weights.shape == (0, 40, 1)
    assert path.fold_intercepts.shape == (0, 1)
    assert not path.fold_of_sample.any()
