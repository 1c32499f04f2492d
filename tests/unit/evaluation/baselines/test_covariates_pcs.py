"""Covariates and components: probabilities that follow both, and nothing else."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genoken.core.contracts import BaselineProblem
from genoken.evaluation.baselines.covariates_pcs import CovariatesPcsBaseline


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
