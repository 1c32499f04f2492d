"""A network of the user's own, from the numbers of all features to outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import Field

from genoken.core.components import settings
from genoken.core.errors import ConfigError
from genoken.core.grid_contracts import Grid, GridEncoder, GridModule


@settings
class OwnEncoder(GridEncoder):
    """A ``torch.nn.Module`` that a user wrote, given to :func:`genoken.train` as ``network``.

    Its code is no part of a run: a run folder has its name and its weights, and whoever opens it gives the code again.
    """

    gives: ClassVar[Literal["states", "outputs"]] = "outputs"

    name: str = ""
    """Module and name of the code, for whoever reads the run folder; nothing is imported by it."""
    factory: Annotated[Callable[..., Any] | None, Field(exclude=True)] = None
    """The code: a class or a function of the number of features, the channels per feature and the number of outputs. It is given in
    Python and never written."""

    def build_grid(self, grid: Grid, width: int) -> GridModule:
        """Return a module from (samples, features, channels) to (samples, outputs); the width does not matter to it.

        Raises
        ------
        ConfigError
            When the code was not given, or makes something else than a module.
        """
        from genoken.models.layers.own_network import OwnNetwork

        return cast("GridModule", OwnNetwork(self.code(), grid))

    def code(self, where: str = "") -> Callable[..., Any]:
        """Return the code; ``where`` is the run folder, for messages.

        Raises
        ------
        ConfigError
            When it was not given.
        """
        if self.factory is None:
            raise ConfigError(
                f"the network is its user's own code{f', {self.name}' if self.name else ''}, which no file holds",
                where=where,
                remedy="give it in Python, as network=…, to genoken.train or genoken.load_run",
            )
        return self.factory
