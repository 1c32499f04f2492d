"""Scores within strata, such as populations: a score over all of them can come from telling them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from genoken.core.contracts import Task
from genoken.evaluation.metrics.classification import classification_metrics
from genoken.evaluation.metrics.regression import regression_metrics

LEAST_SAMPLES = 10
"""Strata with fewer test samples are left out."""


def scores_within(
    *,
    task: Task,
    labels: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    names: Sequence[str],
    classes: tuple[str, ...],
    strata: np.ndarray,
    column: str,
    threshold: float = 0.5,
    folds: np.ndarray | None = None,
) -> dict[str, Any] | None:
    """Return the metrics of some predictors in each stratum, and their averages over strata.

    Parameters
    ----------
    task, labels, predictions, classes, threshold, folds
        As for :func:`genoken.evaluation.verdict.evaluate_predictions`.
    names
        Predictors that are scored.
    strata
        Stratum of each sample, text of shape (samples,); empty where there is none.
    column
        Name of the strata's column.

    Returns
    -------
    dict or None
        ``{"column", "strata": {name: {"samples", predictor: {metric: value}}}, "mean": {predictor: {metric: value}}}``; a mean
        weighs strata by their samples and leaves out those in which a metric is not defined, as ranking within one class. ``None``
        where fewer than two strata have ten samples.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in sorted(set(strata.tolist()) - {""}):
        inside = np.flatnonzero(strata == name)
        if len(inside) < LEAST_SAMPLES:
            continue
        fold_of = None if folds is None else folds[inside]
        found[name] = {"samples": len(inside)}
        for predictor in names:
            predicted = predictions[predictor][inside]
            if task == "classification":
                scores = classification_metrics(labels[inside], predicted, classes=classes, threshold=threshold, folds=fold_of)
            else:
                scores = regression_metrics(labels[inside], predicted, folds=fold_of)
            found[name][predictor] = dict(scores)
    if len(found) < 2:
        return None
    return {"column": column, "strata": found, "mean": {predictor: _mean(found, predictor) for predictor in names}}


def _mean(found: Mapping[str, Mapping[str, Any]], predictor: str) -> dict[str, float | None]:
    metrics = next(iter(found.values()))[predictor]
    means: dict[str, float | None] = {}
    for metric in metrics:
        defined = [(scores[predictor][metric], scores["samples"]) for scores in found.values()]
        defined = [(value, weight) for value, weight in defined if value is not None]
        values, weights = [value for value, _ in defined], [weight for _, weight in defined]
        means[metric] = float(np.average(values, weights=weights)) if defined else None
    return means
