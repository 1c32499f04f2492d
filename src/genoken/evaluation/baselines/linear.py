"""Logistic or ridge regression on the same features: the rival to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineProblem, Task
from genoken.evaluation.baselines import _linear
from genoken.evaluation.baselines._tuning import with_validation

if TYPE_CHECKING:
    import numpy as np


@settings
class LinearBaseline(Baseline):
    """Multinomial logistic regression, or ridge regression; penalty, scaling and class weights are tuned on validation."""

    penalties: tuple[float, ...] = _linear.PENALTIES
    """Grid of the squared penalty λ on the weights (scikit-learn's alpha, and 1 / C)."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")

    def fit_predict(self, problem: BaselineProblem) -> np.ndarray:
        """Return test probabilities (samples, classes) or values (samples,) of the model that was best on validation."""
        problem = with_validation(problem)
        parts = (problem.train, problem.val, problem.test)
        if problem.num_classes:
            return _linear.linear_probabilities(
                parts, problem.train_labels, problem.val_labels, problem.num_classes, self.penalties
            )
        return _linear.linear_values(parts, problem.train_labels, problem.val_labels, self.penalties)
