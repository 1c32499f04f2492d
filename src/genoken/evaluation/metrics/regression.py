"""Scores of predicted numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn import metrics as sk


def regression_metrics(truth: np.ndarray, predicted: np.ndarray, *, folds: np.ndarray | None = None) -> dict[str, float | None]:
    """Return the scalar metrics of a regression.

    ``r2`` (1 − squared error over that of the mean of these very samples), ``pearson``, ``spearman`` (Pearson correlation of
    mid-ranks), ``mae`` and ``rmse`` (in the label's unit). A value that is not defined, such as the correlation with a constant, is
    ``None``.

    Parameters
    ----------
    truth, predicted
        Real numbers of shape (samples,).
    folds
        Fold of each sample when they were predicted by the models of a cross-validation: ``pearson`` and ``spearman`` are then
        averages of those within folds, see :func:`correlation_within_folds`.

    Returns
    -------
    dict
        Metric name to value.

    Raises
    ------
    ValueError
        When there are no samples, shapes differ, or a number is not finite.
    """
    from scipy.stats import rankdata

    truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if not len(truth) or truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(f"cannot score predictions of shape {predicted.shape} against labels of shape {truth.shape}")
    if not (np.isfinite(truth).all() and np.isfinite(predicted).all()):
        raise ValueError("labels and predictions must be finite")
    members = fold_members(len(truth), folds)
    return {
        "r2": float(sk.r2_score(truth, predicted)) if np.ptp(truth) > 0 else None,
        "pearson": correlation_within_folds([(truth[rows], predicted[rows]) for rows in members]),
        "spearman": correlation_within_folds([(rankdata(truth[rows]), rankdata(predicted[rows])) for rows in members]),
        "mae": float(sk.mean_absolute_error(truth, predicted)),
        "rmse": float(sk.root_mean_squared_error(truth, predicted)),
    }


def fold_members(num_samples: int, folds: np.ndarray | None) -> list[np.ndarray]:
    """Return the rows of each fold; all rows at once where the samples were predicted by one model."""
    if folds is None:
        return [np.arange(num_samples)]
    return [np.flatnonzero(folds == fold) for fold in np.unique(folds)]


def correlation_within_folds(folds: Sequence[tuple[np.ndarray, np.ndarray]]) -> float | None:
    r"""Return the correlation of two variables within folds, averaged.

    The models of different folds are different functions. Where the train part of a fold has a high mean its test part has a low
    one, so that across folds even the train mean, a constant in each, correlates (negatively) with the truth. With
    :math:`n_f` samples and the correlation :math:`r_f` in fold f,

    .. math:: r = \frac{\sum_f n_f r_f}{\sum_f n_f}

    over the folds in which both variables vary; with one fold this is the plain correlation.

    Parameters
    ----------
    folds
        Both variables in each fold, of shape (samples of the fold,).

    Returns
    -------
    float or None
        ``None`` when a variable is constant in every fold.
    """
    defined = [(one, other) for one, other in folds if np.ptp(one) > 0 and np.ptp(other) > 0]
    if not defined:
        return None
    found = [np.corrcoef(one, other)[0, 1] for one, other in defined]
    return float(np.average(found, weights=[len(one) for one, _ in defined]))
