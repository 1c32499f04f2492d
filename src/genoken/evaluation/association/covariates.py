"""Covariates and an intercept as an orthonormal basis, so that they can be projected out once for all variants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from genoken.core.errors import DataError

_INDEPENDENT = 1e-9
"""Smallest length, of a column of length 1, that must be left after the columns before it are projected out."""


def covariate_basis(covariates: np.ndarray | None, num_samples: int) -> np.ndarray:
    """Return an orthonormal basis of an intercept and the covariates; columns that follow from others are left out.

    Parameters
    ----------
    covariates
        float (samples, covariates), without an intercept; ``None`` for the intercept alone.
    num_samples
        Number of samples.

    Returns
    -------
    numpy.ndarray
        float64 (samples, rank).

    Raises
    ------
    DataError
        When covariates are not finite, or leave fewer than two degrees of freedom.
    """
    import scipy.linalg

    columns = np.ones((num_samples, 1))
    if covariates is not None:
        given = np.asarray(covariates, dtype=np.float64).reshape(num_samples, -1)
        if not np.isfinite(given).all():
            raise DataError("covariates hold missing or infinite numbers", remedy="impute them, or leave out their samples")
        columns = np.concatenate([columns, given], axis=1)
    lengths = np.linalg.norm(columns, axis=0)
    basis, triangle, _ = scipy.linalg.qr(columns / np.where(lengths > 0, lengths, 1.0), mode="economic", pivoting=True)
    rank = int((np.abs(np.diag(triangle)) > _INDEPENDENT).sum())
    if num_samples - rank < 3:
        raise DataError(f"{num_samples} samples are too few for {rank - 1} covariates")
    return np.ascontiguousarray(basis[:, :rank])


def covariate_columns(table: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Return columns of a sample table as covariates, float64 (samples, any).

    Numbers stand as they are, missing ones at the mean of the others; of other columns every value but the first, in sorted order,
    has an indicator, and a missing value is a value.

    Raises
    ------
    DataError
        When there is no such column.
    """
    found = [np.zeros((len(table), 0))]
    for name in names:
        if name not in table:
            raise DataError(f"there is no column '{name}' among the samples", remedy="name covariates that the samples have")
        if pd.api.types.is_numeric_dtype(table[name]):
            numbers = table[name].astype(np.float64)
            found.append(numbers.fillna(numbers.mean()).to_numpy()[:, None])
        else:
            values, codes = np.unique(table[name].astype(str), return_inverse=True)
            found.append((codes[:, None] == np.arange(1, len(values))).astype(np.float64))
    return np.concatenate(found, axis=1)


def without_covariates(values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return float64 columns (samples, any) or one column (samples,) with their part in the basis taken away."""
    return values - basis @ (basis.T @ values)
