"""Matrices as every other part wants them, and what their values are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.samples import ValueKind

BLOCK_ROWS = 4096
"""Rows of a dense matrix that are turned into sparse ones at a time, so that no second dense copy is made."""
MAX_ROWS_SEEN = 2000
"""Rows that :func:`describe_matrix` looks at, at most."""
MAX_CELLS_SEEN = 20_000_000
"""Rows times columns that :func:`describe_matrix` looks at (but never fewer than 200 rows)."""
WHOLE_TOLERANCE = 1e-4
"""Distance to the nearest integer up to which a value counts as whole."""
CONSTANT_TOTAL = 0.05
"""Coefficient of variation of the samples' totals below which they are called equal."""
EXACT_TOTAL = 1e-3
"""The same where values could be logarithms, whose totals are alike too when every sample is dense."""
LOG_MAXIMUM = 25.0
"""Logarithms of counts stay below this value (e^25 and 2^25 are more reads than one sample has)."""

_MULTIPLES = "whole multiples of each sample's smallest value: counts divided by one number per sample"


def to_csr(matrix: Any, name: str) -> sp.csr_matrix:
    """Return any two-dimensional matrix as canonical CSR float32, non-finite values included.

    Canonical means: no stored zeros, sorted column indices, no duplicates (they are summed). The input is never changed; its
    arrays are shared when they are canonical already.

    Parameters
    ----------
    matrix
        SciPy sparse matrix or array of any format, NumPy array or matrix, or a matrix on disk (``h5py.Dataset`` or AnnData's
        backed sparse data sets).
    name
        What it is called in messages, for example ``cells.h5ad:X``.

    Returns
    -------
    scipy.sparse.csr_matrix
        Of shape (samples, features), float32.

    Raises
    ------
    DataError
        When the matrix is not two-dimensional, does not hold numbers, or its index arrays are damaged.
    """
    if hasattr(matrix, "to_memory"):
        matrix = matrix.to_memory()
    if len(getattr(matrix, "shape", ())) != 2:
        raise DataError(f"expected a matrix of samples by features, found {type(matrix).__name__}", where=name)
    if np.dtype(matrix.dtype).kind not in "buif":
        raise DataError(f"the values are not real numbers (their type is {matrix.dtype})", where=name)
    if sp.issparse(matrix):
        return _canonical(_float_csr(matrix, name), shared_with=matrix)
    with np.errstate(over="ignore"):
        blocks = [
            sp.csr_matrix(np.asarray(matrix[start : start + BLOCK_ROWS]).astype(np.float32))
            for start in range(0, matrix.shape[0], BLOCK_ROWS)
        ]
    return sp.csr_matrix(sp.vstack(blocks, format="csr")) if blocks else sp.csr_matrix(matrix.shape, dtype=np.float32)


def _float_csr(matrix: Any, name: str) -> sp.csr_matrix:
    try:
        if matrix.format in ("csr", "csc"):
            matrix.check_format(full_check=True)
        with np.errstate(over="ignore"):
            return sp.csr_matrix(matrix, dtype=np.float32)
    except ValueError as error:
        raise DataError(f"the sparse matrix is damaged ({error})", where=name, remedy="write the file again") from error


def _canonical(csr: sp.csr_matrix, *, shared_with: Any) -> sp.csr_matrix:
    """Remove stored zeros and duplicates; copy first when the arrays belong to somebody else."""
    if csr.has_canonical_format and np.count_nonzero(csr.data) == csr.nnz:
        return csr
    others = [getattr(shared_with, part, None) for part in ("data", "indices", "indptr")]
    if any(isinstance(other, np.ndarray) and np.shares_memory(other, own) for other in others for own in (csr.data, csr.indices)):
        csr = csr.copy()
    csr.sum_duplicates()
    csr.eliminate_zeros()
    return csr


def find_non_finite(csr: sp.csr_matrix) -> tuple[int, int, int] | None:
    """Return how many stored values are NaN or infinite, and row and column of the first; ``None`` when there is none."""
    places = np.flatnonzero(~np.isfinite(csr.data))
    if not len(places):
        return None
    first = int(places[0])
    row = int(np.searchsorted(csr.indptr, first, side="right")) - 1
    return len(places), row, int(csr.indices[first])


