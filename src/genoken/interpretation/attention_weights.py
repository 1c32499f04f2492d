"""Attention weights, sample by sample: rollout over layers, and gene by gene over samples."""

from __future__ import annotations

from collections.abc import Sequence

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


def attention_matrix(
    subject: Subject, rows: np.ndarray, features: np.ndarray, *, use_rollout: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean attention between chosen genes.

    Entry ``(i, j)`` is how much the token of gene ``i`` looks at that of gene ``j``, averaged over the samples in which both are
    tokens. Weights are means over heads, and over layers or by rollout. Nothing larger than one sample's tokens by tokens is held.

    Parameters
    ----------
    subject
        The network and its samples.
    rows
        Samples to average over.
    features
        Positions in the vocabulary, int64 of shape (genes,).
    use_rollout
        Whether layers are multiplied (see :func:`rollout`) instead of averaged.

    Returns
    -------
    tuple of numpy.ndarray
        Means (genes, genes), NaN for pairs that no sample holds; and the number of samples (genes, genes).
    """
    place_of = np.full(subject.layout.num_features, -1, dtype=np.int64)
    place_of[features] = np.arange(len(features))
    sums, counts = np.zeros((len(features),) * 2), np.zeros((len(features),) * 2, dtype=np.int64)
    for row in rows:
        tokens, _, found = feature_tokens(subject.batch(np.array([row])), subject.layout)
        chosen = place_of[found] >= 0
        tokens, places = tokens[chosen], place_of[found[chosen]]
        if len(tokens) == 0:
            continue
        weights = _between(subject.attention(int(row)), tokens, use_rollout)
        sums[np.ix_(places, places)] += weights
        counts[np.ix_(places, places)] += 1
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0), counts


def _between(layers: list[Tensor], tokens: np.ndarray, use_rollout: bool) -> np.ndarray:
    """Return the attention (chosen, chosen) between some tokens of one sample."""
    places = torch.from_numpy(tokens).to(layers[0].device)
    if use_rollout:
        weights = rollout(torch.eye(len(layers[0]), device=layers[0].device)[places], layers)[:, places]
    else:
        weights = torch.stack([layer[places][:, places] for layer in layers]).mean(dim=0)
    return weights.double().cpu().numpy()
