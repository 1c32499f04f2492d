r"""Intervals from resampling whole groups.

A draw takes G of the G test groups with replacement; all samples of a group come along, as often as it was drawn. Every metric,
of the model and of all its rivals, is computed on the same draws, so a difference is paired. The interval goes from the 2.5th to
the 97.5th percentile of the draws.

Limits: with few groups a percentile interval is too narrow (with G groups the standard error is underestimated by about
:math:`\sqrt{(G - 1) / G}`, and heavy tails are not seen), so none is given below 5 groups. Models are not trained anew in a draw:
the interval says how the score of these fitted models would vary over other groups, not how another training would turn out.
Without groups, samples are the units, and are taken as independent. Draws in which a metric is not defined are left out for that
metric; when they are more than half, there is no interval.

A calibration error is a sum of magnitudes, which every draw's repeated samples make larger: its draws lie above it on average, and
their percentiles may not hold it at all. Its interval is moved down by that excess, to at least 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from genoken.core.contracts import Task
from genoken.core.random import generator
from genoken.evaluation.metrics.resampled import WeightedClassification, WeightedRegression

LEAST_GROUPS = 5
"""No interval is given from fewer test groups."""
_PERCENTILES = (2.5, 97.5)
_BIASED = frozenset({"ece"})
"""Metrics that are larger in draws than in the samples that these are drawn from."""
_LEAST_DEFINED = 0.5
_VALUES_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Bootstrap:
    """The metrics of several predictors on the same draws.

    Parameters
    ----------
    unit
        What was resampled: ``groups`` or ``samples``.
    num_units
        Number of groups, or of samples.
    draws
        Predictor to metric to values of shape (draws,); empty when there are fewer than 5 groups.
    """

    unit: str
    num_units: int
    draws: Mapping[str, Mapping[str, np.ndarray]]

    def interval(self, name: str, metric: str, value: float) -> list[float] | None:
        """Return the 95 % interval of a predictor's metric, or ``None`` when there is none.

        Parameters
        ----------
        name, metric
            Whose interval of what.
        value
            The metric of the samples as they are.
        """
        values = self.draws.get(name, {}).get(metric)
        if values is None:
            return None
        found = percentile_interval(values)
        if found is None or metric not in _BIASED:
            return found
        excess = float(np.nanmean(values)) - value
        return [max(bound - excess, 0.0) for bound in found]

    def difference_interval(self, name: str, other: str, metric: str) -> list[float] | None:
        """Return the 95 % interval of one predictor's metric minus another's on the same draws, or ``None`` when there is none."""
        if name not in self.draws or other not in self.draws:
            return None
        return percentile_interval(self.draws[name][metric] - self.draws[other][metric])


def percentile_interval(values: np.ndarray) -> list[float] | None:
    """Return the 2.5th and 97.5th percentile of what is defined; ``None`` when less than half is."""
    defined = values[~np.isnan(values)]
    if not len(defined) or len(defined) < _LEAST_DEFINED * len(values):
        return None
    return [float(bound) for bound in np.percentile(defined, _PERCENTILES)]


def bootstrap(
    truth: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    *,
    task: Task,
    groups: np.ndarray | None,
    seed: int,
    draws: int = 1000,
    threshold: float | Mapping[str, float] = 0.5,
    folds: Mapping[str, np.ndarray] | None = None,
) -> Bootstrap:
    """Resample groups (or samples) and compute every metric of every predictor on each draw.

    Parameters
    ----------
    truth
        Class codes or real targets of shape (samples,).
    predictions
        Predictor to probabilities (samples, classes) or values (samples,).
    task
        What is predicted.
    groups
        Group of each sample, or ``None`` when samples are independent.
    seed
        Seed of the run; equal arguments give equal draws, and predictors do not influence them.
    draws
        Number of draws.
    threshold
        Probability of the positive class from which a binary prediction is positive: one for all, or predictor to its own.
    folds
        Predictor to the fold of each sample, when the predictions come from a cross-validation.

    Returns
    -------
    Bootstrap
        Its ``draws`` are empty when there are fewer than 5 groups.
    """
    if groups is None:
        units, num_units = np.arange(len(truth)), len(truth)
    else:
        found, units = np.unique(np.asarray(groups).astype(str), return_inverse=True)
        num_units = len(found)
    unit = "samples" if groups is None else "groups"
    if groups is not None and num_units < LEAST_GROUPS:
        return Bootstrap(unit, num_units, {})

    def scorer_of(name: str, predicted: np.ndarray) -> WeightedClassification | WeightedRegression:
        fold_of = None if folds is None else folds[name]
        if task == "regression":
            numbers = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
            return WeightedRegression(*numbers, units, num_units, folds=fold_of)
        return WeightedClassification(
            np.asarray(truth, dtype=np.int64),
            predicted,
            units,
            num_units,
            threshold=threshold[name] if isinstance(threshold, Mapping) else threshold,
            folds=fold_of,
        )

    scorers = {name: scorer_of(name, predicted) for name, predicted in predictions.items()}
    rng = generator(seed, "bootstrap")
    chunk = max(1, _VALUES_AT_ONCE // max(len(truth), 1))
    pieces: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in scorers}
    for start in range(0, draws, chunk):
        weights = draw_weights(num_units, min(chunk, draws - start), rng)
        for name, scorer in scorers.items():
            pieces[name].append(scorer.metrics(weights))
    return Bootstrap(
        unit,
        num_units,
        {
            name: {metric: np.concatenate([piece[metric] for piece in found]) for metric in found[0]}
            for name, found in pieces.items()
        },
    )


def draw_weights(num_units: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each unit is drawn when as many are drawn with replacement as there are, float64 of shape (draws, units)."""
    drawn = rng.integers(0, num_units, size=(draws, num_units)) + np.arange(draws)[:, None] * num_units
    return np.bincount(drawn.ravel(), minlength=draws * num_units).reshape(draws, num_units).astype(np.float64)
