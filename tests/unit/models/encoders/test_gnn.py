"""Settings of the graph network."""

from __future__ import annotations

import numpy as np
import pydantic
import pytest
import torch

from genoken.core.grid_contracts import Grid, LinkageWindow
from genoken.models.encoders.gnn import GnnEncoder


def test_the_settings_reach_the_rounds():
    encoder = GnnEncoder(layers=3, threshold=0.5, window=7, dropout=0.1)
    network = encoder.build_grid(Grid(channels=2, num_features=6, edges=np.array([[0, 2], [1, 3]])), 8)
    assert encoder.linkage == LinkageWindow(0.5, 7)
    assert len(network.blocks) == 3
    assert network.graph.entries.shape == (2, 2 * 2 + 6)
    assert network(torch.randn(4, 6, 2)).shape == (4, 8)


def test_a_round_reaches_the_next_feature_and_no_further():
    network = GnnEncoder(layers=1).build_grid(Grid(channels=1, num_features=4, edges=np.array([[0, 1], [1, 2]])), 8).eval()
    values = torch.zeros(1, 4, 1)
    changed = values.clone()
    changed[0, 0] = 2
    difference = (network.places(values) - network.places(changed)).abs().amax(dim=(0, 2))
    assert (difference > 1e-4).tolist() == [True, True, False, False]


@pytest.mark.parametrize("wrong", [{"threshold": 0.0}, {"threshold": 1.5}, {"window": 0}, {"layers": 0}, {"heads": 2}])
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        GnnEncoder(**wrong)
