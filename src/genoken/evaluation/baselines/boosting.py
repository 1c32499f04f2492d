"""Gradient-boosted trees on the most variable features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineProblem, Task
from genoken.evaluation.baselines import _tuning
from genoken.evaluation.baselines._seed import sklearn_seed

if TYPE_CHECKING:
    import numpy as np


@settings
class BoostingBaseline(Baseline):
    """Histogram gradient boosting; the number of trees is chosen on validation. Slow with many classes, so not a default."""

    num_features: int = 500
    """Features of highest variance in train that the trees see."""
    max_trees: int = 100
    """Largest number of boosting rounds."""
    learning_rate: float = 0.1
    """Shrinkage of each round."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")

    def fit_predict(self, problem: BaselineProblem) -> np.ndarray:
        """Return test probabilities (samples, classes) or values (samples,) after as many rounds as were best on validation."""
        import numpy as np

        problem = _tuning.with_validation(problem)
        if problem.num_classes and len(np.unique(problem.train_labels)) == 1:
            only = np.unique(problem.train_labels)
            return _tuning.all_columns(np.ones((problem.test.shape[0], 1)), only, problem.num_classes)
        columns = _most_variable(problem.train, self.num_features)
        train, val, test = (part[:, columns].toarray() for part in (problem.train, problem.val, problem.test))
        model = self._model(problem).fit(train, problem.train_labels)
        score = _tuning.score_classes if problem.num_classes else _tuning.score_values
        scores = [score(problem.val_labels, found) for found in _stages(model, val, problem.num_classes)]
        best = max(range(len(scores)), key=lambda stage: scores[stage])
        return next(found for stage, found in enumerate(_stages(model, test, problem.num_classes)) if stage == best)

    def _model(self, problem: BaselineProblem) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        kind = HistGradientBoostingClassifier if problem.num_classes else HistGradientBoostingRegressor
        return kind(
            max_iter=self.max_trees,
            learning_rate=self.learning_rate,
            early_stopping=False,
            random_state=sklearn_seed(problem.seed, "boosting"),
        )


def _most_variable(train: Any, count: int) -> np.ndarray:
    import numpy as np
    from sklearn.utils.sparsefuncs import mean_variance_axis

    _, variance = mean_variance_axis(train.astype(np.float64), axis=0)
    return np.sort(np.argsort(-variance, kind="stable")[:count])


def _stages(model: Any, features: np.ndarray, num_classes: int) -> Any:
    if not num_classes:
        return model.staged_predict(features)
    return (_tuning.all_columns(found, model.classes_, num_classes) for found in model.staged_predict_proba(features))
