"""Settings of the network of single effects."""

from __future__ import annotations

import pydantic
import pytest
import torch

from genoken.core.errors import ConfigError
from genoken.core.grid_contracts import Grid
from genoken.models.encoders.single_effect import SingleEffectEncoder


def test_the_settings_reach_the_network():
    encoder = SingleEffectEncoder(effects=3, pairs=2, dominant=0.0, recessive=0.1, pair_limit=4, temperature=0.5)
    network = encoder.build_grid(Grid(channels=1, num_features=6), 5)
    assert network.singles.gate.weight.shape == (3, 6 * 2)
    assert network.pairs.gate.weight.shape == (2, 3 * 6)  # more variants than the limit
    assert (network.all_pairs, network.temperature) == (False, 0.5)
    assert network(torch.randn(4, 6, 1)).shape == (4, 5)


def test_without_pairs_there_are_none():
    assert SingleEffectEncoder(pairs=0).build_grid(Grid(channels=1, num_features=6), 5).pairs is None


@pytest.mark.parametrize("wrong", [{"effects": 0}, {"pairs": -1}, {"additive": -0.1}, {"temperature": 0.0}, {"layers": 2}])
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        SingleEffectEncoder(**wrong)


def test_some_coding_is_needed():
    with pytest.raises(ConfigError, match="'additive', 'dominant' and 'recessive' are all 0"):
        SingleEffectEncoder(additive=0.0, dominant=0.0, recessive=0.0)
