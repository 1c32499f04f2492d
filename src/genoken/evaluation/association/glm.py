"""One regression per variant, with covariates: what a genome-wide association study reports."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from genoken.core.errors import DataError
from genoken.data.genotypes.imputation import imputed
from genoken.evaluation.association._logistic import logistic_fit, refined
from genoken.evaluation.association._tails import normal_minus_log10_p, student_minus_log10_p
from genoken.evaluation.association.covariates import covariate_basis, without_covariates

COLUMNS = ("beta", "standard_error", "statistic", "p", "minus_log10_p", "test")
"""Columns of a table of associations, one row per variant; numbers are NaN where a variant, given the covariates, does not vary."""
REFINE_BELOW = 0.01
"""p of the score test from which on a logistic regression is fitted."""
MOST_REFINED = 2_000
"""Logistic regressions that are fitted at most, those of the smallest p; the others keep the score test."""
_VARIANTS_AT_ONCE = 1024
_VARIES = 1e-8
"""Smallest share of a variant's variance that covariates must leave."""


def linear_association(dense: np.ndarray, target: np.ndarray, covariates: np.ndarray | None = None) -> pd.DataFrame:
    """Regress a number on each variant and the covariates.

    With ``g`` and ``y`` the variant and the target less their projections on intercept and covariates, ``beta = g·y / g·g``,
    ``standard_error² = (y·y − beta² g·g) / (f g·g)`` with ``f = samples − covariates − 2`` degrees of freedom, and
    ``t = beta / standard_error``: the numbers of ordinary least squares with all columns, at the price of a product of matrices.

    Parameters
    ----------
    dense
        int8 (samples, variants) of 0, 1, 2 and ``MISSING``; a missing call counts as the variant's mean.
    target
        float (samples,), finite.
    covariates
        float (samples, covariates), finite, for example principal components, age and sex; an intercept is always added.

    Returns
    -------
    pandas.DataFrame
        :data:`COLUMNS`: effect of one more copy of the counted allele, its standard error, t, two-sided p (0 where it is too small
        for a float), ``−log10 p`` (finite there too), and ``linear``.

    Raises
    ------
    DataError
        When numbers are not finite, samples too few, or the covariates explain the target wholly.

    Notes
    -----
    A variant where calls are missing is tested as in ``plink2 --glm`` only where few are: there, their samples are left out.
    Relatives are not modeled: test unrelated samples.
    """
    target = _finite(target, len(dense))
    basis = covariate_basis(covariates, len(target))
    left = without_covariates(target, basis)
    total = left @ left
    if total <= 1e-18 * (target @ target):
        raise DataError("the covariates explain the target wholly", remedy="leave out the covariate that equals it")
    freedom = len(target) - basis.shape[1] - 1
    squares, products = np.full(dense.shape[1], np.nan), np.full(dense.shape[1], np.nan)
    for columns, values in _blocks(dense):
        residual = without_covariates(values, basis)
        squares[columns] = _varying((residual**2).sum(axis=0), ((values - values.mean(axis=0)) ** 2).sum(axis=0))
        products[columns] = residual.T @ left
    beta = products / squares
    error = np.sqrt(np.maximum(total - beta * products, 0.0) / (freedom * squares))
    with np.errstate(divide="ignore"):
        statistic = beta / error
    minus_log10 = student_minus_log10_p(statistic, freedom)
    return _table(beta, error, statistic, minus_log10, "linear")


def logistic_association(
    dense: np.ndarray,
    labels: np.ndarray,
    covariates: np.ndarray | None = None,
    *,
    refine_below: float = REFINE_BELOW,
    most_refined: int = MOST_REFINED,
) -> pd.DataFrame:
    """Regress the log odds of one of two classes on each variant and the covariates.

    Every variant has a score test: with ``μ`` the chances by the covariates alone, ``w = μ (1 − μ)``, ``U = g·(y − μ)`` and ``V``
    the sum of squares of ``√w g`` less its projection on ``√w`` covariates, ``z = U / √V``, and one step from zero gives ``beta =
    U / V``. Where p is small enough to matter, the regression is fitted: by maximum likelihood with Wald's test or, where that
    has no finite maximum (a class without one of the genotypes), with Firth's penalty and the likelihood ratio.

    Parameters
    ----------
    dense
        int8 (samples, variants) of 0, 1, 2 and ``MISSING``; a missing call counts as the variant's mean.
    labels
        0 and 1 of shape (samples,).
    covariates
        float (samples, covariates), finite; an intercept is always added.
    refine_below
        Largest p of the score test at which the regression is fitted: 0 for score tests alone, 1 to fit all.
    most_refined
        Most regressions that are fitted, those of the smallest p.

    Returns
    -------
    pandas.DataFrame
        :data:`COLUMNS`: log odds ratio of one more copy of the counted allele, its standard error, z, two-sided p, ``−log10 p``,
        and ``score``, ``wald`` or ``firth``. In Firth's, ``statistic`` is the root of the likelihood ratio with the sign of
        ``beta``.

    Raises
    ------
    DataError
        When labels are others than 0 and 1 or all the same, numbers are not finite, or the covariates tell the classes apart.

    References
    ----------
    Firth 1993, doi:10.1093/biomet/80.1.27; Heinze and Schemper 2002, doi:10.1002/sim.1047.
    """
    labels = _two_classes(labels, len(dense))
    basis = covariate_basis(covariates, len(labels))
    squares, products = _score_sums(dense, labels, basis, _null(basis, labels))
    beta, error = products / squares, 1.0 / np.sqrt(squares)
    statistic = products * error
    table = _table(beta, error, statistic, normal_minus_log10_p(statistic), "score")
    return refined_association(table, dense, labels, covariates, to_refine(table, refine_below, most_refined))


