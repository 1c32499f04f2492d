"""The table of genes: one row per class and gene, with the controls of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from genoken.core.random import generator
from genoken.interpretation.aggregate import Aggregate
from genoken.interpretation.pool import GeneUnion, PooledMatrix, split_half_stability

COLUMNS = ("class", "feature_id", "symbol", "rank", "importance", "stability", "method", "correlation")
"""Columns of ``explanations/genes.tsv``."""


def gene_table(
    scores: PooledMatrix,
    members: np.ndarray,
    names: Sequence[str],
    correlations: np.ndarray,
    genes: GeneUnion,
    *,
    aggregate: Aggregate,
    method: str,
    seed: int,
) -> pd.DataFrame:
    """Return one row per class and gene, the most important first within each class.

    Parameters
    ----------
    scores
        Matrix (samples, features).
    members
        Index into ``names`` of each sample, shape (samples,).
    names
        Classes or groups, in order; those without samples are left out.
    correlations
        The simple control, shape (features, names).
    genes
        Identifier and symbol of each feature.
    aggregate
        See :func:`genoken.interpretation.aggregate.gene_importance`.
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
        own = scores.take(np.flatnonzero(members == code))
        if len(own) == 0:
            continue
        importance = own.importance(aggregate)
        order = np.argsort(-np.abs(importance), kind="stable")
        columns = {
            "class": [name] * len(order),
            "feature_id": np.asarray(genes.feature_ids, dtype=object)[order],
            "symbol": np.asarray(genes.symbols, dtype=object)[order],
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
