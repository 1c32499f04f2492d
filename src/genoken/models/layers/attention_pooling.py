"""Pooling with learned weights: from the states of places along the genome to one state per sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AttentionPooling(nn.Module):
    r"""``sum_p a_p h_p`` with :math:`a = \mathrm{softmax}_p(u \cdot \tanh(V h_p) + b_p)`, and a bias ``b_p`` of each place's own.

    Parameters
    ----------
    width
        Size of a place's state.
    num_places
        Places of every sample.

    References
    ----------
    Ilse et al., "Attention-based deep multiple instance learning" (2018), arXiv:1802.04712; the bias is ours.
    """

    def __init__(self, width: int, num_places: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1, bias=False))
        self.place = nn.Embedding(num_places, 1)
        nn.init.zeros_(self.place.weight)

    def weights(self, states: Tensor) -> Tensor:
        """Return weights (samples, places), float32, of states (samples, places, width)."""
        scores = self.score(states).squeeze(2).float() + self.place.weight[:, 0]
        return scores.softmax(dim=1)

    def forward(self, states: Tensor) -> Tensor:
        """Return pooled states (samples, width)."""
        return torch.einsum("sp,spw->sw", self.weights(states).to(states.dtype), states)


def spread_over_features(weights: Tensor, features_per_place: int, num_features: int) -> Tensor:
    """Return weights (samples, features) of weights (samples, places): a place's weight is shared equally by its features.

    Parameters
    ----------
    weights
        Of places, the first of which has the first ``features_per_place`` features, and so on.
    features_per_place
        Features of each place but the last, which has what is left.
    num_features
        All features.
    """
    num_places = weights.shape[1]
    counts = torch.full((num_places,), float(features_per_place), device=weights.device)
    counts[-1] = num_features - (num_places - 1) * features_per_place
    return (weights / counts).repeat_interleave(features_per_place, dim=1)[:, :num_features]
