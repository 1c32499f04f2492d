"""Means over targets or cells, and over those of bootstrap draws, with everything of one unit drawn together."""

from __future__ import annotations

import numpy as np

from genoken.core.random import generator
from genoken.evaluation.bootstrap import LEAST_GROUPS, draw_weights, percentile_interval


class UnitDraws:
    """Means over targets, with the targets of a unit drawn together."""

    def __init__(self, units: np.ndarray, unit: str, seed: int, draws: int) -> None:
        self._unit_of = np.unique(units, return_inverse=True)[1]
        self.unit, self.draws = unit, draws
        self.num_units = int(self._unit_of.max()) + 1 if len(units) else 0
        enough = self.num_units >= LEAST_GROUPS
        self._weights = draw_weights(self.num_units, draws, generator(seed, "bootstrap")) if enough else None

    def sums(self, values: np.ndarray) -> tuple[float, np.ndarray | None]:
        """Return the sum over all targets, and over those of each draw (draws,)."""
        of_units = np.bincount(self._unit_of, weights=np.asarray(values, dtype=np.float64), minlength=self.num_units)
        return float(of_units.sum()), None if self._weights is None else self._weights @ of_units

    def mean(self, values: np.ndarray) -> tuple[float | None, np.ndarray | None]:
        """Return the mean over all targets, and over those of each draw."""
        total, drawn = self.sums(values)
        _, counts = self.sums(np.ones(len(values)))
        if not len(values):
            return None, None
        return total / len(values), None if drawn is None or counts is None else drawn / counts

    def correlation(self, one: np.ndarray, other: np.ndarray) -> tuple[float | None, np.ndarray | None]:
        """Return Pearson's correlation over all targets, and over those of each draw."""
        # centered first, lest the sums of squares cancel
        one, other = one - one.mean(), other - other.mean()
        parts = [self.mean(product) for product in (one, other, one * other, one**2, other**2)]
        value = _pearson(*(np.asarray(whole, dtype=np.float64) for whole, _ in parts))
        drawn = None if self._weights is None else _pearson(*(np.asarray(draw) for _, draw in parts))
        return None if np.isnan(value) else float(value), drawn


def _pearson(one: np.ndarray, other: np.ndarray, product: np.ndarray, square: np.ndarray, other_square: np.ndarray) -> np.ndarray:
    """Return the correlation from means of values, products and squares; NaN where one of the two is constant."""
    variances = (square - one**2) * (other_square - other**2)
    is_constant = variances <= 1e-12 * square * other_square
    return np.where(is_constant, np.nan, (product - one * other) / np.sqrt(np.where(is_constant, 1.0, variances)))


def drawn_interval(drawn: np.ndarray | None) -> list[float] | None:
    """Return the interval of a value in each draw; ``None`` without draws."""
    return None if drawn is None else percentile_interval(drawn)
