"""A user's own network: built by its code, held to what it must return, written without its code."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from genoken.core.components import component_to_dict
from genoken.core.config import component_from_dict
from genoken.core.errors import ConfigError
from genoken.core.grid_contracts import Grid
from genoken.models.encoders.own import OwnEncoder

GRID = Grid(channels=3, num_features=5, outputs=2)


class Flat(nn.Module):
    """One linear map of all numbers."""

    def __init__(self, num_features: int, channels: int, outputs: int) -> None:
        super().__init__()
        self.map = nn.Linear(num_features * channels, outputs)

    def forward(self, values):
        return self.map(values.flatten(1))


def returning(result):
    class Wrong(nn.Module):
        def forward(self, values):
            return result

    return lambda num_features, channels, outputs: Wrong()


def test_the_code_is_called_with_the_sizes_and_gives_outputs():
    module = OwnEncoder(factory=Flat).build_grid(GRID, 99)
    values = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    assert module.network.map.weight.shape == (2, 15)
    torch.testing.assert_close(module(values), module.network.map(values.flatten(1)))
    assert [name for name, _ in module.named_parameters()] == ["network.map.weight", "network.map.bias"]


@pytest.mark.parametrize(
    ("result", "what"),
    [(torch.zeros(4), r"shape \(4,\)"), (torch.zeros(4, 1), r"shape \(4, 1\)"), ((torch.zeros(4, 2),), "a tuple")],
)
def test_another_shape_is_refused(result, what):
    module = OwnEncoder(factory=returning(result)).build_grid(GRID, 8)
    with pytest.raises(ConfigError, match=rf"your network returns {what} where a tensor \(samples, outputs\) = \(4, 2\) is needed"):
        module(torch.zeros(4, 5, 3))


def test_what_makes_no_module_is_refused():
    with pytest.raises(ConfigError, match=r"'network' makes a list, not a torch.nn.Module"):
        OwnEncoder(factory=lambda num_features, channels, outputs: []).build_grid(GRID, 8)


def test_the_code_is_not_written():
    own = OwnEncoder(name="lab.Flat", factory=Flat)
    assert component_to_dict(own) == {"kind": "own", "name": "lab.Flat"}
    again = component_from_dict("encoders", component_to_dict(own))
    assert again == OwnEncoder(name="lab.Flat")
    with pytest.raises(
        ConfigError, match=r"runs/x: the network is its user's own code, lab.Flat, which no file holds — give it in"
    ):
        again.code("runs/x")
    with pytest.raises(ConfigError, match=r"the network is its user's own code, lab.Flat"):
        again.build_grid(GRID, 8)
