"""Logistic or ridge regression on principal components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineProblem, Task
from genoken.evaluation.baselines import _components, _linear
from genoken.evaluation.baselines._seed import sklearn_seed
from genoken.evaluation.baselines._tuning import final_part, with_validation

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse as sp


@settings
class PcaLinearBaseline(Baseline):
    """Principal components of the train split, then logistic or ridge regression, tuned on validation like the linear baseline."""

    num_components: int = 50
    """Number of principal components."""
    penalties: tuple[float, ...] = _linear.PENALTIES
    """Grid of the squared penalty λ on the weights (scikit-learn's alpha, and 1 / C)."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")

    def fit(self, problem: BaselineProblem) -> Mapping[str, np.ndarray]:
        """Return ``weights`` on the features themselves, in which both linear maps are one, and ``intercept``."""
        final, final_labels = final_part(problem)
        problem = with_validation(problem)
        components = self._components(problem.train, problem.seed)
        train = components.scores(problem.train)
        of_final = components if final is problem.train else self._components(final, problem.seed)
        linear = _linear.LinearProblem(
            train=train,
            val=components.scores(problem.val),
            train_labels=problem.train_labels,
            val_labels=problem.val_labels,
            final=train if final is problem.train else of_final.scores(final),
            final_labels=final_labels,
            num_classes=problem.num_classes,
        )
        state = _linear.fit_linear(linear, self.penalties)
        return {
            "weights": of_final.axes.T @ state["weights"],
            "intercept": state["intercept"] - of_final.offset @ state["weights"],
        }

    def _components(self, values: sp.csr_matrix, seed: int) -> _components.Components:
        return _components.principal_components(values, self.num_components, sklearn_seed(seed, "pca_linear"))

    def predict(self, state: Mapping[str, np.ndarray], values: sp.csr_matrix) -> np.ndarray:
        """Return probabilities (samples, classes) or values (samples,)."""
        return _linear.predict_linear(state, values)
