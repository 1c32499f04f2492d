"""Convolutions along the genome, then a transformer over patches of variants."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from genoken.core.components import settings
from genoken.core.grid_contracts import Grid, GridEncoder, GridModule

Size = Annotated[int, Field(ge=1)]


@settings
class CnnTransformerEncoder(GridEncoder):
    """Convolutions, patches of neighboring variants that attend to each other, then pooling with learned weights.

    The blocks are those of the transformer, with the norm in front of each branch. Positions are those of patches, so that what is
    learned grows linearly with the number of variants, and nothing has the square of it.
    """

    embedding: Size = 8
    """Numbers per variant that the first convolution gets; each variant has a vector and a scale of its own, of this size."""
    channels: Annotated[tuple[Size, ...], Field(min_length=1)] = (32, 64)
    """Channels of each convolution."""
    kernel_size: Size = 5
    """Variants that a convolution sees."""
    patch: Size = 16
    """Variants per patch."""
    layers: Size = 4
    """Number of transformer blocks."""
    heads: Size = 8
    """Attention heads per block."""
    feed_forward: Size = 512
    """Width of the hidden layer in each block."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Dropout of the convolutions and of both branches of a block."""
    attention_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout of the attention weights; backends varlen and flex have none and refuse it."""

    def build_grid(self, grid: Grid, width: int) -> GridModule:
        """Return a module from (samples, variants, channels) to (samples, width)."""
        from genoken.models.layers.grid_networks import PatchNetwork
        from genoken.models.layers.stack import TransformerStack

        return PatchNetwork(
            grid,
            width,
            embedding=self.embedding,
            channels=self.channels,
            kernel_size=self.kernel_size,
            patch=self.patch,
            stack=TransformerStack(width, self.layers, self.heads, self.feed_forward, self.dropout, self.attention_dropout),
            dropout=self.dropout,
        )

    def kept_numbers(self, tokens: int, width: int, *, all_pairs: bool = False) -> int:
        """Return the numbers that the backward pass needs of a sample: five per channel of a convolution, and the patches'."""
        from genoken.models.encoders._blocks import kept_by_blocks

        patches = -(-tokens // self.patch)
        blocks = kept_by_blocks(patches, width, self.layers, self.heads, self.feed_forward, patches if all_pairs else 0)
        return tokens * (3 * self.embedding + 5 * sum(self.channels)) + blocks
