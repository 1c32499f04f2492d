"""Settings of the convolutions with a transformer over patches."""

from __future__ import annotations

import pydantic
import pytest
import torch

from genoken.core.grid_contracts import Grid
from genoken.models.encoders.cnn_transformer import CnnTransformerEncoder


def test_the_settings_reach_the_parts():
    encoder = CnnTransformerEncoder(
        embedding=3, channels=(4, 6), kernel_size=7, patch=5, layers=2, heads=2, feed_forward=20, dropout=0.3
    )
    network = encoder.build_grid(Grid(channels=2, num_features=12), 8).eval()
    assert [block.convolutions[0].kernel_size for block in network.convolutions] == [(7,), (7,)]
    assert (network.patches.kernel_size, network.patches.stride) == ((5,), (5,))
    assert len(network.blocks) == 2
    assert network.blocks[0].attention.heads == 2
    assert network.blocks[0].feed_forward[0].weight.shape == (20, 8)
    assert network.positions.weight.shape == (3, 8)
    assert network(torch.randn(2, 12, 2)).shape == (2, 8)


def test_importance_is_the_weight_of_a_variants_patch():
    network = CnnTransformerEncoder(patch=5, layers=1, heads=2).build_grid(Grid(channels=1, num_features=12), 8).eval()
    values = torch.randn(2, 12, 1)
    weights, patches = network.pooling_weights(values), network.pooling.weights(network.places(values))
    torch.testing.assert_close(weights[:, 0], patches[:, 0] / 5)
    torch.testing.assert_close(weights[:, 10:], patches[:, 2:].expand(-1, 2) / 2)


def test_patches_see_each_other():
    network = CnnTransformerEncoder(patch=4, layers=1, heads=2).build_grid(Grid(channels=1, num_features=40), 8).eval()
    values = torch.zeros(1, 40, 1)
    changed = values.clone()
    changed[0, 39] = 3
    assert (network.places(values) - network.places(changed))[0, 0].abs().max() > 1e-5


@pytest.mark.parametrize("wrong", [{"patch": 0}, {"channels": ()}, {"dropout": 1.0}, {"width": 2}])
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        CnnTransformerEncoder(**wrong)
