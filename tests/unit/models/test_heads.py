"""Heads: from a pooled state to the outputs that an objective asks for."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from genoken.core.layout import HeadSpec
from genoken.models.heads import build_head


def test_the_linear_head_is_one_map():
    head = build_head("linear", 6, HeadSpec(outputs=2), dropout=0.5)
    states = torch.randn(3, 6)
    torch.testing.assert_close(head(states), states @ head[0].weight.T)
    assert sum(parameter.numel() for parameter in head.parameters()) == 6 * 2 + 2


def test_the_mlp_head_is_norm_half_width_gelu_dropout_outputs():
    head = build_head("mlp", 8, HeadSpec(outputs=3), dropout=0.5).eval()
    states = torch.randn(5, 8) * 4 + 1
    normed = (states - states.mean(1, keepdim=True)) / (states.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    hidden = functional.gelu(normed @ head[1].weight.T + head[1].bias)
    assert hidden.shape == (5, 4)
    torch.testing.assert_close(head(states), hidden @ head[4].weight.T + head[4].bias)
    assert head[3].p == 0.5
    head.train()
    assert not torch.equal(head(states), head(states))


@pytest.mark.parametrize("kind", ["mlp", "linear"])
def test_biases_start_from_zero_and_weights_from_xaviers_distribution(kind):
    head = build_head(kind, 64, HeadSpec(outputs=40), dropout=0.0)
    for layer in head:
        if isinstance(layer, torch.nn.Linear):
            assert layer.bias.abs().max() == 0
            bound = math.sqrt(6 / sum(layer.weight.shape))
            assert bound * 0.95 < layer.weight.abs().max() <= bound


@pytest.mark.parametrize("kind", ["mlp", "linear"])
def test_the_outputs_bias_starts_where_the_objective_says(kind):
    head = build_head(kind, 4, HeadSpec(outputs=2, initial_bias=(0.5, -2.0)), dropout=0.0)
    assert head[-1].bias.tolist() == [0.5, -2.0]


def test_a_width_of_one_works():
    assert build_head("mlp", 1, HeadSpec(outputs=1), dropout=0.0)(torch.ones(2, 1)).shape == (2, 1)
