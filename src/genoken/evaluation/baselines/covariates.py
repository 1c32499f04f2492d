"""Covariates without any feature: what a score has to go beyond."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineColumns, BaselineProblem, Task
from genoken.evaluation.baselines import _linear

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse as sp


@settings
class CovariatesBaseline(Baseline):
    """Multinomial logistic regression, or ridge regression, on the covariates alone, tuned on validation; classes by log-loss.

    Its linear predictor can be the fixed offset of the network's outputs, which must not be too sure of itself.
    """

    penalties: tuple[float, ...] = _linear.PENALTIES
    """Grid of the squared penalty λ on the weights (scikit-learn's alpha, and 1 / C)."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    uses: ClassVar[BaselineColumns] = "covariates"

    def fit(self, problem: BaselineProblem) -> Mapping[str, np.ndarray]:
        """Return ``weights`` and ``intercept`` of the model that was best on validation."""
        return _linear.fit_columns(problem, self.penalties, tuned_by="log_loss")

    def predict(self, state: Mapping[str, np.ndarray], values: sp.csr_matrix) -> np.ndarray:
        """Return probabilities (samples, classes) or values (samples,)."""
        return _linear.predict_linear(state, values)
