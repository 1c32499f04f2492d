"""The transformer encoder over packed tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import Encoder

if TYPE_CHECKING:
    from torch import nn


@settings
class TransformerEncoder(Encoder):
    """A stack of pre-norm blocks; the head's own norm follows the last one."""

    takes: ClassVar[Literal["tokens", "bag", "grid"]] = "tokens"

    layers: Annotated[int, Field(ge=1)] = 3
    """Number of blocks."""
    heads: Annotated[int, Field(ge=1)] = 8
    """Attention heads per block."""
    feed_forward: Annotated[int, Field(ge=1)] = 256
    """Width of the hidden layer in each block."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Dropout of both branches of a block."""
    attention_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout of the attention weights; backends varlen and flex have none and refuse it."""

    window: Annotated[int, Field(ge=0)] = 0
    """Tokens to either side that a token sees, besides the first one, which sees all and is seen by all; 0: all see all. Tokens
    that a training step leaves out are not counted."""

    def build(self, width: int) -> nn.Module:
        """Return the stack; its ``forward(states, packing, first_token_only)`` returns (tokens, width) or (samples, width)."""
        from genoken.models.layers.stack import TransformerStack

        return TransformerStack(
            width, self.layers, self.heads, self.feed_forward, self.dropout, self.attention_dropout, self.window
        )

    def kept_numbers(self, tokens: int, width: int, *, all_pairs: bool = False) -> int:
        """Return the numbers that the backward pass needs of a sample: those of its blocks, and two vectors per token.

        With a window every stretch has its keys and values beside those of both neighbors, six more vectors per token and layer.
        """
        from genoken.models.encoders._blocks import kept_by_blocks

        blocks = kept_by_blocks(tokens, width, self.layers, self.heads, self.feed_forward, tokens if all_pairs else 0)
        copies = 6 * self.layers * tokens * width if self.window and not all_pairs else 0
        return blocks + copies + 2 * tokens * width
