"""From the scores of tokens to the importance of genes, per class or group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.random import generator

Aggregate = Literal["mean", "max", "median"]
COLUMNS = ("class", "feature_id", "symbol", "rank", "importance", "stability", "method", "correlation")
"""Columns of ``explanations/genes.tsv``."""
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


def split_half_stability(scores: sp.csr_matrix, how: Aggregate, rng: np.random.Generator) -> float:
    """Return the Spearman correlation between the magnitudes of importance in two random halves of the samples.

    Genes that are a token of no sample are left out, because their ties at 0 say nothing. NaN for fewer than 2 samples.
    """
    if scores.shape[0] < 2:
        return float("nan")
    halves = np.array_split(rng.permutation(scores.shape[0]), 2)
    seen = np.unique(scores.indices)
    first, second = (np.abs(gene_importance(scores[half], how))[seen] for half in halves)
    return spearman(first, second)


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
    mean = np.asarray(values.sum(axis=0)).ravel() / count
    variance = np.asarray(values.multiply(values).sum(axis=0)).ravel() / count - mean**2
    # What rounding leaves of the variance of a constant gene is no variance.
    variance = np.where(variance > 1e-12 * (mean**2 + 1e-300), variance, 0.0)
    scale = np.sqrt(variance)[:, None] * centered.std(axis=0)
    covariance = np.asarray(values.T @ centered) / count
    return np.clip(np.divide(covariance, scale, out=np.full(scale.shape, np.nan), where=scale > 0), -1.0, 1.0)


def gene_table(
    scores: sp.csr_matrix,
    members: np.ndarray,
    names: Sequence[str],
    correlations: np.ndarray,
    *,
    feature_ids: Sequence[str],
    symbols: Sequence[str],
    aggregate: Aggregate,
    method: str,
    seed: int,
) -> pd.DataFrame:
    """Return one row per class and gene, the most important first within each class.

    Parameters
    ----------
    scores
        CSR matrix (samples, features).
    members
        Index into ``names`` of each sample, shape (samples,).
    names
        Classes or groups, in order; those without samples are left out.
    correlations
        The simple control, shape (features, names).
    feature_ids, symbols
        Identifier and symbol of each feature.
    aggregate
        See :func:`gene_importance`.
    method
        Name of the method, for the column.
    seed
        Seed of the halves that ``stability`` compares.

    Returns
    -------
    pandas.DataFrame
        The columns :data:`COLUMNS`. ``rank`` counts from 1 by magnitude, ties by the order of the features.
    """
    parts = []
    for code, name in enumerate(names):
        own = scores[members == code]
        if own.shape[0] == 0:
            continue
        importance = gene_importance(own, aggregate)
        order = np.argsort(-np.abs(importance), kind="stable")
        columns = {
            "class": [name] * len(order),
            "feature_id": np.asarray(feature_ids, dtype=object)[order],
            "symbol": np.asarray(symbols, dtype=object)[order],
            "rank": np.arange(1, len(order) + 1),
            "importance": importance[order],
            "stability": split_half_stability(own, aggregate, generator(seed, "stability", name)),
            "method": method,
            "correlation": correlations[order, code],
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def top_rows(table: pd.DataFrame, top: int) -> pd.DataFrame:
    """Return the first ``top`` genes of each class, all of them for 0."""
    return table if top <= 0 else table[table["rank"] <= top].reset_index(drop=True)


def leading_genes(table: pd.DataFrame, count: int) -> list[str]:
    """Return up to ``count`` feature ids, taking the classes' genes in turn by rank, each gene once."""
    ordered = table[table["importance"] != 0].sort_values("rank", kind="stable")["feature_id"]
    return list(dict.fromkeys(ordered))[:count]
