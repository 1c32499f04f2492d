"""Dense genotypes as real numbers: missing calls at the variant's mean, standardized where asked for."""

from __future__ import annotations

import numpy as np

from genoken.core.genotypes import MISSING


def imputed(dense: np.ndarray) -> np.ndarray:
    """Return copies of the counted allele, a missing call at the mean of its variant's calls; 0 where there is none.

    Parameters
    ----------
    dense
        int8 (samples, variants) of 0, 1, 2 and ``MISSING``.

    Returns
    -------
    numpy.ndarray
        float64 (samples, variants).
    """
    values = dense.astype(np.float64)
    missing = dense == MISSING
    if missing.any():
        called = len(dense) - missing.sum(axis=0)
        means = values.sum(axis=0, where=~missing) / np.maximum(called, 1)
        values[missing] = np.broadcast_to(means, values.shape)[missing]
    return values


def standardized(dense: np.ndarray) -> np.ndarray:
    """Return :func:`imputed` genotypes of mean 0 and sum of squares 1, so that ``columns.T @ columns`` holds correlations.

    A variant without variation is 0 throughout: it is correlated with nothing, itself included.
    """
    return of_unit_length(imputed(dense))


def of_unit_length(values: np.ndarray) -> np.ndarray:
    """Return float64 columns of mean 0 and sum of squares 1; one without variation is 0 throughout."""
    centered = values - values.mean(axis=0)
    lengths = np.sqrt((centered**2).sum(axis=0))
    varies = lengths > 1e-9
    centered[:, ~varies] = 0.0
    return centered / np.where(varies, lengths, 1.0)
