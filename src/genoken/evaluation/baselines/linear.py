"""Logistic or ridge regression on the same features: the rival to beat."""

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
class LinearBaseline(Baseline):
    """Multinomial logistic regression, or ridge regression; penalty, scaling and class weights are tuned on validation."""

    penalties: tuple[float, ...] = _linear.PENALTIES
    """Grid of the squared penalty λ on the weights (scikit-learn's alpha, and 1 / C)."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    uses: ClassVar[BaselineColumns] = "both"

    def fit(self, problem: BaselineProblem) -> Mapping[str, np.ndarray]:
        """Return ``weights`` and ``intercept`` of the model that was best on validation."""
        return _linear.fit_columns(problem, self.penalties)

    def predict(self, state: Mapping[str, np.ndarray], values: sp.csr_matrix) -> np.ndarray:
        """Return probabilities (samples, classes) or values (samples,)."""
        return _linear.predict_linear(state, values)
