"""Attention that the sample's pooled state pays to each gene."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from genoken.core.components import settings
from genoken.core.contracts import Attribution, Explained, TokenAttribution

if TYPE_CHECKING:
    from torch import Tensor


@settings
class AttentionToGenes(Attribution):
    """Attention from what stands for the sample (the CLS token, or the mean over tokens) to each gene's token.

    Weights are means over heads. ``rollout`` multiplies the layers, each mixed with the residual connection (see
    :func:`genoken.interpretation.attention_weights.rollout`); ``mean`` averages the layers; ``last`` takes the last one. Specials
    are left out and the rest is scaled to sum to 1 in each sample. Networks over a grid of features have no attention between
    tokens. There the weights are those with which places along the genome are pooled, followed back through the attention between
    places where there is any; a place's weight is shared equally among its features. Those of the encoder ``single_effect`` are no
    shares: each is how sure the network is that a variant has an effect, the same in all samples.

    Attention says where the network looks, not what it makes of it: it has no sign, is the same for every class, and **knows
    nothing of the linear path**, which may carry most of a prediction.

    References
    ----------
    Abnar and Zuidema, "Quantifying attention flow in transformers" (2020), doi:10.18653/v1/2020.acl-main.385. Jain and Wallace,
    "Attention is not explanation" (2019), doi:10.18653/v1/N19-1357.
    """

    signed: ClassVar[bool] = False
    note: ClassVar[str] = (
        "Attention has no sign, is the same for every class, and ignores the linear path, which may carry most of a prediction."
    )

    layers: Literal["rollout", "mean", "last"] = "rollout"
    """How the layers are put together."""

    def attribute(self, subject: Explained, rows: np.ndarray, classes: np.ndarray) -> TokenAttribution:
        """Return scores that are not negative; one sample is in memory at a time."""
        from genoken.interpretation.attributions._scores import ScoreMatrix
        from genoken.interpretation.subject import feature_tokens

        matrix = ScoreMatrix(len(rows), subject.layout)
        for position, row in enumerate(rows):
            batch = subject.batch(np.array([row]))
            scores = self._pooled_attention(subject, int(row)).double().cpu().numpy()
            if subject.has_place_attention or not subject.has_pooling_weights:  # the encoder's own weights may be no shares
                scores /= max(scores[feature_tokens(batch, subject.layout)[0]].sum(), 1e-12)
            matrix.put(np.array([position]), batch, scores)
        return TokenAttribution(scores=matrix.to_csr())

    def _pooled_attention(self, subject: Explained, row: int) -> Tensor:
        """Return the attention (tokens,) of the pooled state in one sample."""
        import torch

        if subject.has_place_attention:
            weights = subject.place_weights(subject.batch(np.array([row])))
            return subject.spread(self._followed_back(weights, subject.attention(row)))
        if subject.has_pooling_weights:
            return subject.pooling_weights(subject.batch(np.array([row])))
        layers = subject.attention(row)
        start = torch.zeros(1, len(layers[0]), device=layers[0].device)
        if subject.pooling == "cls":
            start[0, 0] = 1.0
        else:
            start += 1.0 / start.shape[1]
        return self._followed_back(start, layers)[0]

    def _followed_back(self, start: Tensor, layers: list[Tensor]) -> Tensor:
        """Return the weights (1, tokens) that final weights (1, tokens) come from."""
        import torch

        from genoken.interpretation.attention_weights import rollout

        if self.layers == "rollout":
            return rollout(start, layers)
        chosen = layers[-1:] if self.layers == "last" else layers
        return torch.stack([start @ weights for weights in chosen]).mean(dim=0)
