"""Convolutions of several sizes: parity with torch's parts, shares of channels."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from genoken.models.layers.convolution import MultiScaleConvolution


def test_the_parts_are_torchs():
    layer = MultiScaleConvolution(2, 8, (3, 5), dropout=0.4).eval()
    states = torch.randn(3, 2, 11)
    parts = [
        functional.conv1d(states, own.weight, own.bias, padding=size // 2)
        for own, size in zip(layer.convolutions, (3, 5), strict=True)
    ]
    expected = functional.elu(functional.group_norm(torch.cat(parts, dim=1), 4, layer.norm.weight, layer.norm.bias))
    torch.testing.assert_close(layer(states), expected)
    assert layer.dropout.p == 0.4


@pytest.mark.parametrize(("outputs", "sizes", "shares"), [(32, (3, 5, 7), [11, 11, 10]), (2, (3, 5, 7), [1, 1]), (5, (9,), [5])])
def test_channels_are_divided_among_the_sizes(outputs, sizes, shares):
    layer = MultiScaleConvolution(3, outputs, sizes, dropout=0.0)
    assert [own.out_channels for own in layer.convolutions] == shares
    assert layer(torch.randn(1, 3, 6)).shape == (1, outputs, 6)


def test_a_sample_does_not_depend_on_the_others():
    layer = MultiScaleConvolution(2, 8, (3,), dropout=0.0)
    states = torch.randn(4, 2, 9)
    torch.testing.assert_close(layer(states)[1:2], layer(states[1:2]))
