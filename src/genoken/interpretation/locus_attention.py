"""Attention between the variants of a locus, as far as a network has any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from genoken.interpretation.draw import Draw, Part
from genoken.interpretation.gene_attention import pool_attention
from genoken.interpretation.pool import GeneUnion
from genoken.interpretation.subject import Subject

MOST_TOKENS = 4096
"""Tokens of a sample up to which attention between tokens is read: the weights of a layer have their square."""
SAMPLES = 32
"""Samples over which attention between places is averaged."""


def locus_attention(
    parts: Sequence[Part], draw: Draw, genes: GeneUnion, feature_ids: Sequence[str], seed: int
) -> np.ndarray | None:
    """Return how much the variants of a locus look at each other, mean over samples, layers and heads.

    Where attention is between places along the genome, a variant looks as its place does, and what a place is looked at is shared
    out equally among all its variants.

    Parameters
    ----------
    parts, draw, genes
        Models, samples, and the variants of all models.
    feature_ids
        The variants of the locus.
    seed
        Seed of the draw of samples.

    Returns
    -------
    numpy.ndarray or None
        float64 (variants, variants), rows look at columns, NaN for pairs that no model knows; ``None`` where there is no attention
        or samples have more tokens than can be read.
    """
    subjects = [part.subject for part in parts]
    if all(subject.has_attention for subject in subjects):
        if max(subject.layout.max_tokens for subject in subjects) > MOST_TOKENS:
            return None
        return pool_attention(parts, draw, genes, feature_ids, seed).mean_matrix()
    if not all(subject.has_place_attention for subject in subjects):
        return None
    place = {name: index for index, name in enumerate(genes.feature_ids)}
    chosen = [place[name] for name in feature_ids]
    total, count = np.zeros((len(chosen), len(chosen))), np.zeros((len(chosen), len(chosen)))
    for model, subject in enumerate(subjects):
        column = {gene: index for index, gene in enumerate(genes.columns[model])}
        known = np.array([index for index, gene in enumerate(chosen) if gene in column], dtype=np.int64)
        features = np.array([column[chosen[index]] for index in known], dtype=np.int64)
        rows = draw.rows[draw.of_model(model)[: max(1, SAMPLES // len(subjects))]]
        if len(rows) == 0 or len(features) == 0:
            continue
        pairs = np.ix_(known, known)
        total[pairs] += sum(_between_features(subject, int(row), features) for row in rows)
        count[pairs] += len(rows)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _between_features(subject: Subject, row: int, features: np.ndarray) -> np.ndarray:
    """Return the attention between some features in one sample, float64 (features, features)."""
    weights = torch.stack(subject.attention(row)).mean(dim=0)
    first = subject.batch(np.array([row])).num_tokens - subject.layout.num_features
    # Each place alone, spread over the tokens, says which tokens are of that place and what share each has.
    shares = torch.stack([subject.spread(unit) for unit in torch.eye(len(weights), device=weights.device).unsqueeze(1)])
    own = shares[:, torch.from_numpy(first + features).to(shares.device)]
    return ((own > 0).float().T @ weights @ own).double().cpu().numpy()
