"""Heads: from a pooled state to the outputs that an objective asks for."""

from __future__ import annotations

import torch
from torch import nn

from genoken.core.layout import HeadSpec


def build_head(kind: str, width: int, spec: HeadSpec, dropout: float) -> nn.Module:
    """Return the head for a HeadSpec.

    ``mlp``: LN, linear to width/2, GELU, dropout, linear to the outputs. ``linear``: one linear map. Weights of linear layers start
    from Xavier's uniform distribution, biases from zero, those of the outputs from ``spec.initial_bias``.
    """
    last = nn.Linear(width if kind == "linear" else max(width // 2, 1), spec.outputs)
    layers: list[nn.Module] = [last]
    if kind == "mlp":
        layers = [nn.LayerNorm(width), nn.Linear(width, max(width // 2, 1)), nn.GELU(), nn.Dropout(dropout), last]
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    if spec.initial_bias:
        with torch.no_grad():
            last.bias.copy_(torch.tensor(spec.initial_bias))
    return nn.Sequential(*layers)
