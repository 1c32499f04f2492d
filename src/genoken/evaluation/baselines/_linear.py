"""Logistic and ridge regression, tuned on validation; shared by the baselines that end in a linear model."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from genoken.evaluation.baselines._tuning import all_columns, score_classes, score_values

Matrix: TypeAlias = np.ndarray | sp.csr_matrix
Parts: TypeAlias = tuple[Matrix, Matrix, Matrix]

PENALTIES = (1e5, 1e4, 1e3, 1e2, 1e1, 1.0, 1e-1, 1e-2)
"""Default grid, strong penalties first."""
_SEARCH_TOLERANCE = 1e-3
_SEARCH_ITERATIONS = 150
_FINAL_TOLERANCE = 1e-4
_FINAL_ITERATIONS = 2000
_PATIENCE = 2
_HALF_STEP = 10**0.5


@dataclass(frozen=True)
class _Best:
    """The best model of a search so far: its scores on validation, its position on the grid, and the model itself."""

    score: tuple[float, float]
    penalty: float
    model: Any


def linear_probabilities(
    parts: Parts,
    train_labels: np.ndarray,
    val_labels: np.ndarray,
    num_classes: int,
    penalties: tuple[float, ...],
) -> np.ndarray:
    r"""Return the test probabilities of a multinomial logistic regression, tuned on validation.

    Minimizes :math:`\sum_i w_{y_i} \cdot \text{cross-entropy}_i + \tfrac{\lambda}{2} \lVert W \rVert^2` (scikit-learn's ``C`` is
    :math:`1/\lambda`). Tuned are λ, whether features are divided by their train standard deviation (not centered, so that they stay
    sparse), and whether classes are weighted by the inverse of their frequency: by macro-F1 on validation, then by log-loss. λ goes
    from strong to weak, each fit starting from the last, until two steps bring nothing; half steps beside the best λ, and class
    weights there, come after. The winner is fitted to convergence on train alone, because the model too learns from train alone.

    Parameters
    ----------
    parts
        Features of train, validation and test, each of shape (samples, features).
    train_labels, val_labels
        Class codes.
    num_classes
        Number of classes, those that train lacks included.
    penalties
        Grid of λ.

    Returns
    -------
    numpy.ndarray
        Of shape (test samples, num_classes).
    """
    from sklearn.linear_model import LogisticRegression

    present = np.unique(train_labels)
    if len(present) == 1:
        return all_columns(np.ones((parts[2].shape[0], 1)), present, num_classes)
    grid = sorted(penalties, reverse=True)
    start = LogisticRegression(warm_start=True, tol=_SEARCH_TOLERANCE, max_iter=_SEARCH_ITERATIONS)
    best: tuple[_Best, Parts] | None = None
    for scaled in (parts, _divided_by_deviation(parts)):
        found = _logistic_path(scaled, train_labels, val_labels, num_classes, grid, copy.deepcopy(start))
        if best is None or found.score > best[0].score:
            best = found, scaled
    found, scaled = best  # type: ignore[misc]
    near = [found.penalty * _HALF_STEP, found.penalty, found.penalty / _HALF_STEP]
    finer = [
        _logistic_path(
            scaled, train_labels, val_labels, num_classes, near, copy.deepcopy(found.model).set_params(class_weight=weights)
        )
        for weights in (None, "balanced")
    ]
    model = max((found, *finer), key=lambda item: item.score).model
    model.set_params(tol=_FINAL_TOLERANCE, max_iter=_FINAL_ITERATIONS).fit(scaled[0], train_labels)
    return all_columns(model.predict_proba(scaled[2]), model.classes_, num_classes)


def _logistic_path(
    parts: Parts,
    train_labels: np.ndarray,
    val_labels: np.ndarray,
    num_classes: int,
    grid: list[float],
    model: Any,
) -> _Best:
    """Fit the model along the grid, each fit starting from the last, and return the best on validation."""
    from sklearn.exceptions import ConvergenceWarning

    best: _Best | None = None
    without_gain = 0
    for penalty in grid:
        with warnings.catch_warnings():  # a search need not converge; the winner does
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.set_params(C=1 / penalty).fit(parts[0], train_labels)
        score = score_classes(val_labels, all_columns(model.predict_proba(parts[1]), model.classes_, num_classes))
        without_gain += 1
        if best is None or score > best.score:
            best, without_gain = _Best(score, penalty, copy.deepcopy(model)), 0
        if without_gain == _PATIENCE:
            break
    return best  # type: ignore[return-value]


def linear_values(parts: Parts, train_labels: np.ndarray, val_labels: np.ndarray, penalties: tuple[float, ...]) -> np.ndarray:
    r"""Return the test predictions of a ridge regression, tuned on validation.

    Minimizes :math:`\lVert y - Xw - b \rVert^2 + \lambda \lVert w \rVert^2`, with and without dividing the features by their train
    standard deviation; both choices by the mean squared error on validation. Fitted on train alone.

    Parameters
    ----------
    parts
        Features of train, validation and test, each of shape (samples, features).
    train_labels, val_labels
        Real targets.
    penalties
        Grid of λ.

    Returns
    -------
    numpy.ndarray
        Of shape (test samples,).
    """
    from sklearn.linear_model import Ridge

    best_score, best_values = (-np.inf, 0.0), np.full(parts[2].shape[0], train_labels.mean())
    for train, val, test in (parts, _divided_by_deviation(parts)):
        for penalty in penalties:
            model = Ridge(alpha=penalty).fit(train, train_labels)
            score = score_values(val_labels, model.predict(val))
            if score > best_score:
                best_score, best_values = score, model.predict(test)
    return best_values


def _divided_by_deviation(parts: Parts) -> Parts:
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler(with_mean=False).fit(parts[0])
    train, val, test = (scaler.transform(part) for part in parts)
    return train, val, test
