"""A network of the user's own in the place of the encoder: put into the settings, since no file can hold it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from torch import nn

from genoken.core.config import RunConfig
from genoken.core.errors import ConfigError
from genoken.models.encoders.own import OwnEncoder

NetworkFactory: TypeAlias = Callable[[int, int, int], nn.Module]
"""Makes a module from (samples, features, channels) to (samples, outputs) of the numbers of features, channels and outputs."""


def with_network(config: RunConfig, network: NetworkFactory | None, *, where: str = "") -> RunConfig:
    """Return the configuration with a user's own network for its encoder; as it is where none is given.

    Parameters
    ----------
    config
        Settings, new ones or those of a run.
    network
        A class or a function of the number of features, the channels per feature and the number of outputs; ``None`` for none.
    where
        The run folder, for messages.

    Raises
    ------
    ConfigError
        When it cannot be called so, or when the network of a run is such code and none is given, or is not and one is.
    """
    encoder = config.model.encoder
    if network is None:
        if isinstance(encoder, OwnEncoder):
            encoder.code(where)
        return config
    if isinstance(network, nn.Module):
        raise ConfigError(
            "'network' is a module that is made already",
            remedy="give its class, or a function that makes it: each fold starts anew",
        )
    if not _takes_three(network):
        raise ConfigError(
            "'network' cannot be called with three numbers", remedy="its arguments are num_features, channels, outputs"
        )
    if where and not isinstance(encoder, OwnEncoder):
        raise ConfigError("the run has no network of its user's own", where=where, remedy="leave 'network' out")
    name = f"{getattr(network, '__module__', '')}.{getattr(network, '__qualname__', type(network).__name__)}".strip(".")
    own = OwnEncoder(name=encoder.name if where and isinstance(encoder, OwnEncoder) else name, factory=network)
    return replace(config, model=replace(config.model, encoder=own))


def network_of(config: RunConfig) -> NetworkFactory | None:
    """Return the user's own network that a configuration carries; ``None`` where it has none."""
    encoder = config.model.encoder
    return encoder.factory if isinstance(encoder, OwnEncoder) else None


def own_name(config: RunConfig) -> str:
    """Return the name of the user's own network; empty where it is not of the user's own."""
    encoder = config.model.encoder
    return encoder.name if isinstance(encoder, OwnEncoder) else ""


def _takes_three(network: Any) -> bool:
    """Return whether something can be called with three arguments, as far as that can be known beforehand."""
    if not callable(network):
        return False
    try:
        inspect.signature(network).bind(1, 1, 1)
    except TypeError:
        return False
    except ValueError:  # a builtin, which does not say what it takes
        return True
    return True
