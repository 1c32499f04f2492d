"""The same metrics for many weightings of the samples at once: what a bootstrap needs.

Resampling whole units (groups, or samples) gives each unit a whole-number weight. All metrics follow from sums over units, so they
are computed for all draws together by products of small matrices, without touching the samples again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from genoken.evaluation.calibration import NUM_BINS, confidence_bins, confidences
from genoken.evaluation.metrics.classification import (
    log_losses,
    metrics_of_confusion,
    predicted_codes,
    ranked_classes,
    squared_errors,
    valid_probabilities,
)
from genoken.evaluation.metrics.regression import fold_members


class WeightedClassification:
    """Classification metrics under weights of units.

    Parameters
    ----------
    codes
        True classes of shape (samples,).
    probabilities
        Of shape (samples, classes).
    units
        Unit of each sample, int64 in [0, num_units), of shape (samples,).
    num_units
        Number of units.
    threshold
        Probability of the positive class from which a binary prediction is positive.
    folds
        Fold of each sample when they were predicted by the models of a cross-validation.
    """

    def __init__(
        self,
        codes: np.ndarray,
        probabilities: np.ndarray,
        units: np.ndarray,
        num_units: int,
        *,
        threshold: float = 0.5,
        folds: np.ndarray | None = None,
    ) -> None:
        self._num_classes = probabilities.shape[1]
        probabilities = valid_probabilities(probabilities, len(codes), self._num_classes)
        predicted = predicted_codes(probabilities, threshold)
        confidence = confidences(probabilities, predicted)
        every = np.ones(len(codes))
        self._counts = np.bincount(units, minlength=num_units).astype(np.float64)
        self._confusions = _totals(codes * self._num_classes + predicted, units, every, self._num_classes**2, num_units)
        self._gaps = _totals(confidence_bins(confidence), units, (codes == predicted) - confidence, NUM_BINS, num_units)
        self._squared_errors = np.bincount(units, squared_errors(codes, probabilities), minlength=num_units)
        self._log_losses = np.bincount(units, log_losses(codes, probabilities), minlength=num_units)
        members = fold_members(len(codes), folds)
        self._rankings = [
            [_Ranking.of(codes[rows] == code, probabilities[rows, code], units[rows], num_units) for rows in members]
            for code in ranked_classes(codes, self._num_classes)
        ]

    def metrics(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Return each metric for each row of weights.

        Parameters
        ----------
        weights
            Of shape (draws, units), not negative.

        Returns
        -------
        dict
            Metric name to float64 of shape (draws,); NaN where it is not defined.
        """
        across = np.ascontiguousarray(weights.T, dtype=np.float64)
        total = weights @ self._counts
        matrices = (self._confusions @ across).T.reshape(-1, self._num_classes, self._num_classes)
        result = metrics_of_confusion(matrices) | self._ranking_metrics(across)
        result["brier"] = weights @ self._squared_errors / total
        result["log_loss"] = weights @ self._log_losses / total
        result["ece"] = np.abs(self._gaps @ across).sum(axis=0) / total
        if self._num_classes == 2:
            result["predicted_positive_rate"] = matrices[:, :, 1].sum(axis=1) / total
        return result

    def _ranking_metrics(self, across: np.ndarray) -> dict[str, np.ndarray]:
        if not self._rankings:
            nothing = np.full(across.shape[1], np.nan)
            return {"roc_auc": nothing, "average_precision": nothing}
        found = [np.sum([ranking.sums(across) for ranking in of_class], axis=0) for of_class in self._rankings]
        return {
            "roc_auc": _mean_of_defined(np.stack([_ratio(sums[0], sums[1]) for sums in found])),
            "average_precision": _mean_of_defined(np.stack([_ratio(sums[2], sums[3]) for sums in found])),
        }


def _totals(rows: np.ndarray, units: np.ndarray, values: np.ndarray, num_rows: int, num_units: int) -> sp.csr_matrix:
    """Return the sums of values per row and unit, of shape (rows, units)."""
    return sp.csr_matrix((values, (rows, units)), shape=(num_rows, num_units))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Return the ratio, NaN where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator > 0)


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Return the mean over rows of what is not NaN; NaN where nothing is."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0).sum(axis=0), defined.sum(axis=0))


@dataclass(frozen=True)
class _Ranking:
    r"""One class against the rest in one fold, the samples sorted by falling score.

    Only the distinct scores that a positive sample has matter ("steps"). At step k let :math:`p_k` be the weight of the positives
    with exactly that score, :math:`t_k` that of the negatives with that score, and :math:`a_k` that of the negatives above. Then
    :math:`\mathrm{AUC} = \sum_k p_k (N - a_k - t_k / 2) / (P N)` and the average precision is
    :math:`\sum_k \frac{p_k}{P} \frac{\sum_{j \le k} p_j}{\sum_{j \le k} p_j + a_k + t_k}`.
    """

    positives: sp.csr_matrix
    tied: sp.csr_matrix
    between: sp.csr_matrix
    negatives: np.ndarray

    @classmethod
    def of(cls, is_positive: np.ndarray, scores: np.ndarray, units: np.ndarray, num_units: int) -> _Ranking:
        """Sort the samples and count positives and negatives per step and unit."""
        steps = np.unique(scores[is_positive])[::-1]
        # Index of the first step at or below each score; len(steps) for scores below all of them.
        step = np.searchsorted(-steps, -scores, side="left")
        is_tied = ~is_positive & np.isin(scores, steps)
        is_between = ~is_positive & ~is_tied & (step < len(steps))

        def count(mask: np.ndarray) -> sp.csr_matrix:
            return _totals(step[mask], units[mask], np.ones(int(mask.sum())), len(steps), num_units)

        negatives = np.bincount(units[~is_positive], minlength=num_units).astype(np.float64)
        return cls(count(is_positive), count(is_tied), count(is_between), negatives)

    def sums(self, across: np.ndarray) -> np.ndarray:
        """Return concordant pairs, all pairs, average precision times positives, and positives, of shape (4, draws).

        All are 0 in the draws, columns of ``across`` (units, draws), that have no positives or no negatives.
        """
        if not self.positives.shape[0]:
            return np.zeros((4, across.shape[1]))
        positives = self.positives @ across
        tied = self.tied @ across
        reached = np.cumsum(self.between @ across + tied, axis=0)
        found = np.cumsum(positives, axis=0)
        all_positives, all_negatives = found[-1], self.negatives @ across
        concordant = (positives * (all_negatives - reached + tied / 2)).sum(axis=0)
        called = found + reached
        precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
        average = (positives * precision).sum(axis=0)
        has_both = (all_positives > 0) & (all_negatives > 0)
        return has_both * np.stack([concordant, all_positives * all_negatives, average, all_positives])


