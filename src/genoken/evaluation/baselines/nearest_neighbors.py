"""The labels of the most similar train samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineProblem, Task
from genoken.evaluation.baselines import _components, _tuning
from genoken.evaluation.baselines._seed import sklearn_seed

if TYPE_CHECKING:
    import numpy as np

_NEGLIGIBLE = 1e-9


@settings
class NearestNeighborsBaseline(Baseline):
    """The k nearest train samples by Euclidean distance between principal components.

    Tuned on validation: k, whether the components are standardized, and whether near neighbors count more (by 1 / distance).
    """

    neighbors: tuple[int, ...] = (5, 15, 30)
    """Numbers of neighbors to choose from; those beyond the train samples count as all of them."""
    num_components: int = 50
    """Number of principal components."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")

    def fit_predict(self, problem: BaselineProblem) -> np.ndarray:
        """Return test probabilities (samples, classes) or values (samples,) of the settings that were best on validation."""
        import numpy as np

        problem = _tuning.with_validation(problem)
        train, val, test = _components.principal_components(
            problem.train, (problem.val, problem.test), self.num_components, sklearn_seed(problem.seed, "nearest_neighbors")
        )
        score = _tuning.score_classes if problem.num_classes else _tuning.score_values
        deviation = train.std(axis=0)
        deviation[deviation <= _NEGLIGIBLE * deviation.max()] = 1.0
        best_score, best_model, best_scale = (-np.inf, -np.inf), None, deviation
        for scale in (np.ones_like(deviation), deviation):
            for count in sorted({min(count, len(train)) for count in self.neighbors}):
                for weights in ("uniform", "distance"):
                    model = _model(problem, count, weights).fit(train / scale, problem.train_labels)
                    found = score(problem.val_labels, _predict(model, val / scale, problem.num_classes))
                    if found > best_score:
                        best_score, best_model, best_scale = found, model, scale
        return _predict(best_model, test / best_scale, problem.num_classes)


def _model(problem: BaselineProblem, count: int, weights: str) -> Any:
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    return (KNeighborsClassifier if problem.num_classes else KNeighborsRegressor)(n_neighbors=count, weights=weights)


def _predict(model: Any, features: np.ndarray, num_classes: int) -> np.ndarray:
    if num_classes:
        return _tuning.all_columns(model.predict_proba(features), model.classes_, num_classes)
    return model.predict(features)