def non_finite_error(found: tuple[int, int, int], name: str) -> DataError:
    """Return the error for what :func:`find_non_finite` found."""
    count, row, column = found
    return DataError(
        f"{count:,} {'value is' if count == 1 else 'values are'} missing or infinite, the first at sample {row}, feature {column} "
        "(counted from 0)",
        where=name,
        remedy="replace them, or leave out the samples or features that hold them",
    )


def as_csr(matrix: Any, name: str) -> sp.csr_matrix:
    """Return any two-dimensional matrix as canonical CSR float32, and refuse values that are not finite.

    Parameters
    ----------
    matrix
        See :func:`to_csr`.
    name
        What it is called in messages, for example ``cells.h5ad:X``.

    Returns
    -------
    scipy.sparse.csr_matrix
        Of shape (samples, features), float32, no stored zeros, sorted indices, no duplicates.

    Raises
    ------
    DataError
        When :func:`to_csr` does, or when a value is NaN or infinite (in 32 bits).
    """
    csr = to_csr(matrix, name)
    found = find_non_finite(csr)
    if found:
        raise non_finite_error(found, name)
    return csr


@dataclass(frozen=True)
class MatrixState:
    """What the values of a matrix are, and how that is known.

    Parameters
    ----------
    kind
        ``counts``, ``normalized``, ``log``, ``scaled`` or ``unknown``.
    evidence
        What it was concluded from, in words.
    density
        Share of values that are not zero, in the rows that were looked at.
    minimum, maximum
        Smallest and largest finite value in these rows, zeros included; 0 for an empty matrix.
    num_non_finite
        NaN and infinite values in these rows.
    rows_seen
        Rows that were looked at.
    """

    kind: ValueKind
    evidence: str
    density: float
    minimum: float
    maximum: float
    num_non_finite: int
    rows_seen: int


def describe_matrix(matrix: Any, name: str = "matrix") -> MatrixState:
    """Say what the values of a matrix are, from at most 2,000 evenly spaced rows.

    - ``counts``: whole numbers, none negative (or mostly whole, as estimated counts are).
    - ``log``: not negative, below 25, not whole. The evidence names the strongest of: ``exp(x) - 1`` or ``2^x - 1`` has the same
      total in every sample; it gives whole multiples of each sample's smallest value (so it was a count once); only the range.
    - ``normalized``: not negative, not whole, the same total in every sample, or whole multiples of each sample's smallest value.
    - ``scaled``: negative values with features centered at 0, or every feature with variance 1.
    - ``unknown``: everything else, with the reason.

    Parameters
    ----------
    matrix
        See :func:`to_csr`.
    name
        What it is called in messages.

    Returns
    -------
    MatrixState
        Kind, evidence and range.

    Raises
    ------
    DataError
        When the matrix is not two-dimensional or does not hold numbers.
    """
    rows = _sample_rows(matrix, name)
    finite = np.isfinite(rows.data)
    num_non_finite = int(len(finite) - finite.sum())
    if num_non_finite:
        rows.data[~finite] = 0.0
        rows.eliminate_zeros()
    has_zeros = rows.nnz < rows.shape[0] * rows.shape[1]
    values = rows.data
    bounds = [float(values.min()), float(values.max())] if rows.nnz else [0.0, 0.0]
    minimum, maximum = (min(bounds[0], 0.0), max(bounds[1], 0.0)) if has_zeros else (bounds[0], bounds[1])
    kind, evidence = _decide(rows, minimum, maximum)
    if rows.shape[0] < matrix.shape[0]:
        evidence += f" (in {rows.shape[0]:,} evenly spaced samples)"
    if num_non_finite:
        evidence += f"; {num_non_finite:,} values are missing or infinite"
    return MatrixState(
        kind=kind,
        evidence=evidence,
        density=rows.nnz / max(rows.shape[0] * rows.shape[1], 1),
        minimum=minimum,
        maximum=maximum,
        num_non_finite=num_non_finite,
        rows_seen=rows.shape[0],
    )


