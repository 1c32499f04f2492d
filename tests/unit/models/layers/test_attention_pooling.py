"""Pooling with weights: the formula, and a place's weight shared by its features."""

from __future__ import annotations

import torch

from genoken.models.layers.attention_pooling import AttentionPooling, spread_over_features


def test_the_formula():
    pooling = AttentionPooling(3, 4)
    with torch.no_grad():
        pooling.place.weight.copy_(torch.tensor([[0.0], [1.0], [-1.0], [2.0]]))
    states = torch.randn(2, 4, 3)
    first, last = pooling.score[0], pooling.score[2]
    scores = torch.tanh(states @ first.weight.T + first.bias) @ last.weight[0] + torch.tensor([0.0, 1.0, -1.0, 2.0])
    weights = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
    torch.testing.assert_close(pooling.weights(states), weights)
    torch.testing.assert_close(pooling(states), (weights.unsqueeze(2) * states).sum(dim=1))


def test_a_places_weight_is_shared_by_its_features():
    found = spread_over_features(torch.tensor([[0.5, 0.3, 0.2]]), 2, 5)
    torch.testing.assert_close(found, torch.tensor([[0.25, 0.25, 0.15, 0.15, 0.2]]))
