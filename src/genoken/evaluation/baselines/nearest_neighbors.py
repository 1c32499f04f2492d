"""The labels of the most similar train samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineProblem, Task
from genoken.evaluation.baselines import _components, _tuning
from genoken.evaluation.baselines._seed import sklearn_seed

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse as sp

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

    def fit(self, problem: BaselineProblem) -> Mapping[str, np.ndarray]:
        """Return the samples to search among, in components, with their labels, and the settings that were best on validation.

        ``axes`` (components, features), ``offset`` and ``scale`` (components,) map a sample's values to components, ``scores``
        (samples, components) and ``labels`` (samples,) are the known samples; ``neighbors``, ``by_distance`` and ``num_classes``
        are single numbers.
        """
        import numpy as np

        values, labels = _tuning.final_part(problem)
        problem = _tuning.with_validation(problem)
        components = self._components(problem.train, problem.seed)
        train = components.scores(problem.train)
        count, by_distance, is_scaled = self._tuned(problem, train, components.scores(problem.val))
        if values is not problem.train:
            components = self._components(values, problem.seed)
            train = components.scores(values)
        scale = _deviation(train) if is_scaled else np.ones(train.shape[1])
        return {
            "axes": components.axes,
            "offset": components.offset,
            "scale": scale,
            "scores": train / scale,
            "labels": labels,
            "neighbors": np.asarray(count),
            "by_distance": np.asarray(by_distance),
            "num_classes": np.asarray(problem.num_classes),
        }

    def _components(self, values: sp.csr_matrix, seed: int) -> _components.Components:
        return _components.principal_components(values, self.num_components, sklearn_seed(seed, "nearest_neighbors"))

    def _tuned(self, problem: BaselineProblem, train: np.ndarray, val: np.ndarray) -> tuple[int, bool, bool]:
        """Return the best number of neighbors, whether they are weighted by distance, and whether components are standardized."""
        import numpy as np

        score = _tuning.score_classes if problem.num_classes else _tuning.score_values
        deviation = _deviation(train)
        best_score, best = (-np.inf, -np.inf), (1, False, False)
        for is_scaled, scale in ((False, np.ones_like(deviation)), (True, deviation)):
            for count in sorted({min(count, len(train)) for count in self.neighbors}):
                for by_distance in (False, True):
                    model = _model(problem.num_classes, count, by_distance=by_distance).fit(train / scale, problem.train_labels)
                    found = score(problem.val_labels, _predicted(model, val / scale, problem.num_classes))
                    if found > best_score:
                        best_score, best = found, (count, by_distance, is_scaled)
        return best

    def predict(self, state: Mapping[str, np.ndarray], values: sp.csr_matrix) -> np.ndarray:
        """Return probabilities (samples, classes) or values (samples,) from the nearest of the known samples."""
        num_classes = int(state["num_classes"])
        model = _model(num_classes, int(state["neighbors"]), by_distance=bool(state["by_distance"]))
        model.fit(state["scores"], state["labels"])
        scores = _components.Components(state["axes"], state["offset"]).scores(values)
        return _predicted(model, scores / state["scale"], num_classes)


def _deviation(scores: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each component, 1 for those that hardly vary."""
    deviation = scores.std(axis=0)
    deviation[deviation <= _NEGLIGIBLE * deviation.max()] = 1.0
    return deviation


def _model(num_classes: int, count: int, *, by_distance: bool) -> Any:
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    kind = KNeighborsClassifier if num_classes else KNeighborsRegressor
    return kind(n_neighbors=count, weights="distance" if by_distance else "uniform")


def _predicted(model: Any, features: np.ndarray, num_classes: int) -> np.ndarray:
    if num_classes:
        return _tuning.all_columns(model.predict_proba(features), model.classes_, num_classes)
    return model.predict(features)
