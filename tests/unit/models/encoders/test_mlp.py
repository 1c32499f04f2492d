"""Settings of the multilayer perceptron."""

from __future__ import annotations

import pydantic
import pytest
import torch
from torch.nn import functional

from genoken.models.encoders.mlp import MlpEncoder


def test_a_layer_is_norm_gelu_dropout_linear():
    encoder = MlpEncoder(layers=2, dropout=0.4)
    network = encoder.build(6).eval()
    assert encoder.takes == "bag"
    states = torch.randn(3, 6) * 3
    expected = states
    for norm, linear in ((network[0], network[3]), (network[4], network[7])):
        expected = functional.gelu(functional.layer_norm(expected, (6,), norm.weight, norm.bias)) @ linear.weight.T + linear.bias
    torch.testing.assert_close(network(states), expected)
    assert [module.p for module in network if isinstance(module, torch.nn.Dropout)] == [0.4, 0.4]


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"dropout": 1.0}, {"width": 4}])
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        MlpEncoder(**wrong)
