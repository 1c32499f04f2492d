"""The convolutional network over variants in the order of the genome."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from genoken.core.components import settings
from genoken.core.grid_contracts import Grid, GridEncoder, GridModule

Size = Annotated[int, Field(ge=1)]


@settings
class CnnEncoder(GridEncoder):
    """Blocks of convolutions of several kernel sizes, ELU and a maximum over two neighbors, then pooling with learned weights.

    Group norm stands where the source has batch norm, so that a result does not depend on the other samples of a batch. Every
    block has all kernel sizes side by side; the source gives each block one.
    """

    embedding: Size = 8
    """Numbers per variant that the first block gets; each variant has a vector and a scale of its own, of this size."""
    channels: Annotated[tuple[Size, ...], Field(min_length=1)] = (32, 64, 128)
    """Channels of each block; each block halves the number of places."""
    kernel_sizes: Annotated[tuple[Size, ...], Field(min_length=1)] = (3, 5, 7)
    """Variants that the convolutions of a block see."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Dropout at the end of each block."""

    def build_grid(self, grid: Grid, width: int) -> GridModule:
        """Return a module from (samples, variants, channels) to (samples, width)."""
        from genoken.models.layers.grid_networks import ConvolutionNetwork

        return ConvolutionNetwork(
            grid,
            width,
            embedding=self.embedding,
            channels=self.channels,
            kernel_sizes=self.kernel_sizes,
            dropout=self.dropout,
        )

    def kept_numbers(self, tokens: int, width: int, *, all_pairs: bool = False) -> int:
        """Return the numbers that the backward pass needs of a sample: five per channel and place of each block, and the input."""
        blocks = sum(5 * channels * tokens // 2**index for index, channels in enumerate(self.channels))
        return 3 * self.embedding * tokens + blocks
