"""Logistic or ridge regression on principal components."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineProblem, Task
from genoken.evaluation.baselines import _components, _linear
from genoken.evaluation.baselines._seed import sklearn_seed
from genoken.evaluation.baselines._tuning import with_validation

if TYPE_CHECKING:
    import numpy as np


@settings
class PcaLinearBaseline(Baseline):
    """Principal components of the train split, then logistic or ridge regression, tuned on validation like the linear baseline."""

    num_components: int = 50
    """Number of principal components."""
    penalties: tuple[float, ...] = _linear.PENALTIES
    """Grid of the squared penalty λ on the weights (scikit-learn's alpha, and 1 / C)."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")

    def fit_predict(self, problem: BaselineProblem) -> np.ndarray:
        """Return test probabilities (samples, classes) or values (samples,) of the model that was best on validation."""
        problem = with_validation(problem)
        train, val, test = _components.principal_components(
            problem.train, (problem.val, problem.test), self.num_components, sklearn_seed(problem.seed, "pca_linear")
        )
        parts = (train, val, test)
        if problem.num_classes:
            return _linear.linear_probabilities(
                parts, problem.train_labels, problem.val_labels, problem.num_classes, self.penalties
            )
        return _linear.linear_values(parts, problem.train_labels, problem.val_labels, self.penalties)
