"""Restricted maximum likelihood by one eigendecomposition, and the effects of features that follow from it.

The model is ``y = X b + Z w + e`` with few columns ``X`` that are not penalized, standardized features ``Z``, effects
``w ~ N(0, s h / m)`` of ``m`` features and noise ``e ~ N(0, s (1 - h))``; ``h`` is the share of the variance that features explain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

_MOST_EXPLAINED = 0.99
"""Largest share of the variance that features may explain: at 1 the covariance of samples that are alike is singular."""
_GRID = 34
_INDEPENDENT = 1e-9
_COLUMNS_AT_ONCE = 4096


@dataclass(frozen=True)
class LinearEffects:
    """Effects of the columns as they were given.

    Parameters
    ----------
    weights
        float64 (columns, targets).
    intercept
        float64 (targets,).
    explained
        Share of each target's variance that the features explain, beyond covariates; float64 (targets,).
    """

    weights: np.ndarray
    intercept: np.ndarray
    explained: np.ndarray


def fit_effects(values: sp.csr_matrix, num_covariates: int, targets: np.ndarray) -> LinearEffects:
    """Return the effects that are expected of each column given the targets, with ``h`` by restricted maximum likelihood.

    Parameters
    ----------
    values
        CSR (samples, columns): features, and behind them covariates.
    num_covariates
        Last columns that are fixed effects, beside an intercept.
    targets
        float64 (samples, targets); each has an ``h`` of its own, the decomposition is shared.

    Notes
    -----
    Time grows with the third power of the number of samples, memory with the second.

    References
    ----------
    Kang et al. 2008, doi:10.1534/genetics.107.080101, for the decomposition; VanRaden 2008, doi:10.3168/jds.2007-0980, for effects
    of variants from those of samples.
    """
    import scipy.linalg

    num_features = values.shape[1] - num_covariates
    features = values[:, :num_features].astype(np.float64)
    fixed = np.hstack([np.ones((len(targets), 1)), values[:, num_features:].toarray().astype(np.float64)])
    mean, deviation = _moments(features)
    num_varying = max(int((deviation > 0).sum()), 1)
    per_unit = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    kinship = _kinship(features, mean, per_unit) / num_varying
    outside = _complement(fixed)
    eigenvalues, vectors = scipy.linalg.eigh(outside.T @ kinship @ outside)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    rotated = vectors.T @ (outside.T @ targets)
    explained = np.array([_share_explained(eigenvalues, column) for column in rotated.T])
    spread = eigenvalues[:, None] * explained + (1.0 - explained)
    residual = outside @ (vectors @ (rotated / spread))  # inverse covariance times what fixed effects leave, up to the scale
    covered = explained * (kinship @ residual) + (1.0 - explained) * residual
    of_fixed, *_ = np.linalg.lstsq(fixed, targets - covered, rcond=None)
    of_features = explained * per_unit[:, None] * _centered_product(features, mean, per_unit, residual) / num_varying
    weights = np.vstack([of_features, of_fixed[1:]])
    return LinearEffects(weights, of_fixed[0] - mean @ of_features, explained)


def _moments(features: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.utils.sparsefuncs import mean_variance_axis

    mean, variance = mean_variance_axis(features, axis=0)
    deviation = np.sqrt(variance)
    deviation[deviation <= _INDEPENDENT * max(deviation.max(initial=0.0), 1e-300)] = 0.0
    return mean, deviation


def _kinship(features: sp.csr_matrix, mean: np.ndarray, per_unit: np.ndarray) -> np.ndarray:
    """Return the products of standardized samples, (samples, samples), a block of features at a time."""
    by_column = features.tocsc()
    total = np.zeros((features.shape[0], features.shape[0]))
    for start in range(0, features.shape[1], _COLUMNS_AT_ONCE):
        chosen = slice(start, start + _COLUMNS_AT_ONCE)
        block = (by_column[:, chosen].toarray() - mean[chosen]) * per_unit[chosen]
        total += block @ block.T
    return total


def _centered_product(features: sp.csr_matrix, mean: np.ndarray, per_unit: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Return the standardized features, transposed, times columns (samples, targets)."""
    return per_unit[:, None] * (features.T @ residual - np.outer(mean, residual.sum(axis=0)))


def _complement(fixed: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of what is orthogonal to all columns, (samples, samples - rank)."""
    import scipy.linalg

    lengths = np.linalg.norm(fixed, axis=0)
    basis, triangle, _ = scipy.linalg.qr(fixed / np.where(lengths > 0, lengths, 1.0), mode="full", pivoting=True)
    rank = int((np.abs(np.diag(triangle)) > _INDEPENDENT).sum())
    return basis[:, rank:]


def _share_explained(eigenvalues: np.ndarray, rotated: np.ndarray) -> float:
    """Return the share ``h`` of the highest restricted likelihood, profiled over the scale."""
    from scipy.optimize import minimize_scalar

    if not len(rotated) or not (rotated**2).sum() > 0:
        return 0.0

    def loss(share: float) -> float:
        spread = share * eigenvalues + (1.0 - share)
        return float(np.log(spread).sum() + len(rotated) * np.log((rotated**2 / spread).sum()))

    grid = np.linspace(0.0, _MOST_EXPLAINED, _GRID)
    best = int(np.argmin([loss(share) for share in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)]
    found = minimize_scalar(loss, bounds=(low, high), method="bounded")
    return float(found.x) if found.fun < loss(grid[best]) else float(grid[best])
