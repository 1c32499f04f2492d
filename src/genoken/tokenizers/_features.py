"""What tokenizers share: normalizing values, choosing variable features, moments."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.samples import Samples
from genoken.core.threads import threads_kept

MINIMUM_SAMPLES_EXPRESSING = 3
"""Features seen in fewer train samples are not considered when variable features are chosen."""
MINIMUM_VARYING_FEATURES = 10
"""A local fit of degree 2 over 30 % of the features needs as many; on fewer than 4 the loess library ends the whole process."""


def row_factors(values: sp.csr_matrix, target_sum: float, totals: np.ndarray | None = None) -> np.ndarray:
    """Return what scales each row to a total of ``target_sum``, float64; 1 for rows of zeros.

    ``totals`` are those of the rows where ``values`` do not hold all of them.
    """
    sums = np.asarray(values.sum(axis=1, dtype=np.float64)).ravel() if totals is None else totals
    return np.divide(target_sum, sums, out=np.ones_like(sums), where=sums > 0)


def normalize_total_log1p(
    values: sp.csr_matrix, target_sum: float, *, total: bool, log: bool, totals: np.ndarray | None = None
) -> sp.csr_matrix:
    """Return ``log1p(target_sum * x / sum(x))`` row by row, each of the two steps only where asked; rows of zeros stay zeros.

    This is scanpy's ``normalize_total`` followed by ``log1p``; the sum runs over all features of the file. Where ``values`` do not
    hold them all, ``totals`` (rows,) are the sums.
    """
    result = values.astype(np.float64, copy=True)
    if total:
        result.data *= np.repeat(row_factors(result, target_sum, totals), np.diff(result.indptr))
    if log:
        np.log1p(result.data, out=result.data)
    return result.astype(np.float32)


def refuse_scores(samples: Samples, kind: str) -> None:
    """Refuse values that have no zero that could mean "not expressed".

    Raises
    ------
    DataError
        When they are scaled or of an unknown kind.
    """
    if samples.value_kind not in ("counts", "normalized", "log"):
        raise DataError(
            f"the values are {samples.value_kind}, and the {kind} tokenizer needs counts, normalized or log values",
            where=samples.origin,
            remedy="choose another matrix with --source (X, raw, layers/NAME); genoken check shows what each holds",
        )


def log_values(samples: Samples, target_sum: float) -> sp.csr_matrix:
    """Return counts scaled to ``target_sum`` (0: as they are) and logged, normalized values logged, and log values as they are."""
    return normalize_total_log1p(
        samples.values,
        target_sum,
        total=samples.value_kind == "counts" and target_sum > 0,
        log=samples.value_kind != "log",
        totals=samples.totals,
    )


def train_moments(values: sp.csr_matrix) -> dict[str, np.ndarray]:
    """Return what every tokenizer keeps of the prepared train values: moments over all samples, and over those above zero."""
    mean, deviation = feature_moments(values)
    expressed_mean, expressed_deviation = expressed_moments(values)
    return {
        "train_mean": mean,
        "train_deviation": deviation,
        "expressed_mean": expressed_mean,
        "expressed_deviation": expressed_deviation,
    }


def longest_sample(num_features: int, max_tokens: int) -> int:
    """Return the most tokens that a sample can have, CLS included; ``max_tokens`` 0 is no limit."""
    return min(max_tokens or num_features + 1, num_features + 1)


def rescale_log1p(values: sp.csr_matrix, factor: float) -> sp.csr_matrix:
    """Return ``log1p(factor * expm1(x))``: what log values would be, had they been normalized to ``factor`` times their total."""
    result = values.astype(np.float64, copy=True)
    result.data = np.log1p(factor * np.expm1(result.data))
    return result.astype(np.float32)


def expressed_features(samples: Samples, minimum_samples: int = 1) -> np.ndarray:
    """Return the sorted columns of the features that at least ``minimum_samples`` samples express.

    Raises
    ------
    DataError
        When there is none.
    """
    expressing = np.asarray((samples.values > 0).sum(axis=0)).ravel()
    columns = np.flatnonzero(expressing >= minimum_samples)
    if len(columns) == 0:
        raise DataError(
            "no feature is expressed in the train split", where=samples.origin, remedy="look at the file with genoken check"
        )
    return columns


def variable_features(samples: Samples, normalized: sp.csr_matrix, count: int) -> np.ndarray:
    """Return the sorted columns of the ``count`` most variable features; see :func:`ranked_variable_features`."""
    candidates = expressed_features(samples, min(MINIMUM_SAMPLES_EXPRESSING, samples.num_samples))
    return candidates if len(candidates) <= count else np.sort(ranked_variable_features(samples, normalized, count))


def ranked_variable_features(samples: Samples, normalized: sp.csr_matrix, count: int) -> np.ndarray:
    """Return the columns of the ``count`` most variable features, the most variable one first.

    scanpy's ``seurat_v3`` on counts (variance of the clipped, standardized counts around a loess fit of variance on mean), and its
    ``seurat`` on log values (dispersion, normalized within bins of the mean). Where too few samples or features make the loess fit
    impossible, ``seurat`` is used on the log values.

    Parameters
    ----------
    samples
        The train split.
    normalized
        Its log values, of the same shape.
    count
        How many features to take; all that are expressed at all when there are not more.
    """
    candidates = expressed_features(samples, min(MINIMUM_SAMPLES_EXPRESSING, samples.num_samples))
    count = min(count, len(candidates))
    ranked = _seurat_v3(samples.values[:, candidates], count) if samples.value_kind == "counts" else None
    if ranked is None:
        ranked = _seurat(normalized[:, candidates], count)
    return candidates[ranked]


def varying_features(samples: Samples, count: int) -> np.ndarray:
    """Return the sorted columns of the features with the largest standard deviations, ties by the lower column.

    Parameters
    ----------
    samples
        The train split of a dense panel.
    count
        How many features to take; 0 for all that vary.

    Raises
    ------
    DataError
        When none varies.
    """
    deviations = feature_moments(samples.values)[1]
    # Rounding gives constant features a deviation too; their range is 0 exactly.
    candidates = np.flatnonzero((samples.values.max(axis=0) - samples.values.min(axis=0)).toarray().ravel())
    if len(candidates) == 0:
        raise DataError("no feature varies in the train split", where=samples.origin, remedy="look at the file with genoken check")
    ranked = candidates[np.argsort(-deviations[candidates], kind="stable")]
    return np.sort(ranked[:count] if count else ranked)


def _seurat_v3(counts: sp.csr_matrix, count: int) -> np.ndarray | None:
    import warnings

    import anndata
    import scanpy

    if np.count_nonzero(feature_moments(counts)[1]) < MINIMUM_VARYING_FEATURES:
        return None
    adata = anndata.AnnData(counts)
    try:
        with warnings.catch_warnings(), threads_kept():
            warnings.simplefilter("ignore")
            table = scanpy.pp.highly_variable_genes(adata, n_top_genes=count, flavor="seurat_v3", inplace=False)
    except ValueError:  # the loess fit is singular on tiny or near-constant data; the caller falls back to dispersions
        return None
    chosen = np.flatnonzero(table["highly_variable"].to_numpy())
    return chosen[np.argsort(table["highly_variable_rank"].to_numpy()[chosen], kind="stable")]


def _seurat(log_values: sp.csr_matrix, count: int) -> np.ndarray:
    import warnings

    import anndata
    import scanpy

    adata = anndata.AnnData(log_values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Asked for a number of genes, scanpy fails where no dispersion can be normalized; the ranking below is the same.
        table = scanpy.pp.highly_variable_genes(adata, flavor="seurat", inplace=False)
    scores = table["dispersions_norm"].to_numpy(dtype=np.float64)
    scores = np.where(np.isfinite(scores), scores, -np.inf)
    return np.argsort(-scores, kind="stable")[:count]


def feature_moments(values: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation (divided by n) of each column, zeros counted, as float64."""
    count = max(values.shape[0], 1)
    mean = np.asarray(values.sum(axis=0, dtype=np.float64)).ravel() / count
    squares = np.asarray(values.multiply(values).sum(axis=0, dtype=np.float64)).ravel() / count
    return mean, np.sqrt(np.maximum(squares - mean**2, 0.0))


def expressed_moments(values: sp.csr_matrix, least: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation of each column over the samples where it is above zero, as float64.

    A column with at most ``least`` such samples takes the median deviation of the others; deviations below 0.3 of that median are
    raised to it, so that a feature that hardly varies is not blown up.
    """
    counts = np.diff(values.tocsc().indptr)
    sums = np.asarray(values.sum(axis=0, dtype=np.float64)).ravel()
    squares = np.asarray(values.multiply(values).sum(axis=0, dtype=np.float64)).ravel()
    mean = sums / np.maximum(counts, 1)
    deviation = np.sqrt(np.maximum(squares / np.maximum(counts, 1) - mean**2, 0.0))
    known = counts > least
    typical = float(np.median(deviation[known])) if known.any() else 1.0
    typical = typical if typical > 0 else 1.0
    return mean, np.where(known, np.maximum(deviation, 0.3 * typical), typical)
