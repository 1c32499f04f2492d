"""Settings of the convolutional network."""

from __future__ import annotations

import pydantic
import pytest
import torch

from genoken.core.grid_contracts import Grid
from genoken.models.encoders.cnn import CnnEncoder


def test_the_settings_reach_the_blocks():
    encoder = CnnEncoder(embedding=4, channels=(6, 9), kernel_sizes=(3, 5), dropout=0.1)
    network = encoder.build_grid(Grid(channels=3, num_features=13), 10)
    assert encoder.takes == "grid"
    assert encoder.linkage is None
    assert [[own.kernel_size for own in block.convolutions] for block in network.blocks] == [[(3,), (5,)]] * 2
    assert [sum(own.out_channels for own in block.convolutions) for block in network.blocks] == [6, 9]
    assert {block.dropout.p for block in network.blocks} == {0.1}
    assert network.features.vector.weight.shape == (13, 4)
    assert network(torch.randn(2, 13, 3)).shape == (2, 10)


def test_a_block_halves_the_places():
    network = CnnEncoder(channels=(4, 4)).build_grid(Grid(channels=1, num_features=13), 8).eval()
    assert network.places(torch.randn(2, 13, 1)).shape == (2, 4, 4)  # 13, 7, 4
    weights = network.pooling_weights(torch.randn(2, 13, 1))
    assert weights.shape == (2, 13)
    torch.testing.assert_close(weights[:, 0], weights[:, 3])
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2))


def test_it_is_not_built_without_a_grid():
    with pytest.raises(TypeError, match="use build_grid"):
        CnnEncoder().build(8)


@pytest.mark.parametrize("wrong", [{"channels": ()}, {"kernel_sizes": (0,)}, {"dropout": 1.0}, {"layers": 2}])
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        CnnEncoder(**wrong)
