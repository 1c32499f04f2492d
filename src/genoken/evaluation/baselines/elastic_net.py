"""Elastic net on the features that go with the label most: a few effects, most of them zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineColumns, BaselineProblem, Task
from genoken.evaluation.baselines import _linear, _tuning
from genoken.evaluation.baselines._seed import sklearn_seed

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse as sp

_NEGLIGIBLE = 1e-12
_TOLERANCE = 1e-3
_ITERATIONS = 100


@settings
class ElasticNetBaseline(Baseline):
    """Linear or multinomial logistic regression with a penalty of absolute and squared weights on standardized features.

    The features are those of the highest marginal score in train: the squared correlation with the label, or with the indicators
    of its classes, added up, after covariates are projected out of both. The strength of the penalty is the best on validation.
    """

    num_features: Annotated[int, Field(ge=1)] = 1_000
    """Features of the highest marginal score that are learned from, beside all covariates."""
    l1_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the penalty that is on absolute values."""
    steps: Annotated[int, Field(ge=2)] = 15
    """Strengths on the path, from the one at which no feature has a weight beside the covariates down to a hundredth of it, evenly
    in the logarithm."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    uses: ClassVar[BaselineColumns] = "both"

    def fit(self, problem: BaselineProblem) -> Mapping[str, np.ndarray]:
        """Return ``weights`` on features and covariates, and ``intercept``."""
        import numpy as np

        final, final_labels = _tuning.final_part(problem)
        present = np.unique(problem.train_labels)
        if problem.num_classes and len(present) == 1:
            return _linear.for_all_classes(np.zeros((1, final.shape[1])), np.zeros(1), present, problem.num_classes)
        problem = _tuning.with_validation(problem)
        chosen = self._chosen(problem, problem.train, problem.train_labels)
        val = chosen.matrix(problem.val)
        score = _tuning.score_classes if problem.num_classes else _tuning.score_values
        best_score, best = (-np.inf, -np.inf), {}
        best_share = 1.0
        for share, state in self._path(problem, chosen, problem.train, problem.train_labels, self._shares()):
            found = score(problem.val_labels, _linear.predict_linear(state, val))
            if found > best_score:
                best_score, best, best_share = found, state, share
        if final is not problem.train:
            chosen = self._chosen(problem, final, final_labels)
            shares = self._shares()
            *_, (_, best) = self._path(problem, chosen, final, final_labels, shares[shares >= best_share])
        return chosen.on_all_columns(best)

    def _shares(self) -> np.ndarray:
        import numpy as np

        return np.logspace(0, -2, self.steps)

    def _chosen(self, problem: BaselineProblem, values: sp.csr_matrix, labels: np.ndarray) -> _Chosen:
        """Return the columns of the highest marginal scores and of all covariates, with the moments to standardize features."""
        import numpy as np
        from sklearn.utils.sparsefuncs import mean_variance_axis

        scores = _marginal_scores(values, labels, problem.num_features, is_classes=bool(problem.num_classes))
        features = np.sort(np.argsort(-scores, kind="stable")[: self.num_features])
        columns = np.append(features, np.arange(problem.num_features, values.shape[1]))
        mean, variance = mean_variance_axis(values[:, columns].astype(np.float64), axis=0)
        deviation = np.sqrt(variance)
        deviation[deviation <= _NEGLIGIBLE] = 1.0
        deviation[len(features) :] = 1.0  # covariates are given large, so that the penalty hardly touches them
        return _Chosen(columns, values.shape[1], mean, deviation)

    def _path(
        self, problem: BaselineProblem, chosen: _Chosen, values: sp.csr_matrix, labels: np.ndarray, shares: np.ndarray
    ) -> Iterator[tuple[float, _linear.State]]:
        """Yield each strength, as a share of the largest, with the model that it gives; each starts from the one before."""
        matrix = chosen.matrix(values)
        path = self._classes_path if problem.num_classes else self._values_path
        return path(problem, matrix, labels, shares)

    def _values_path(
        self, problem: BaselineProblem, matrix: np.ndarray, labels: np.ndarray, shares: np.ndarray
    ) -> Iterator[tuple[float, _linear.State]]:
        import numpy as np
        from sklearn.linear_model import ElasticNet, LinearRegression

        features, covariates = _divided(matrix, problem.num_covariates)
        left = labels - labels.mean()
        if problem.num_covariates:
            left = labels - LinearRegression().fit(covariates, labels).predict(covariates)
        largest = max(float(np.abs(features.T @ left).max(initial=0.0)) / len(labels) / self.l1_ratio, _NEGLIGIBLE)
        model = ElasticNet(l1_ratio=self.l1_ratio, warm_start=True, tol=_TOLERANCE, max_iter=10 * _ITERATIONS)
        for share in shares:
            _fit_quietly(model.set_params(alpha=share * largest), matrix, labels)
            yield float(share), {"weights": model.coef_.copy(), "intercept": np.asarray(model.intercept_, dtype=np.float64)}

    def _classes_path(
        self, problem: BaselineProblem, matrix: np.ndarray, labels: np.ndarray, shares: np.ndarray
    ) -> Iterator[tuple[float, _linear.State]]:
        import numpy as np
        from sklearn.linear_model import LogisticRegression

        present = np.unique(labels)
        features, covariates = _divided(matrix, problem.num_covariates)
        chances = np.bincount(labels)[present] / len(labels)
        if problem.num_covariates:  # they are large: the default penalty, for classes that they tell apart, hardly touches them
            chances = LogisticRegression(max_iter=10 * _ITERATIONS).fit(covariates, labels).predict_proba(covariates)
        left = (labels[:, None] == present) - chances
        largest = max(float(np.abs(features.T @ left).max(initial=0.0)) / self.l1_ratio, _NEGLIGIBLE)
        model = LogisticRegression(
            l1_ratio=self.l1_ratio, solver="saga", warm_start=True, tol=_TOLERANCE, max_iter=_ITERATIONS,
            random_state=sklearn_seed(problem.seed, "elastic_net"),
        )  # fmt: skip
        for share in shares:
            _fit_quietly(model.set_params(C=1.0 / (share * largest)), matrix, labels)
            weights, intercept = model.coef_, model.intercept_
            if len(weights) == 1:  # of two classes scikit-learn keeps the second one's log-odds
                weights, intercept = np.vstack([np.zeros_like(weights), weights]), np.append(0.0, intercept)
            yield float(share), _linear.for_all_classes(weights.copy(), intercept.copy(), present, problem.num_classes)

    def predict(self, state: Mapping[str, np.ndarray], values: sp.csr_matrix) -> np.ndarray:
        """Return probabilities (samples, classes) or values (samples,)."""
        return _linear.predict_linear(state, values)


@dataclass(frozen=True)
class _Chosen:
    """The columns that are learned from, how many there are in all, and the moments that standardize them."""

    columns: np.ndarray
    num_columns: int
    mean: np.ndarray
    deviation: np.ndarray

    def matrix(self, values: sp.csr_matrix) -> np.ndarray:
        """Return the chosen columns, standardized, float64 (samples, columns)."""
        return (values[:, self.columns].toarray() - self.mean) / self.deviation

    def on_all_columns(self, state: Mapping[str, np.ndarray]) -> _linear.State:
        """Return the same model of all columns as they are given."""
        import numpy as np

        per_unit = (state["weights"].T / self.deviation).T
        weights = np.zeros((self.num_columns, *per_unit.shape[1:]))
        weights[self.columns] = per_unit
        return {"weights": weights, "intercept": np.asarray(state["intercept"] - self.mean @ per_unit)}


def _divided(matrix: np.ndarray, num_covariates: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features and covariates, which stand last."""
    num_features = matrix.shape[1] - num_covariates
    return matrix[:, :num_features], matrix[:, num_features:]


