"""Logistic or ridge regression on principal components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineColumns, BaselineProblem, Task
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
    uses: ClassVar[BaselineColumns] = "both"

    def fit(self, problem: BaselineProblem) -> Mapping[str, np.ndarray]:
        """Return ``weights`` on the features (and covariates) themselves, in which both linear maps are one, and ``intercept``."""
        import numpy as np

        final, final_labels = final_part(problem)
        problem = with_validation(problem)
        count = problem.num_features
        components = self._components(problem.train[:, :count], problem.seed)
        train = _reduced(components, problem.train)
        of_final = components if final is problem.train else self._components(final[:, :count], problem.seed)
        linear = _linear.LinearProblem(
            train=train,
            val=_reduced(components, problem.val),
            train_labels=problem.train_labels,
            val_labels=problem.val_labels,
            final=train if final is problem.train else _reduced(of_final, final),
            final_labels=final_labels,
            num_classes=problem.num_classes,
            num_covariates=problem.num_covariates,
        )
        state = _linear.fit_linear(linear, self.penalties)
        num_components = len(of_final.axes)
        of_components, of_covariates = state["weights"][:num_components], state["weights"][num_components:]
        return {
            "weights": np.concatenate([of_final.axes.T @ of_components, of_covariates]),
            "intercept": state["intercept"] - of_final.offset @ of_components,
        }

    def _components(self, values: sp.csr_matrix, seed: int) -> _components.Components:
        return _components.principal_components(values, self.num_components, sklearn_seed(seed, "pca_linear"))

    def predict(self, state: Mapping[str, np.ndarray], values: sp.csr_matrix) -> np.ndarray:
        """Return probabilities (samples, classes) or values (samples,)."""
        return _linear.predict_linear(state, values)


def _reduced(components: _components.Components, values: sp.csr_matrix) -> np.ndarray:
    """Return scores (samples, components) of the features, and behind them the covariates as they are."""
    import numpy as np

    count = components.axes.shape[1]
    return np.hstack([components.scores(values[:, :count]), values[:, count:].toarray()])