def _sample_rows(matrix: Any, name: str) -> sp.csr_matrix:
    """Return evenly spaced rows as a float64 CSR matrix that belongs to the caller."""
    shape: tuple[int, ...] = getattr(matrix, "shape", ())
    if len(shape) != 2:
        raise DataError(f"expected a matrix of samples by features, found {type(matrix).__name__}", where=name)
    count = min(shape[0], MAX_ROWS_SEEN, max(200, MAX_CELLS_SEEN // max(shape[1], 1)))
    if count < shape[0]:
        places = np.linspace(0, shape[0] - 1, count).astype(np.int64)
        matrix = (matrix.tocsr() if sp.issparse(matrix) else matrix)[places]
    return to_csr(matrix, name).astype(np.float64, copy=True)


def _decide(rows: sp.csr_matrix, minimum: float, maximum: float) -> tuple[ValueKind, str]:
    values = rows.data
    if not rows.nnz:
        return "unknown", "every value is 0" if rows.shape[0] and rows.shape[1] else "the matrix is empty"
    if minimum < 0:
        return _decide_negative(rows, minimum, maximum)
    whole = float(np.mean(np.abs(values - np.rint(values)) <= WHOLE_TOLERANCE))
    if whole == 1.0 and (maximum >= LOG_MAXIMUM or _equal(rows) or not _log_by_totals(rows)):
        note = "only 0 and 1: whether a feature was seen" if maximum == 1 else f"whole numbers from {minimum:.0f} to {maximum:,.0f}"
        return "counts", note
    if whole >= 0.5 and maximum > LOG_MAXIMUM and not _equal(rows):
        return "counts", f"{whole:.0%} whole numbers up to {maximum:,.0f}: estimated or corrected counts"
    return _decide_fractional(rows, maximum)


def _decide_fractional(rows: sp.csr_matrix, maximum: float) -> tuple[ValueKind, str]:
    deviations = _feature_deviations(rows)
    if len(deviations) >= 3 and np.quantile(np.abs(deviations - 1), 0.75) < 0.15:
        return "scaled", "no negative values, but every feature has variance 1 (scaled without centering)"
    spread = _spread(_totals(rows))
    total = float(np.median(_totals(rows)))
    if maximum < LOG_MAXIMUM:
        # Near 0, exp(x) - 1 is x: fractions of a total would pass as logarithms if the range were not looked at.
        logged = (_log_by_totals(rows) or _log_by_multiples(rows)) if maximum > 1 or spread >= EXACT_TOTAL else ""
        if logged:
            return "log", logged
        if spread < EXACT_TOTAL:
            return "normalized", f"every sample sums to about {total:,.4g}, and the values are not logarithms"
        if _share_of_multiples(rows) > 0.9:
            return "normalized", _MULTIPLES
        return "log", f"not negative, not whole, at most {maximum:.3g}: the range of logarithms; the totals before do not show"
    if spread < CONSTANT_TOTAL:
        return "normalized", f"not whole, and every sample sums to about {total:,.0f} (varies by {spread:.1%})"
    if _share_of_multiples(rows) > 0.9:
        return "normalized", _MULTIPLES
    return "unknown", (
        f"not negative, not whole, up to {maximum:,.4g}, totals vary by {spread:.0%}: neither counts, nor logarithms, nor scaled "
        "to one total"
    )


def _powers(rows: sp.csr_matrix) -> dict[str, sp.csr_matrix]:
    """Return what the values were before each usual logarithm, by the logarithm's name and its inverse."""
    powers = {}
    for text, factor in (("log1p: exp(x) - 1", 1.0), ("log2(x + 1): 2^x - 1", float(np.log(2.0)))):
        powers[text] = rows.copy()
        powers[text].data = np.expm1(rows.data * factor)
    return powers


def _log_by_totals(rows: sp.csr_matrix) -> str:
    """Return how the totals before the logarithm show one, or nothing."""
    powers = _powers(rows)
    # Totals that are nearly equal under one base may pass under the other too: the right base has the smaller spread.
    text = min(powers, key=lambda name: _spread(_totals(powers[name])))
    totals = _totals(powers[text])
    if not _equal(powers[text]) or _spread(_totals(rows)) < EXACT_TOTAL < _spread(totals):
        return ""
    # A value that is the largest by far in every sample makes all powers' totals equal, whatever the values are.
    lengths = np.diff(rows.indptr)
    largest = np.maximum.reduceat(powers[text].data, rows.indptr[:-1][lengths > 0])
    if np.median(largest / totals) > 0.9:
        return ""
    return f"{text} sums to about {np.median(totals):,.0f} in every sample"


def _log_by_multiples(rows: sp.csr_matrix) -> str:
    """Return how values that are not whole show that they were counts before the logarithm, or nothing."""
    if _share_of_multiples(rows) > 0.9:
        return ""
    for text, values in _powers(rows).items():
        if np.mean(np.abs(values.data - np.rint(values.data)) < 1e-3) > 0.99:
            return f"{text} gives whole numbers: logarithms of counts that were not normalized"
        if _share_of_multiples(values) > 0.9:
            return f"{text} gives whole multiples of each sample's smallest value, as counts do"
    return ""


def _decide_negative(rows: sp.csr_matrix, minimum: float, maximum: float) -> tuple[ValueKind, str]:
    means, deviations = _feature_moments(rows)
    varying = deviations > 1e-8
    if not varying.any():
        return "unknown", f"negative values (down to {minimum:.3g}), and every feature is constant"
    off_center = float(np.median(np.abs(means[varying]) / deviations[varying]))
    deviation = float(np.median(deviations[varying]))
    clipped = maximum == 10.0 and np.count_nonzero(rows.data == maximum) > 1
    if off_center < 0.1 + 2 / np.sqrt(rows.shape[0]) or clipped:
        spread = f"standard deviation {deviation:.2f}"
        return "scaled", (
            f"negative values (down to {minimum:.3g}); features centered near 0, {spread}" + (", clipped at 10" if clipped else "")
        )
    return "unknown", f"negative values (down to {minimum:.3g}), yet the features are not centered at 0"


def _totals(rows: sp.csr_matrix) -> np.ndarray:
    """Return the totals of the samples that are not empty."""
    totals = np.asarray(rows.sum(axis=1)).ravel()
    return totals[np.diff(rows.indptr) > 0]


def _spread(totals: np.ndarray) -> float:
    """Return the coefficient of variation; infinite for fewer than 3 totals, from which nothing follows."""
    return float(totals.std() / totals.mean()) if len(totals) >= 3 and totals.mean() > 0 else np.inf


def _equal(rows: sp.csr_matrix) -> bool:
    return _spread(_totals(rows)) < CONSTANT_TOTAL


def _share_of_multiples(rows: sp.csr_matrix) -> float:
    """Return the share of values that are whole multiples of their sample's smallest value.

    Values from 1.5 to 50 times the smallest are looked at; by chance 4 % of them would be within 0.02 of a whole number.
    Returns 0 for fewer than 20 such values.
    """
    lengths = np.diff(rows.indptr)
    starts = rows.indptr[:-1][lengths > 0]
    smallest = np.repeat(np.minimum.reduceat(rows.data, starts), lengths[lengths > 0])
    ratios = rows.data / smallest
    ratios = ratios[(ratios > 1.5) & (ratios < 50)]
    return float(np.mean(np.abs(ratios - np.rint(ratios)) < 0.02)) if len(ratios) >= 20 else 0.0


def _feature_moments(rows: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of every feature, zeros included."""
    means = np.asarray(rows.mean(axis=0)).ravel()
    squares = np.asarray(rows.multiply(rows).mean(axis=0)).ravel()
    return means, np.sqrt(np.maximum(squares - means**2, 0.0))


def _feature_deviations(rows: sp.csr_matrix) -> np.ndarray:
    """Return the standard deviations of the features that vary."""
    deviations = _feature_moments(rows)[1]
    return deviations[deviations > 1e-8]
