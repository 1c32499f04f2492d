r"""ROC and precision-recall curves that agree with the numbers beside them.

The models of different folds have no common scale of scores, so ``roc_auc`` and ``average_precision`` rank within folds, and so do
the curves: they are vertical averages of the folds' curves. At each false positive rate the true positive rate is averaged with the
weights :math:`P_f N_f` (positives times negatives of fold f), at each recall the precision with :math:`P_f`, over the folds that
have both. Areas are linear in a curve's height and these are the weights of :func:`ranking_scores
<genoken.evaluation.metrics.classification.ranking_scores>`, so the area under each averaged curve is the number that is printed,
but for the thinning to 200 points. The common grid is where any fold's curve has a corner, so averaging itself rounds nothing.

Average precision is the area under a staircase: up to a recall that is reached, the precision is that at which it was first
reached. That staircase is what is drawn, not lines between the corners, which would promise more.

References
----------
Fawcett, An introduction to ROC analysis, 2006, doi:10.1016/j.patrec.2005.10.010 (vertical averaging; there with equal weights).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import metrics as sk

from genoken.evaluation.metrics.classification import one_fold, ranked_classes, valid_probabilities

MOST_POINTS = 200
"""Points of a curve at most."""


def curves(
    codes: np.ndarray, probabilities: np.ndarray, *, classes: tuple[str, ...], folds: np.ndarray | None = None
) -> dict[str, dict[str, Any]]:
    """Return the ROC and precision-recall curve of each class against the rest; of two classes, of the positive one only.

    Parameters
    ----------
    codes, probabilities, classes, folds
        As for :func:`genoken.evaluation.metrics.classification.classification_metrics`.

    Returns
    -------
    dict
        Class name to ``{"roc": {"false_positive_rate", "true_positive_rate"}, "pr": {"recall", "precision"}}``, each a list of at
        most 200 numbers in order of rising false positive rate or recall. Classes that no fold can rank have none.
    """
    codes = np.asarray(codes, dtype=np.int64)
    probabilities = valid_probabilities(probabilities, len(codes), len(classes))
    folds = one_fold(codes) if folds is None else folds
    found: dict[str, dict[str, Any]] = {}
    for code in ranked_classes(codes, len(classes)):
        ranked = _ranked_folds(codes == code, probabilities[:, code], folds)
        if ranked:
            false_rate, true_rate = _thinned(*_mean_roc(ranked))
            recall, precision = _thinned(*_mean_precision(ranked))
            found[classes[code]] = {
                "roc": {"false_positive_rate": false_rate, "true_positive_rate": true_rate},
                "pr": {"recall": recall, "precision": precision},
            }
    return found


def _ranked_folds(is_positive: np.ndarray, scores: np.ndarray, folds: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return truth and scores of each fold that has both positives and negatives."""
    parts = [(is_positive[folds == fold], scores[folds == fold]) for fold in np.unique(folds)]
    return [(truth, part) for truth, part in parts if truth.any() and not truth.all()]


def _mean_roc(ranked: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the averaged ROC curve: where it jumps, a false positive rate stands twice."""
    found = [sk.roc_curve(truth, scores)[:2] for truth, scores in ranked]
    pairs = np.array([truth.sum() * (~truth).sum() for truth, _ in ranked], dtype=np.float64)
    grid = np.unique(np.concatenate([false_rate for false_rate, _ in found]))
    limits = np.stack([_limits(false_rate, true_rate, grid) for false_rate, true_rate in found])
    return _corners(np.repeat(grid, 2), np.average(limits, axis=0, weights=pairs).ravel())


def _limits(x: np.ndarray, y: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return the height of a curve just before and just after each place of the grid, of shape (places, 2)."""
    first, last = np.searchsorted(x, grid, side="left"), np.searchsorted(x, grid, side="right") - 1
    width = x[first] - x[last]
    share = np.divide(grid - x[last], width, out=np.zeros_like(grid), where=width > 0)
    between = y[last] + share * (y[first] - y[last])
    is_corner = first <= last
    return np.stack([np.where(is_corner, y[first], between), np.where(is_corner, y[last], between)], axis=1)


def _mean_precision(ranked: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the averaged precision-recall staircase."""
    stairs = [_staircase(truth, scores) for truth, scores in ranked]
    positives = np.array([truth.sum() for truth, _ in ranked], dtype=np.float64)
    ends = np.unique(np.concatenate([recall for recall, _ in stairs]))
    heights = np.stack([precision[np.searchsorted(recall, ends, side="left")] for recall, precision in stairs])
    height = np.average(heights, axis=0, weights=positives)
    starts = np.concatenate([[0.0], ends[:-1]])
    return _corners(np.stack([starts, ends], axis=1).ravel(), np.repeat(height, 2))


def _staircase(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each recall that is reached above 0, rising, and the precision at which it is first reached."""
    precision, recall, _ = sk.precision_recall_curve(truth, scores)
    reached, place = np.unique(recall[::-1], return_index=True)
    return reached[1:], precision[::-1][place[1:]]


def _corners(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a curve without points that repeat the one before."""
    is_new = np.append(True, (np.diff(x) != 0) | (np.diff(y) != 0))
    return x[is_new], y[is_new]


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[list[float], list[float]]:
    """Return at most 200 points of a curve, spread evenly along its length, both ends among them."""
    if len(x) > MOST_POINTS:
        length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
        kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], MOST_POINTS - 1)))
        kept = np.unique(np.append(kept, len(x) - 1))
        x, y = x[kept], y[kept]
    return x.tolist(), y.tolist()
