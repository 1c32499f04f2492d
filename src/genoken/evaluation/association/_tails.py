"""Two-sided p as −log10, also where p itself is too small for a float."""

from __future__ import annotations

import numpy as np

_SMALLEST = 1e-250
_MOST_STEPS = 1000


def normal_minus_log10_p(statistic: np.ndarray) -> np.ndarray:
    """Return −log10 of the two-sided p of standard normal statistics; NaN stays."""
    from scipy.special import log_ndtr

    return -(np.log(2.0) + log_ndtr(-np.abs(statistic))) / np.log(10.0)


def student_minus_log10_p(statistic: np.ndarray, freedom: float) -> np.ndarray:
    """Return −log10 of the two-sided p of Student's t with ``freedom`` degrees of freedom; NaN stays.

    ``p = I_x(f/2, 1/2)`` with ``x = f / (f + t²)``. Where a float would underflow, its logarithm is taken of the factors, the
    last of which is a continued fraction.
    """
    from scipy.special import betaln, stdtr

    p = 2.0 * stdtr(freedom, -np.abs(statistic))
    found = np.where(np.isnan(statistic), np.nan, 0.0)
    usual = p > _SMALLEST
    found[usual] = -np.log10(np.minimum(p[usual], 1.0))
    tiny = ~usual & ~np.isnan(statistic)
    squared = np.asarray(statistic, dtype=np.float64)[tiny] ** 2
    first, second = freedom / 2.0, 0.5
    logarithm = (
        -first * np.log1p(squared / freedom)
        - second * np.log1p(freedom / squared)
        - np.log(first)
        - betaln(first, second)
        + np.log(_continued_fraction(first, second, freedom / (freedom + squared)))
    )
    found[tiny] = -logarithm / np.log(10.0)
    return found


def _continued_fraction(first: float, second: float, x: np.ndarray) -> np.ndarray:
    """Return the continued fraction of the incomplete beta function by Lentz's method (Abramowitz and Stegun 26.5.8)."""
    upper, lower = np.ones_like(x), 1.0 / (1.0 - (first + second) * x / (first + 1.0))
    value = lower.copy()
    for step in range(1, _MOST_STEPS):
        even = step * (second - step) * x / ((first + 2 * step - 1.0) * (first + 2 * step))
        odd = -(first + step) * (first + second + step) * x / ((first + 2 * step) * (first + 2 * step + 1.0))
        before = value
        for term in (even, odd):
            lower = 1.0 / (1.0 + term * lower)
            upper = 1.0 + term / upper
            value = value * lower * upper
        if np.allclose(value, before, rtol=1e-14, atol=0.0):
            break
    return value
