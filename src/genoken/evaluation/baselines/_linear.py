"""Logistic and ridge regression, tuned on validation; shared by the baselines that end in a linear model.

What is learned is folded into one matrix on the features as they are given, whether they were scaled or not: ``weights`` of shape
(features, classes) and ``intercept`` (classes,), or (features,) and () in regression. A class that was not there to learn from has
the intercept minus infinity, hence probability 0.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.sparse as sp

from genoken.core.contracts import BaselineProblem
from genoken.evaluation.baselines._tuning import all_columns, final_part, score_classes, score_values, with_validation

Matrix: TypeAlias = np.ndarray | sp.csr_matrix
Criterion: TypeAlias = Literal["macro_f1", "log_loss"]
State: TypeAlias = dict[str, np.ndarray]

PENALTIES = (1e5, 1e4, 1e3, 1e2, 1e1, 1.0, 1e-1, 1e-2)
"""Default grid, strong penalties first."""
_SEARCH_TOLERANCE = 1e-3
_SEARCH_ITERATIONS = 150
_FINAL_TOLERANCE = 1e-4
_EXACT_TOLERANCE = 1e-5
_FINAL_ITERATIONS = 2000
_PATIENCE = 2
_HALF_STEP = 10**0.5


@dataclass(frozen=True)
class LinearProblem:
    """What a linear model is tuned and fitted on.

    Parameters
    ----------
    train, val
        Features of shape (samples, features).
    train_labels, val_labels
        Class codes or real targets.
    final, final_labels
        What the tuned model is fitted on: train itself, or a refit's larger part, then in features of its own if need be.
    num_classes
        Number of classes, those that train lacks included; 0 for regression.
    num_covariates
        Last columns that are never divided by their standard deviation: covariates, given large so that penalties hardly touch
        them.
    tuned_by
        What classes are tuned by first; the other one decides between equals.
    """

    train: Matrix
    val: Matrix
    train_labels: np.ndarray
    val_labels: np.ndarray
    final: Matrix
    final_labels: np.ndarray
    num_classes: int
    num_covariates: int = 0
    tuned_by: Criterion = "macro_f1"


@dataclass(frozen=True)
class _Best:
    """The best model of a search so far: its scores on validation, its position on the grid, and the model itself."""

    score: tuple[float, float]
    penalty: float
    model: Any


def fit_columns(problem: BaselineProblem, penalties: tuple[float, ...], *, tuned_by: Criterion = "macro_f1") -> State:
    """Return ``weights`` and ``intercept`` of the best model on validation, of the columns of a problem as they are."""
    final, final_labels = final_part(problem)
    problem = with_validation(problem)
    linear = LinearProblem(
        train=problem.train,
        val=problem.val,
        train_labels=problem.train_labels,
        val_labels=problem.val_labels,
        final=final,
        final_labels=final_labels,
        num_classes=problem.num_classes,
        num_covariates=problem.num_covariates,
        tuned_by=tuned_by,
    )
    return fit_linear(linear, penalties)


def fit_linear(problem: LinearProblem, penalties: tuple[float, ...]) -> State:
    """Return ``weights`` and ``intercept`` of the logistic or ridge regression that was best on validation."""
    return _logistic(problem, penalties) if problem.num_classes else _ridge(problem, penalties)


def predict_linear(state: Mapping[str, np.ndarray], features: Matrix) -> np.ndarray:
    """Return probabilities (samples, classes), or values (samples,), of what :func:`fit_linear` returned."""
    from scipy.special import softmax

    scores = features @ state["weights"] + state["intercept"]
    return softmax(scores, axis=1) if scores.ndim == 2 else scores


def _logistic(problem: LinearProblem, penalties: tuple[float, ...]) -> State:
    r"""Return a multinomial logistic regression, tuned on validation.

    Minimizes :math:`\sum_i w_{y_i} \cdot \text{cross-entropy}_i + \tfrac{\lambda}{2} \lVert W \rVert^2` (scikit-learn's ``C`` is
    :math:`1/\lambda`). Tuned are λ, whether features are divided by their train standard deviation (not centered, so that they stay
    sparse), and whether classes are weighted by the inverse of their frequency: by macro-F1 on validation, then by log-loss, or the
    other way round. λ goes from strong to weak, each fit starting from the last, until two steps bring nothing; half steps beside
    the best λ, and class weights there, come after. The winner is fitted to convergence on the final part.
    """
    from sklearn.linear_model import LogisticRegression

    num_classes, num_features = problem.num_classes, problem.train.shape[1]
    present = np.unique(problem.train_labels)
    if len(present) == 1:
        return for_all_classes(np.zeros((1, num_features)), np.zeros(1), present, num_classes)
    grid = sorted(penalties, reverse=True)
    if problem.tuned_by == "log_loss":  # a search that stops early is not as sure of itself as the model that is fitted in the end
        start = LogisticRegression(warm_start=True, tol=_EXACT_TOLERANCE, max_iter=_FINAL_ITERATIONS)
    else:
        start = LogisticRegression(warm_start=True, tol=_SEARCH_TOLERANCE, max_iter=_SEARCH_ITERATIONS)
    best: tuple[_Best, Any] | None = None
    for is_scaled in (False, True):
        scaler = _scaler(problem, problem.train, is_scaled=is_scaled)
        found = _logistic_path(problem, scaler, grid, copy.deepcopy(start))
        if best is None or found.score > best[0].score:
            best = found, scaler
    found, scaler = best  # type: ignore[misc]
    near = [found.penalty * _HALF_STEP, found.penalty, found.penalty / _HALF_STEP]
    finer = [
        _logistic_path(problem, scaler, near, copy.deepcopy(found.model).set_params(class_weight=weights))
        for weights in (None, "balanced")
    ]
    model = max((found, *finer), key=lambda item: item.score).model
    return _fitted_logistic(problem, model, is_scaled=scaler.with_std)


def _fitted_logistic(problem: LinearProblem, model: Any, *, is_scaled: bool) -> State:
    """Fit the tuned model to convergence on the final part; it starts from where it is when that is train."""
    model.set_params(
        tol=min(_FINAL_TOLERANCE, model.tol),
        max_iter=_FINAL_ITERATIONS,
        warm_start=problem.final is problem.train,  # a refit may know more classes
    )
    scaler = _scaler(problem, problem.final, is_scaled=is_scaled)
    model.fit(scaler.transform(problem.final), problem.final_labels)
    weights, intercept = _unscaled(model.coef_, scaler), model.intercept_.astype(np.float64)
    if len(weights) == 1:  # of two classes scikit-learn keeps the second one's log-odds
        weights, intercept = np.vstack([np.zeros_like(weights), weights]), np.append(0.0, intercept)
    return for_all_classes(weights, intercept, model.classes_, problem.num_classes)


def for_all_classes(weights: np.ndarray, intercept: np.ndarray, present: np.ndarray, num_classes: int) -> State:
    """Return the state of a model of all classes from one of those that are present: weights (present, features), intercept."""
    every = {"weights": np.zeros((weights.shape[1], num_classes)), "intercept": np.full(num_classes, -np.inf)}
    every["weights"][:, present] = weights.T
    every["intercept"][present] = intercept
    return every


def _logistic_path(problem: LinearProblem, scaler: Any, grid: list[float], model: Any) -> _Best:
    """Fit the model along the grid, each fit starting from the last, and return the best on validation."""
    from sklearn.exceptions import ConvergenceWarning

    train, val = scaler.transform(problem.train), scaler.transform(problem.val)
    best: _Best | None = None
    without_gain = 0
    for penalty in grid:
        with warnings.catch_warnings():  # a search need not converge; the winner does
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.set_params(C=1 / penalty).fit(train, problem.train_labels)
        predicted = all_columns(model.predict_proba(val), model.classes_, problem.num_classes)
        by_f1, by_loss = score_classes(problem.val_labels, predicted)
        score = (by_f1, by_loss) if problem.tuned_by == "macro_f1" else (by_loss, by_f1)
        without_gain += 1
        if best is None or score > best.score:
            best, without_gain = _Best(score, penalty, copy.deepcopy(model)), 0
        if without_gain == _PATIENCE:
            break
    return best  # type: ignore[return-value]


def _ridge(problem: LinearProblem, penalties: tuple[float, ...]) -> State:
    r"""Return a ridge regression, tuned on validation.

    Minimizes :math:`\lVert y - Xw - b \rVert^2 + \lambda \lVert w \rVert^2`, with and without dividing the features by their train
    standard deviation; both choices by the mean squared error on validation. Fitted on the final part.
    """
    from sklearn.linear_model import Ridge

    best_score = (-np.inf, 0.0)
    best: tuple[Any, Any] | None = None
    for is_scaled in (False, True):
        scaler = _scaler(problem, problem.train, is_scaled=is_scaled)
        train, val = scaler.transform(problem.train), scaler.transform(problem.val)
        for penalty in penalties:
            model = Ridge(alpha=penalty).fit(train, problem.train_labels)
            score = score_values(problem.val_labels, model.predict(val))
            if score > best_score:
                best_score, best = score, (model, scaler)
    if best is None:
        return {"weights": np.zeros(problem.train.shape[1]), "intercept": np.asarray(problem.final_labels.mean())}
    model, scaler = best
    if problem.final is not problem.train:
        scaler = _scaler(problem, problem.final, is_scaled=scaler.with_std)
        model.fit(scaler.transform(problem.final), problem.final_labels)
    return {"weights": _unscaled(model.coef_, scaler), "intercept": np.asarray(model.intercept_, dtype=np.float64)}


def _scaler(problem: LinearProblem, features: Matrix, *, is_scaled: bool) -> Any:
    """Return scikit-learn's scaler, fitted: it divides by the standard deviations, covariates' left out, or by nothing."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler(with_mean=False, with_std=is_scaled).fit(features)
    if is_scaled and problem.num_covariates:
        scaler.scale_[-problem.num_covariates :] = 1.0
    return scaler


def _unscaled(weights: np.ndarray, scaler: Any) -> np.ndarray:
    """Return weights, the features on the last axis, for features that the scaler has not divided."""
    return weights.astype(np.float64) / (1.0 if scaler.scale_ is None else scaler.scale_)
