"""Scores of predicted numbers."""

from __future__ import annotations

import numpy as np
from sklearn import metrics as sk


def regression_metrics(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
    """Return the scalar metrics of a regression.

    ``r2`` (1 − squared error over that of the mean of these very samples), ``pearson``, ``spearman`` (Pearson correlation of
    mid-ranks), ``mae`` and ``rmse`` (in the label's unit). A value that is not defined, such as the correlation with a constant, is
    ``None``.

    Parameters
    ----------
    truth, predicted
        Real numbers of shape (samples,).

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
    return {
        "r2": float(sk.r2_score(truth, predicted)) if np.ptp(truth) > 0 else None,
        "pearson": _correlation(truth, predicted),
        "spearman": _correlation(rankdata(truth), rankdata(predicted)),
        "mae": float(sk.mean_absolute_error(truth, predicted)),
        "rmse": float(sk.root_mean_squared_error(truth, predicted)),
    }


def _correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])