class WeightedRegression:
    """Regression metrics under weights of units.

    Parameters
    ----------
    truth, predicted
        Real numbers of shape (samples,).
    units
        Unit of each sample, int64 in [0, num_units), of shape (samples,).
    num_units
        Number of units.
    folds
        Fold of each sample when they were predicted by the models of a cross-validation.
    """

    def __init__(
        self, truth: np.ndarray, predicted: np.ndarray, units: np.ndarray, num_units: int, *, folds: np.ndarray | None = None
    ) -> None:
        self._units = units
        self._truth = truth - truth.mean()
        error = truth - predicted
        columns = (np.ones(len(truth)), error**2, np.abs(error))
        self._sums = np.stack([np.bincount(units, column, minlength=num_units) for column in columns], axis=1)
        self._folds = [_CorrelatedFold.of(truth, predicted, rows) for rows in fold_members(len(truth), folds)]

    def metrics(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Return each metric for each row of weights.

        Parameters
        ----------
        weights
            Of shape (draws, units), not negative.

        Returns
        -------
        dict
            Metric name to float64 of shape (draws,); NaN where it is not defined.
        """
        of_samples = weights[:, self._units].astype(np.float64)
        total, squared, absolute = (weights @ self._sums).T
        truth_mean = of_samples @ self._truth / total
        variation = of_samples @ self._truth**2 - total * truth_mean**2
        with np.errstate(invalid="ignore", divide="ignore"):
            r2 = np.where(variation > 1e-12 * total, 1 - squared / variation, np.nan)
        sums = np.sum([fold.sums(of_samples) for fold in self._folds], axis=0)
        return {
            "r2": r2,
            "pearson": _ratio(sums[0], sums[1]),
            "spearman": _ratio(sums[2], sums[3]),
            "mae": absolute / total,
            "rmse": np.sqrt(squared / total),
        }


@dataclass(frozen=True)
class _CorrelatedFold:
    """The samples that one model predicted; truth and predictions have mean 0 and standard deviation 1, or are 0 where constant."""

    rows: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    truth_order: _SortedBlocks
    predicted_order: _SortedBlocks

    @classmethod
    def of(cls, truth: np.ndarray, predicted: np.ndarray, rows: np.ndarray) -> _CorrelatedFold:
        """Standardize and sort the rows of one fold."""
        one, other = _standardized(truth[rows]), _standardized(predicted[rows])
        return cls(rows, one, other, _SortedBlocks.of(truth[rows]), _SortedBlocks.of(predicted[rows]))

    def sums(self, of_samples: np.ndarray) -> np.ndarray:
        """Return correlation times weight, and weight, of the values and then of the ranks, of shape (4, draws).

        All are 0 in the draws, rows of ``of_samples`` (draws, samples), in which the correlation is not defined.
        """
        weights = of_samples[:, self.rows]
        ranks = self.truth_order.ranks(weights), self.predicted_order.ranks(weights)
        found = [_weighted_correlation(weights, one, other) for one, other in ((self.truth, self.predicted), ranks)]
        total = weights.sum(axis=1)
        return np.stack([part for each in found for part in (np.nan_to_num(each) * total, ~np.isnan(each) * total)])


def _standardized(values: np.ndarray) -> np.ndarray:
    """Return values with mean 0 and standard deviation 1, exactly 0 where they are constant: no rounding is left to correlate."""
    if np.ptp(values) == 0:
        return np.zeros(len(values))
    centered = values - values.mean()
    return centered / np.sqrt(np.mean(centered**2))


@dataclass(frozen=True)
class _SortedBlocks:
    """Samples sorted by value, in blocks of equal values."""

    order: np.ndarray
    starts: np.ndarray
    block: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> _SortedBlocks:
        order = np.argsort(values, kind="stable")
        found, block = np.unique(values, return_inverse=True)
        return cls(order, np.searchsorted(values[order], found), block)

    def ranks(self, of_samples: np.ndarray) -> np.ndarray:
        """Return the mid-rank (up to a constant) of each sample among the weighted samples, of shape (draws, samples)."""
        weight = np.add.reduceat(of_samples[:, self.order], self.starts, axis=1)
        return (np.cumsum(weight, axis=1) - weight / 2)[:, self.block]


def _weighted_correlation(weights: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the correlation of two variables, of shape (samples,) or (draws, samples), under each row of weights."""
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1)  # whole numbers: 0 in the draws that leave all these samples out
    one = one - (weights * one).sum(axis=1, keepdims=True) / total
    other = other - (weights * other).sum(axis=1, keepdims=True) / total
    spread = np.sqrt((weights * one**2).sum(axis=1) * (weights * other**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 1e-12, (weights * one * other).sum(axis=1) / spread, np.nan)
