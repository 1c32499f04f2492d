r"""Ridge regression from the principal components of a cell to its mean successor.

With centered scores :math:`Z` of the train cells that have successors and their centered mean successors :math:`S`, the
coefficients are :math:`(Z^T Z + a I)^{-1} Z^T S`. The mean successors of all train cells are never held at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

STRENGTHS = tuple(float(10.0**power) for power in np.arange(-3, 3.5, 0.5))
"""Penalties to choose from, in units of the mean variance of a component times the number of cells."""


@dataclass(frozen=True)
class SuccessorRidge:
    """What is needed to predict with any strength of the penalty.

    Parameters
    ----------
    center
        (components,): mean scores.
    intercept
        (features,): the mean successor.
    axes
        (components, components): eigenvectors of the scores' second moments, in columns.
    variances
        (components,): their eigenvalues.
    moments
        (components, features): ``axes.T @ Z.T @ S``.
    """

    center: np.ndarray
    intercept: np.ndarray
    axes: np.ndarray
    variances: np.ndarray
    moments: np.ndarray

    def predict(self, scores: np.ndarray, strength: float) -> np.ndarray:
        """Return the expected successor of cells of these scores (cells, components), float32 (cells, features)."""
        return ((scores - self.center) @ self.weights(strength) + self.intercept).astype(np.float32)

    def weights(self, strength: float) -> np.ndarray:
        """Return the coefficients, (components, features)."""
        penalty = max(strength * float(self.variances.mean()), np.finfo(np.float64).tiny)
        return self.axes @ (self.moments / (self.variances + penalty)[:, None])


def fit_successor_ridge(scores: np.ndarray, means: sp.csr_matrix, values: sp.csr_matrix) -> SuccessorRidge:
    """Return the regression of mean successors on scores.

    Parameters
    ----------
    scores
        (starts, components): scores of the train cells that have successors.
    means
        (starts, train cells): takes the mean over each one's successors.
    values
        (train cells, features).
    """
    center = scores.mean(axis=0)
    centered = scores - center
    variances, axes = np.linalg.eigh(centered.T @ centered)
    intercept = np.asarray(means.mean(axis=0) @ values).ravel()
    pulled = (means.T @ (centered @ axes)).T  # scores carried over to the successors, so that these need not be averaged first
    return SuccessorRidge(center, intercept, axes, np.maximum(variances, 0.0), np.asarray((values.T @ pulled.T).T))
