"""Attention between genes over the samples of several models, and the table that it is written as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genoken.core.errors import ConfigError, suggestion
from genoken.core.random import generator
from genoken.interpretation.attention_weights import GeneAttention, gene_attention
from genoken.interpretation.draw import Draw, Part
from genoken.interpretation.pool import GeneUnion

ATTENTION_SAMPLES = 128
"""Samples over which attention between genes is averaged."""
ATTENTION_GENES = 30
"""Genes between which attention is shown."""
ROLLOUT = "rollout"
"""What stands for the head in the rows of the rollout."""


@dataclass(frozen=True)
class PooledAttention:
    """Attention between some genes over samples of all models.

    Parameters
    ----------
    feature_ids, symbols
        The genes.
    weights
        Sums over samples.
    """

    feature_ids: tuple[str, ...]
    symbols: tuple[str, ...]
    weights: GeneAttention

    def mean_matrix(self) -> np.ndarray:
        """Return the mean over samples, layers and heads, of shape (genes, genes); NaN for pairs that no sample holds."""
        return self.weights.mean(self.weights.by_head.mean(axis=(0, 1)))

    def table(self) -> pd.DataFrame:
        """Return one row per layer, head, query and key, then the rollout; ``docs/run-folder.md`` explains the columns."""
        num_layers, num_heads, num_genes, _ = self.weights.by_head.shape
        heads = [(layer, str(head)) for layer in range(num_layers) for head in range(num_heads)] + [(None, ROLLOUT)]
        matrices = [*self.weights.by_head.reshape(-1, num_genes, num_genes), self.weights.rollout]
        query, key = (index.ravel() for index in np.indices((num_genes, num_genes)))
        ids, symbols = np.asarray(self.feature_ids, dtype=object), np.asarray(self.symbols, dtype=object)
        columns = {
            "layer": pd.array(np.repeat([layer for layer, _ in heads], num_genes**2), dtype="Int64"),
            "head": np.repeat([head for _, head in heads], num_genes**2),
            "query": np.tile(ids[query], len(heads)),
            "key": np.tile(ids[key], len(heads)),
            "query_symbol": np.tile(symbols[query], len(heads)),
            "key_symbol": np.tile(symbols[key], len(heads)),
            "weight": np.concatenate([self.weights.mean(matrix).ravel() for matrix in matrices]),
            "samples": np.tile(self.weights.counts.ravel(), len(heads)),
        }
        return pd.DataFrame(columns)


def find_genes(genes: GeneUnion, names: Sequence[str]) -> list[str]:
    """Return the identifier of each gene that is named by its identifier or its symbol, each once.

    Raises
    ------
    ConfigError
        Naming the first that no model knows.
    """
    known = dict(reversed(list(zip(genes.symbols, genes.feature_ids, strict=True))))  # of equal symbols the first gene
    known |= {name: name for name in genes.feature_ids}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"the model knows no gene '{unknown[0]}'", remedy=suggestion(unknown[0], known, "genes"))
    return list(dict.fromkeys(known[name] for name in names))


def pool_attention(parts: Sequence[Part], draw: Draw, genes: GeneUnion, feature_ids: Sequence[str], seed: int) -> PooledAttention:
    """Sum up the attention between some genes over the drawn samples, each under its own model.

    Parameters
    ----------
    parts, draw
        Models, all with attention, and samples; of more than :data:`ATTENTION_SAMPLES`, that many are drawn anew.
    genes
        The genes of all models.
    feature_ids
        Those between which attention is read. A pair counts in the samples of the models that know both.
    seed
        Seed of the draw.
    """
    drawn = np.arange(len(draw))
    if len(drawn) > ATTENTION_SAMPLES:
        drawn = np.sort(generator(seed, "attention").choice(drawn, ATTENTION_SAMPLES, replace=False))
    place = {name: index for index, name in enumerate(genes.feature_ids)}
    chosen = [place[name] for name in feature_ids]
    total = GeneAttention.nothing(parts[0].subject, len(chosen))
    for model, part in enumerate(parts):
        own = {gene: feature for feature, gene in enumerate(genes.columns[model])}
        known = np.array([index for index, gene in enumerate(chosen) if gene in own], dtype=np.int64)
        features = np.array([own[chosen[index]] for index in known], dtype=np.int64)
        rows = draw.rows[drawn[draw.models[drawn] == model]]
        total.add(gene_attention(part.subject, rows, features), known)
    return PooledAttention(tuple(feature_ids), tuple(genes.symbols[gene] for gene in chosen), total)
