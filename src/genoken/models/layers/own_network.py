"""A module that a user wrote, held to what it must return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from genoken.core.errors import ConfigError
from genoken.core.grid_contracts import Grid


class OwnNetwork(nn.Module):
    """Passes numbers on to a user's module, and refuses what is not one row of outputs per sample.

    Parameters
    ----------
    factory
        Makes the module of the number of features, the channels per feature and the number of outputs.
    grid
        What it is made for.

    Raises
    ------
    ConfigError
        When it makes something else than a module.
    """

    def __init__(self, factory: Callable[..., Any], grid: Grid) -> None:
        super().__init__()
        network = factory(grid.num_features, grid.channels, grid.outputs)
        if not isinstance(network, nn.Module):
            raise ConfigError(f"'network' makes a {type(network).__name__}, not a torch.nn.Module", remedy="return the module")
        self.network = network
        self.outputs = grid.outputs

    def forward(self, values: Tensor) -> Tensor:
        """Return outputs (samples, outputs) of numbers (samples, features, channels).

        Raises
        ------
        ConfigError
            When the module returns something of another shape, which would silently be broadcast against the targets.
        """
        found = self.network(values)
        wanted = (len(values), self.outputs)
        if not isinstance(found, Tensor) or tuple(found.shape) != wanted:
            what = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise ConfigError(
                f"your network returns {what} where a tensor (samples, outputs) = {wanted} is needed",
                remedy="its last layer gives the third argument of the factory as its number of outputs",
            )
        return found
