"""A stack of transformer blocks."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from genoken.core.errors import ConfigError
from genoken.models.layers.block import TransformerBlock
from genoken.models.layers.packing import Packing


class TransformerStack(nn.Module):
    """Blocks one after the other.

    Parameters
    ----------
    width, layers, heads, feed_forward, dropout, attention_dropout, window
        As in :class:`genoken.models.encoders.transformer.TransformerEncoder`.
    """

    def __init__(
        self, width: int, layers: int, heads: int, feed_forward: int, dropout: float, attention_dropout: float, window: int = 0
    ) -> None:
        super().__init__()
        self.window = window
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, feed_forward, dropout, attention_dropout) for _ in range(layers))
        self.gradient_checkpointing = False

    def training_flops(self, packing: Packing, first_token_only: bool = False) -> int:
        """Return the sum of the blocks' operations, see :meth:`TransformerBlock.training_flops`; parameters as for ``forward``."""
        last, packing = len(self.blocks) - 1, self._with_window(packing)
        blocks = cast("list[TransformerBlock]", list(self.blocks))
        return sum(block.training_flops(packing, first_token_only and index == last) for index, block in enumerate(blocks))

    def forward(self, states: Tensor, packing: Packing, first_token_only: bool = False) -> Tensor:
        """Run all blocks.

        Parameters
        ----------
        states
            Shape (tokens, width).
        packing
            How the tokens are divided into samples, and who sees whom.
        first_token_only
            Return the final states of the first tokens alone: the last block then computes nothing for the others.

        Returns
        -------
        Tensor
            Shape (tokens, width) or (samples, width).
        """
        last, packing = len(self.blocks) - 1, self._with_window(packing)
        for index, block in enumerate(self.blocks):
            only_first = first_token_only and index == last
            if self.gradient_checkpointing and self.training:
                states = cast("Tensor", checkpoint(block, states, packing, only_first, use_reentrant=False))
            else:
                states = block(states, packing, only_first)
        return states

    def _with_window(self, packing: Packing) -> Packing:
        """Narrow down who sees whom to the window, where there is one.

        Raises
        ------
        ConfigError
            When samples are followed by their successors, whose tokens are no neighbors.
        """
        if not self.window:
            return packing
        if packing.has_successors:
            raise ConfigError("'model.encoder.window' does not go with successors", remedy="use model.encoder.window: 0")
        return packing.with_window(self.window)
