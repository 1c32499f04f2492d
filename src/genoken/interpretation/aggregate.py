"""From the scores of tokens to the importance of genes, and how numbers of genes go together."""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy.sparse as sp

Aggregate = Literal["mean", "max", "median"]
_BLOCK = 1024
"""Features that are dense at once."""


def gene_importance(scores: sp.csr_matrix, how: Aggregate) -> np.ndarray:
    """Put the samples' scores of each gene together; a gene that is no token of a sample counts 0 there.

    Parameters
    ----------
    scores
        CSR matrix (samples, features).
    how
        ``mean``; ``median``; or ``max``, the score of largest magnitude with its sign (the positive one of two equals).

    Returns
    -------
    numpy.ndarray
        float64 of shape (features,); zeros where there is no sample.
    """
    num_samples, num_features = scores.shape
    if num_samples == 0:
        return np.zeros(num_features)
    if how == "mean":
        return np.asarray(scores.sum(axis=0)).ravel() / num_samples
    if how == "max":
        highest = np.asarray(scores.max(axis=0).todense()).ravel()
        lowest = np.asarray(scores.min(axis=0).todense()).ravel()
        return np.where(highest >= -lowest, highest, lowest).astype(np.float64)
    columns = scores.tocsc()
    blocks = [np.median(columns[:, start : start + _BLOCK].toarray(), axis=0) for start in range(0, num_features, _BLOCK)]
    return np.concatenate([*blocks, np.zeros(0)]).astype(np.float64)


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Spearman correlation, ties sharing their mean rank; NaN for fewer than 2 values or a constant."""
    from scipy.stats import rankdata

    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def variances(values: sp.csr_matrix) -> np.ndarray:
    """Return the variance of each feature over the samples, float64 (features,), absent ones counting 0."""
    values, count = values.astype(np.float64), max(values.shape[0], 1)
    mean = np.asarray(values.sum(axis=0)).ravel() / count
    variance = np.asarray(values.multiply(values).sum(axis=0)).ravel() / count - mean**2
    # What rounding leaves of the variance of a constant feature is no variance.
    return np.where(variance > 1e-12 * (mean**2 + 1e-300), variance, 0.0)


def value_correlations(values: sp.csr_matrix, targets: np.ndarray) -> np.ndarray:
    """Return the Pearson correlation of each gene's values with each target, absent genes counting 0.

    With a target of zeros and ones this is the point-biserial correlation.

    Parameters
    ----------
    values
        CSR matrix (samples, features).
    targets
        Shape (samples, targets), for example one indicator per class.

    Returns
    -------
    numpy.ndarray
        Shape (features, targets), within [-1, 1]; NaN where a gene or a target is constant.
    """
    values = values.astype(np.float64)
    count = max(values.shape[0], 1)
    centered = targets - targets.mean(axis=0)
    scale = np.sqrt(variances(values))[:, None] * centered.std(axis=0)
    covariance = np.asarray(values.T @ centered) / count
    return np.clip(np.divide(covariance, scale, out=np.full(scale.shape, np.nan), where=scale > 0), -1.0, 1.0)