def _fit_quietly(model: Any, matrix: np.ndarray, labels: np.ndarray) -> None:
    """Fit a model of a path; one that has not converged is judged on validation as it is."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(matrix, labels)


def _marginal_scores(values: sp.csr_matrix, labels: np.ndarray, num_features: int, *, is_classes: bool) -> np.ndarray:
    """Return how strongly each feature goes with the label, covariates, which stand last, projected out of both; (features,)."""
    import numpy as np
    import scipy.linalg

    features = values[:, :num_features].astype(np.float64)
    fixed = np.hstack([np.ones((len(labels), 1)), values[:, num_features:].toarray()])
    basis = scipy.linalg.orth(fixed)
    targets = (labels[:, None] == np.unique(labels)).astype(float) if is_classes else labels[:, None].astype(np.float64)
    targets = targets - basis @ (basis.T @ targets)
    lengths = np.sqrt((targets**2).sum(axis=0))
    targets = targets[:, lengths > _NEGLIGIBLE] / lengths[lengths > _NEGLIGIBLE]
    squares = np.asarray(features.multiply(features).sum(axis=0)).ravel() - ((features.T @ basis) ** 2).sum(axis=1)
    products = ((features.T @ targets) ** 2).sum(axis=1)
    return np.divide(products, squares, out=np.zeros_like(products), where=squares > _NEGLIGIBLE * len(labels))