def to_refine(table: pd.DataFrame, below: float = REFINE_BELOW, most: int = MOST_REFINED) -> np.ndarray:
    """Return the variants of a table of score tests whose regressions are worth fitting, int64: the smallest p first."""
    strength, p = table["minus_log10_p"].to_numpy(), table["p"].to_numpy()
    ordered = np.argsort(-np.nan_to_num(strength, nan=-1.0), kind="stable")
    return ordered[p[ordered] <= below][:most]


def refined_association(
    table: pd.DataFrame, dense: np.ndarray, labels: np.ndarray, covariates: np.ndarray | None, variants: np.ndarray
) -> pd.DataFrame:
    """Return a table of score tests with the regressions of some variants fitted.

    Parameters
    ----------
    table
        What :func:`logistic_association` returns.
    dense, labels, covariates
        What it was given.
    variants
        Rows of the table.
    """
    if not len(variants):
        return table
    labels = _two_classes(labels, len(dense))
    basis = covariate_basis(covariates, len(labels))
    null = _null(basis, labels)
    found = np.empty((len(variants), 3))
    tests = table["test"].to_numpy(dtype=object, copy=True)
    for row, variant in enumerate(variants):
        design = np.concatenate([basis, imputed(dense[:, [variant]])], axis=1)
        *found[row], tests[variant] = refined(design, labels, null)
    numbers = table[list(COLUMNS[:-1])].to_numpy(dtype=np.float64, copy=True)
    minus_log10 = normal_minus_log10_p(found[:, 2])
    numbers[variants] = np.column_stack([found, 10.0**-minus_log10, minus_log10])
    return pd.DataFrame(numbers, columns=list(COLUMNS[:-1]), index=table.index).assign(test=tests)


def _two_classes(labels: np.ndarray, num_samples: int) -> np.ndarray:
    labels = _finite(labels, num_samples)
    if not np.isin(labels, (0.0, 1.0)).all() or labels.min() == labels.max():
        raise DataError("labels of a logistic regression are 0 and 1, both of them")
    return labels


def _null(basis: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the coefficients of the regression on the covariates alone."""
    null = logistic_fit(basis, labels)
    if null is None:
        raise DataError(
            "the covariates tell the two classes apart without a variant", remedy="leave out the covariate that equals the label"
        )
    return null


def _score_sums(dense: np.ndarray, labels: np.ndarray, basis: np.ndarray, null: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each variant's variance of the score (NaN where it does not vary) and the score."""
    chances = 1.0 / (1.0 + np.exp(-basis @ null))
    root = np.sqrt(chances * (1.0 - chances))[:, None]
    weighted = np.linalg.qr(root * basis)[0]
    squares, products = np.empty(dense.shape[1]), np.empty(dense.shape[1])
    for columns, values in _blocks(dense):
        residual = without_covariates(root * values, weighted)
        centered = without_covariates(root * values, root / np.linalg.norm(root))
        squares[columns] = _varying((residual**2).sum(axis=0), (centered**2).sum(axis=0))
        products[columns] = values.T @ (labels - chances)
    return squares, products


def _finite(numbers: np.ndarray, num_samples: int) -> np.ndarray:
    found = np.asarray(numbers, dtype=np.float64)
    if found.shape != (num_samples,):
        raise ValueError(f"{found.shape} targets for {num_samples} samples")
    if not np.isfinite(found).all():
        raise DataError("the target holds missing or infinite numbers", remedy="leave out samples without a target")
    return found


def _varying(left: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return sums of squares, NaN where the covariates left next to nothing."""
    return np.where(left > np.maximum(_VARIES * before, 1e-12), left, np.nan)


def _blocks(dense: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    for start in range(0, dense.shape[1], _VARIANTS_AT_ONCE):
        columns = slice(start, min(start + _VARIANTS_AT_ONCE, dense.shape[1]))
        yield columns, imputed(dense[:, columns])


def _table(beta: np.ndarray, error: np.ndarray, statistic: np.ndarray, minus_log10: np.ndarray, test: str) -> pd.DataFrame:
    numbers = (beta, error, statistic, 10.0**-minus_log10, minus_log10)
    return pd.DataFrame(dict(zip(COLUMNS[:-1], numbers, strict=True))).assign(test=test)
