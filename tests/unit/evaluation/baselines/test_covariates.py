"""Covariates alone: a line through them, whatever else there is."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genoken.core.contracts import BaselineProblem
from genoken.evaluation.baselines.covariates import CovariatesBaseline


def test_a_number_that_covariates_decide_is_predicted():
    rng = np.random.default_rng(0)
    covariates = rng.normal(size=(120, 2))
    labels = 3 + 2 * covariates[:, 0] - covariates[:, 1]
    matrix, baseline = sp.csr_matrix(covariates), CovariatesBaseline()
    state = baseline.fit(BaselineProblem(matrix[:60], matrix[60:90], labels[:60], labels[60:90], 0, 0))
    np.testing.assert_allclose(state["weights"], [2, -1], atol=1e-3)
    np.testing.assert_allclose(baseline.predict(state, matrix[90:]), labels[90:], atol=1e-2)
    assert baseline.uses == "covariates"
