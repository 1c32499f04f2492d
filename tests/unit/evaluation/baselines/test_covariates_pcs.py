"""Covariates and components: probabilities that follow both, and nothing else."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import log_loss

from genoken.core.contracts import BaselineProblem
from genoken.evaluation.baselines.covariates_pcs import CovariatesPcsBaseline
from genoken.evaluation.baselines.linear import LinearBaseline


def test_a_class_that_covariate_and_component_decide_together_is_told():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(300, 2))
    labels = (columns[:, 0] + columns[:, 1] > 0).astype(int)
    matrix, baseline = sp.csr_matrix(columns), CovariatesPcsBaseline(penalties=(1.0, 0.1))
    state = baseline.fit(BaselineProblem(matrix[:150], matrix[150:200], labels[:150], labels[150:200], 2, 0))
    difference = state["weights"][:, 1] - state["weights"][:, 0]
    assert 0.8 < difference[0] / difference[1] < 1.25
    assert (baseline.predict(state, matrix[200:]).argmax(axis=1) == labels[200:]).mean() > 0.95
    assert baseline.uses == "covariates_pcs"


def test_classes_are_tuned_by_log_loss_so_that_an_offset_is_not_too_sure_of_itself():
    rng = np.random.default_rng(6)
    columns = rng.normal(size=(120, 15))
    labels = (columns[:, 0] + 2 * rng.normal(size=120) > 0).astype(int)
    matrix = sp.csr_matrix(columns)
    problem = BaselineProblem(matrix[:40], matrix[40:], labels[:40], labels[40:], 2, 0)

    def loss(baseline) -> float:
        return float(log_loss(labels[40:], baseline.predict(baseline.fit(problem), matrix[40:])))

    penalties = (1e3, 1e2, 1e1, 1.0, 1e-1)
    alone = [loss(CovariatesPcsBaseline(penalties=(penalty,))) for penalty in penalties]
    tuned = loss(CovariatesPcsBaseline(penalties=penalties))
    assert tuned <= min(alone) + 1e-3
    assert loss(LinearBaseline(penalties=penalties)) > tuned + 0.02  # which is tuned by macro-F1
