"""The pre-norm transformer block."""

from __future__ import annotations

from torch import Tensor, nn

from genoken.models.layers.attention import SelfAttention
from genoken.models.layers.packing import Packing


class TransformerBlock(nn.Module):
    """``x + A(LN(x))``, then ``x + F(LN(x))`` with ``F`` = linear, GELU, dropout, linear.

    Parameters
    ----------
    width
        Width of a token's state.
    heads
        Number of attention heads.
    feed_forward
        Width of the hidden layer of ``F``.
    dropout
        Dropout of both branches and within ``F``.
    attention_dropout
        Dropout of the attention weights.

    References
    ----------
    Xiong et al., "On layer normalization in the transformer architecture" (2020), arXiv:2002.04745.
    """

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, attention_dropout)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, feed_forward), nn.GELU(), nn.Dropout(dropout), nn.Linear(feed_forward, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, packing: Packing, first_token_only: bool = False) -> Tensor:
        """Return states (tokens, width), or (samples, width) of the first tokens alone."""
        mixed = self.attention(self.attention_norm(states), packing, first_token_only=first_token_only)
        if first_token_only:
            states = states.index_select(0, packing.first_tokens)
        states = states + self.dropout(mixed)
        return states + self.dropout(self.feed_forward(self.feed_forward_norm(states)))
