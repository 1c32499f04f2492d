"""The table of genes: one row per class and gene, with the controls of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from genoken.core.random import generator
from genoken.interpretation.aggregate import Aggregate
from genoken.interpretation.pool import GeneUnion, PooledMatrix, split_half_stability

COLUMNS = ("class", "feature_id", "symbol", "rank", "importance", "stability", "method", "correlation")
"""Columns of ``explanations/genes.tsv``; behind them stand those of :func:`genoken.interpretation.places.places_of`, if any."""
_SAME = 1e-9
"""Relative difference below which two scores are one."""


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
    varies: np.ndarray | None = None,
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
    varies
        Which features have more than one value among the samples, bool (features,); the others come after these, because what is
        the same in all cannot tell them apart. ``None``: all do.

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
        is_last = np.zeros(len(importance), dtype=bool) if varies is None else ~varies
        order = np.lexsort((-np.abs(importance), is_last))
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


def shared_scores(importance: np.ndarray, noun: str) -> str:
    """Return the sentence that says how many features share their score with others, empty where none does.

    Parameters
    ----------
    importance
        Scores of a list, float64 (features,).
    noun
        What a feature is called.
    """
    scores = np.sort(np.abs(importance[np.isfinite(importance) & (importance != 0)]))
    if len(scores) < 2:
        return ""
    starts = np.r_[True, np.diff(scores) > _SAME * scores[-1]]
    sizes = np.diff(np.r_[np.flatnonzero(starts), len(scores)])
    shared = int(sizes[sizes > 1].sum())
    if not shared:
        return ""
    return f"{shared:,} of these {len(importance):,} {noun}s share their score with others: {len(sizes):,} different scores in all."
