"""The graph network: variants that are in linkage disequilibrium pass messages to each other."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from genoken.core.components import settings
from genoken.core.grid_contracts import Grid, GridEncoder, GridModule, LinkageWindow


@settings
class GnnEncoder(GridEncoder):
    """Nodes are variants, edges join those whose squared correlation in the train split reaches ``threshold``.

    Edges are looked for within a window, so that their number, and with it memory, grows linearly with the number of variants. A
    variant that does not vary in the train split has none. Messages are divided by the roots of both degrees, and every variant
    also hears itself.
    """

    layers: Annotated[int, Field(ge=1)] = 2
    """Rounds of messages."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Smallest squared correlation of two variants that are connected."""
    window: Annotated[int, Field(ge=1)] = 200
    """Most variants from one to another that it is connected to, on the same chromosome."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Dropout of what a round adds."""

    @property
    def linkage(self) -> LinkageWindow:
        """Return which variants are connected."""
        return LinkageWindow(self.threshold, self.window)

    def build_grid(self, grid: Grid, width: int) -> GridModule:
        """Return a module from (samples, variants, channels) to (samples, width)."""
        from genoken.models.layers.grid_networks import GraphNetwork

        return GraphNetwork(grid, width, layers=self.layers, dropout=self.dropout)

    def kept_numbers(self, tokens: int, width: int, *, all_pairs: bool = False) -> int:
        """Return the numbers that the backward pass needs of a sample: six states per variant and round, and two in front."""
        return tokens * width * (2 + 6 * self.layers)
