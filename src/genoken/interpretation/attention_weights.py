"""Attention weights, sample by sample: rollout over layers, and gene by gene over samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genoken.interpretation.subject import Subject, feature_tokens


def rollout(start: Tensor, layers: Sequence[Tensor]) -> Tensor:
    r"""Follow attention from given tokens back through all layers.

    .. math:: R = S \, \hat A_L \cdots \hat A_1, \qquad \hat A_l = \tfrac12 A_l + \tfrac12 I

    Each :math:`\hat A_l` has rows that sum to 1, so the rows of :math:`R` keep the sums of the rows of :math:`S`. Only the rows
    that are asked for are computed.

    Parameters
    ----------
    start
        :math:`S`, shape (queries, tokens): weights over the final tokens, for example one row that is 1 at CLS.
    layers
        :math:`A_1 \ldots A_L`, each (tokens, tokens), mean over heads.

    Returns
    -------
    Tensor
        Shape (queries, tokens): weights over the embedded tokens.

    References
    ----------
    Abnar and Zuidema, "Quantifying attention flow in transformers" (2020), doi:10.18653/v1/2020.acl-main.385.
    """
    for weights in reversed(layers):
        start = 0.5 * (start @ weights) + 0.5 * start
    return start


@dataclass(frozen=True)
class GeneAttention:
    """Sums of the attention between genes over samples, of each head of each layer and by rollout.

    Entry ``(i, j)`` is how much the token of gene ``i`` looks at that of gene ``j``, summed over the samples in which both are
    tokens. A token's weights over all tokens of its sample, the special ones included, sum to 1.

    Parameters
    ----------
    by_head
        Of shape (layers, heads, genes, genes).
    rollout
        Of shape (genes, genes); see :func:`rollout`.
    counts
        Number of samples that hold both genes, int64 of shape (genes, genes).
    """

    by_head: np.ndarray
    rollout: np.ndarray
    counts: np.ndarray

    @classmethod
    def nothing(cls, subject: Subject, num_genes: int) -> GeneAttention:
        """Return zeros of the shapes that a subject's network calls for."""
        layers, square = subject.network.attention_layers(), (num_genes, num_genes)
        heads = layers[0].heads if layers else 0
        return cls(np.zeros((len(layers), heads, *square)), np.zeros(square), np.zeros(square, dtype=np.int64))

    def add(self, other: GeneAttention, places: np.ndarray) -> None:
        """Add, in place, the sums between genes that have these places here."""
        pairs = np.ix_(places, places)
        self.by_head[:, :, pairs[0], pairs[1]] += other.by_head
        self.rollout[pairs] += other.rollout
        self.counts[pairs] += other.counts

    def mean(self, sums: np.ndarray) -> np.ndarray:
        """Return sums (…, genes, genes) divided by the number of samples, NaN for pairs that no sample holds."""
        return np.divide(sums, self.counts, out=np.full(sums.shape, np.nan), where=self.counts > 0)


def gene_attention(subject: Subject, rows: np.ndarray, features: np.ndarray) -> GeneAttention:
    """Sum up the attention between chosen genes over samples.

    Samples stream through the network, and layers through each sample: one layer's weights of one sample (heads, tokens, tokens)
    are the most that is in memory beside the result.

    Parameters
    ----------
    subject
        The network and its samples.
    rows
        Samples to sum over.
    features
        Positions of the genes in the vocabulary, int64 of shape (genes,).
    """
    place_of = np.full(subject.layout.num_features, -1, dtype=np.int64)
    place_of[features] = np.arange(len(features))
    found = GeneAttention.nothing(subject, len(features))
    for row in rows:
        batch = subject.batch(np.array([row]))
        tokens, _, held = feature_tokens(batch, subject.layout)
        chosen = place_of[held] >= 0
        if chosen.any():
            reader = _SampleReader(tokens[chosen], batch.num_tokens)
            subject.read_attention(int(row), reader.read)
            found.add(*_by_gene(reader.result(), place_of[held[chosen]]))
    return found


def _by_gene(found: GeneAttention, places: np.ndarray) -> tuple[GeneAttention, np.ndarray]:
    """Return the attention between genes, the mean over the tokens of each, and their places, from that between tokens."""
    genes, owners = np.unique(places, return_inverse=True)
    if len(genes) == len(places):
        return found, places
    shares = (owners == np.arange(len(genes))[:, None]).astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    between = np.ones((len(genes), len(genes)), dtype=np.int64)
    return GeneAttention(shares @ found.by_head @ shares.T, shares @ found.rollout @ shares.T, between), genes


class _SampleReader:
    """Takes from the layers of one sample what concerns some of its tokens.

    The rollout between these is multiplied up from the first layer, by columns: after layer l they hold the columns of
    ``A_l … A_1`` (each mixed with the identity), so no earlier layer has to be kept.
    """

    def __init__(self, tokens: np.ndarray, num_tokens: int) -> None:
        self._tokens = torch.from_numpy(tokens)
        self._by_layer: list[np.ndarray] = []
        self._columns = torch.eye(num_tokens)[:, self._tokens]

    def read(self, weights: Tensor) -> None:
        """Take the weights (heads, tokens, tokens) of the next layer."""
        tokens, before = self._tokens.to(weights.device), self._columns.to(weights.device)
        self._by_layer.append(weights[:, tokens][:, :, tokens].double().cpu().numpy())
        self._columns = 0.5 * (weights.mean(dim=0) @ before) + 0.5 * before

    def result(self) -> GeneAttention:
        """Return what one sample adds; its genes are the chosen tokens in their order."""
        between = self._columns.cpu()[self._tokens].double().numpy()
        return GeneAttention(np.stack(self._by_layer), between, np.ones(between.shape, dtype=np.int64))
