"""Gradient-boosted trees on the most variable features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineColumns, BaselineProblem, Task
from genoken.evaluation.baselines import _tuning
from genoken.evaluation.baselines._seed import sklearn_seed

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse as sp


@settings
class BoostingBaseline(Baseline):
    """Histogram gradient boosting; the number of trees is chosen on validation. Slow with many classes, so not a default.

    scikit-learn offers no way to its trees but private ones, so they are not saved with a run.
    """

    num_features: int = 500
    """Features of highest variance in train that the trees see, beside all covariates."""
    max_trees: int = 100
    """Largest number of boosting rounds."""
    learning_rate: float = 0.1
    """Shrinkage of each round."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    uses: ClassVar[BaselineColumns] = "both"
    portable: ClassVar[bool] = False

    def fit(self, problem: BaselineProblem) -> Mapping[str, np.ndarray]:
        """Return the ``model`` (a Python object), how many ``rounds`` were best on validation, and the ``columns`` it sees."""
        import numpy as np

        values, labels = _tuning.final_part(problem)
        problem = _tuning.with_validation(problem)
        known = {"num_classes": np.asarray(problem.num_classes)}
        if problem.num_classes and len(np.unique(problem.train_labels)) == 1:
            return known | {"only_class": problem.train_labels[:1]}
        columns = _most_variable(problem.train, self.num_features, problem.num_covariates)
        model = self._model(problem).fit(problem.train[:, columns].toarray(), problem.train_labels)
        score = _tuning.score_classes if problem.num_classes else _tuning.score_values
        staged = _stages(model, problem.val[:, columns].toarray(), problem.num_classes)
        scores = [score(problem.val_labels, found) for found in staged]
        best = max(range(len(scores)), key=lambda stage: scores[stage])
        if values is not problem.train:
            columns = _most_variable(values, self.num_features, problem.num_covariates)
            model = self._model(problem).fit(values[:, columns].toarray(), labels)
        held = np.empty((), dtype=object)
        held[()] = model
        return known | {"model": held, "rounds": np.asarray(best + 1), "columns": columns}

    def predict(self, state: Mapping[str, np.ndarray], values: sp.csr_matrix) -> np.ndarray:
        """Return probabilities (samples, classes) or values (samples,) after as many rounds as were best on validation."""
        import numpy as np

        num_classes = int(state["num_classes"])
        if "only_class" in state:
            return _tuning.all_columns(np.ones((values.shape[0], 1)), state["only_class"], num_classes)
        staged = _stages(state["model"].item(), values[:, state["columns"]].toarray(), num_classes)
        return next(found for stage, found in enumerate(staged, start=1) if stage == state["rounds"])

    def _model(self, problem: BaselineProblem) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        kind = HistGradientBoostingClassifier if problem.num_classes else HistGradientBoostingRegressor
        return kind(
            max_iter=self.max_trees,
            learning_rate=self.learning_rate,
            early_stopping=False,
            random_state=sklearn_seed(problem.seed, "boosting"),
        )


def _most_variable(train: Any, count: int, num_covariates: int) -> np.ndarray:
    """Return the columns of the features that vary most, and of all covariates, which stand last."""
    import numpy as np
    from sklearn.utils.sparsefuncs import mean_variance_axis

    num_features = train.shape[1] - num_covariates
    _, variance = mean_variance_axis(train[:, :num_features].astype(np.float64), axis=0)
    return np.append(np.sort(np.argsort(-variance, kind="stable")[:count]), np.arange(num_features, train.shape[1]))


def _stages(model: Any, features: np.ndarray, num_classes: int) -> Any:
    if not num_classes:
        return model.staged_predict(features)
    return (_tuning.all_columns(found, model.classes_, num_classes) for found in model.staged_predict_proba(features))
