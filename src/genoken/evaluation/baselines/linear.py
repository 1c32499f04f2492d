"""Logistic or ridge regression on the same features: the rival to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineProblem, Task
from genoken.evaluation.baselines import _linear
from genoken.evaluation.baselines._tuning import final_part, with_validation

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse as sp


@settings
class LinearBaseline(Baseline):
    """Multinomial logistic regression, or ridge regression; penalty, scaling and class weights are tuned on validation."""

    penalties: tuple[float, ...] = _linear.PENALTIES
    """Grid of the squared penalty λ on the weights (scikit-learn's alpha, and 1 / C)."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")

    def fit(self, problem: BaselineProblem) -> Mapping[str, np.ndarray]:
        """Return ``weights`` and ``intercept`` of the model that was best on validation."""
        final, final_labels = final_part(problem)
        problem = with_validation(problem)
        linear = _linear.LinearProblem(
            problem.train, problem.val, problem.train_labels, problem.val_labels, final, final_labels, problem.num_classes
        )
        return _linear.fit_linear(linear, self.penalties)

    def predict(self, state: Mapping[str, np.ndarray], values: sp.csr_matrix) -> np.ndarray:
        """Return probabilities (samples, classes) or values (samples,)."""
        return _linear.predict_linear(state, values)
