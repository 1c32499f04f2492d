"""Boosted trees: what a linear model cannot see, features by variance, rounds by validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from genoken.core.contracts import BaselineProblem
from genoken.evaluation.baselines.boosting import BoostingBaseline, _most_variable
from genoken.evaluation.baselines.linear import LinearBaseline


def interaction():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2, (600, 4)).astype(np.float32)
    codes = (values[:, 0] != values[:, 1]).astype(int)
    matrix = sp.csr_matrix(values + rng.normal(0, 0.05, values.shape))
    return BaselineProblem(matrix[:300], matrix[300:400], codes[:300], codes[300:400], 2, 0), matrix[400:], codes[400:]


def test_sees_an_interaction_that_a_linear_model_does_not(predicted):
    problem, test, codes = interaction()
    found = predicted(BoostingBaseline(max_trees=60), problem, test)
    assert (found.argmax(axis=1) == codes).mean() > 0.9
    assert (predicted(LinearBaseline(penalties=(1.0,)), problem, test).argmax(axis=1) == codes).mean() < 0.7


def test_uses_the_features_of_highest_variance():
    values = np.array([[0, 9, 1, 5], [0, 1, 2, 5], [0, 5, 3, 6]], dtype=np.float32)
    assert _most_variable(sp.csr_matrix(values), 2, 0).tolist() == [1, 2]
    assert _most_variable(sp.csr_matrix(values), 1, 1).tolist() == [1, 3]  # the last one is a covariate


def test_validation_chooses_the_number_of_rounds(predicted):
    problem, test, _ = interaction()
    opposite = replace(problem, val_labels=1 - problem.val_labels)
    sure = predicted(BoostingBaseline(max_trees=20), problem, test).max(axis=1).mean()
    unsure = predicted(BoostingBaseline(max_trees=20), opposite, test).max(axis=1).mean()
    assert unsure < sure


def test_it_is_not_saved_because_its_trees_are_no_numbers():
    problem, _, _ = interaction()
    assert not BoostingBaseline.portable
    assert BoostingBaseline(max_trees=2).fit(problem)["model"].dtype == object
