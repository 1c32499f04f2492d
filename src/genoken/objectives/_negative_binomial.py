"""The negative binomial distribution of counts, by its mean and its inverse dispersion."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_LOG_DISPERSION = 15.0
"""Logarithms of the inverse dispersion are limited to this size; beyond it the distribution is Poisson's to seven digits."""


def log_likelihood(counts: Tensor, log_mean: Tensor, log_inverse_dispersion: Tensor) -> Tensor:
    """Return ``log P(counts)`` elementwise, in float64.

    ``P(x) = G(x + r) / (G(r) x!) (r / (r + m))^r (m / (r + m))^x`` with mean ``m``, inverse dispersion ``r`` and variance
    ``m + m^2 / r``; this is ``scipy.stats.nbinom(n=r, p=r / (r + m))``.

    Parameters
    ----------
    counts
        Whole numbers, 0 or more.
    log_mean
        ``ln m``.
    log_inverse_dispersion
        ``ln r``, limited to [-15, 15].
    """
    import torch

    # Differences of log-gammas of large numbers have no digits left in float32.
    counts, log_mean = counts.double(), log_mean.double()
    log_r = log_inverse_dispersion.double().clamp(-LARGEST_LOG_DISPERSION, LARGEST_LOG_DISPERSION)
    r = log_r.exp()
    log_sum = torch.logaddexp(log_r, log_mean)
    choices = torch.lgamma(counts + r) - torch.lgamma(r) - torch.lgamma(counts + 1)
    return choices + r * (log_r - log_sum) + counts * (log_mean - log_sum)
