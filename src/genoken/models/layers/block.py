"""The pre-norm transformer block."""

from __future__ import annotations

from torch import Tensor, nn

from genoken.models.layers.attention import SelfAttention
from genoken.models.layers.dropout import Dropout
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
            nn.Linear(width, feed_forward), nn.GELU(), Dropout(dropout), nn.Linear(feed_forward, width)
        )
        self.dropout = Dropout(dropout)
        self.width, self.hidden = width, feed_forward

    def training_flops(self, packing: Packing, first_token_only: bool = False) -> int:
        """Return the floating-point operations of the matrix products in a forward and a backward pass.

        With width ``w`` and hidden width ``f``, a sample of ``n`` tokens takes ``6 n (4 w^2 + 2 w f) + 12 n^2 w``: six per weight
        and token, and twelve per pair of tokens and coordinate. Where a context of ``c`` tokens sees nothing behind it, and what
        stands behind sees little else, the pairs are those of a token and one that it sees, about ``c^2 + (n - c) c``. Of the first
        tokens alone, queries, outputs and feed-forward layers are computed once per sample: ``6 n 2 w^2 + 6 (2 w^2 + 2 w f) + 12 n
        w`` with the ``n`` tokens that a first token sees. Norms, GELU and softmax are left out.

        Parameters
        ----------
        packing, first_token_only
            As for ``forward``.

        References
        ----------
        Chowdhery et al., "PaLM" (2022), arXiv:2204.02311, appendix B.
        """
        width, hidden = self.width, self.hidden
        if first_token_only:
            tokens, per_sample = sum(packing.mutual_lengths), 6 * (2 * width**2 + 2 * width * hidden)
            return 12 * tokens * width**2 + per_sample * packing.num_samples + 12 * tokens * width
        return 6 * sum(packing.lengths) * (4 * width**2 + 2 * width * hidden) + 12 * packing.num_seen * width

    def forward(self, states: Tensor, packing: Packing, first_token_only: bool = False) -> Tensor:
        """Return states (tokens, width), or (samples, width) of the first tokens alone."""
        mixed = self.attention(self.attention_norm(states), packing, first_token_only=first_token_only)
        if first_token_only:
            states = states.index_select(0, packing.first_tokens)
        states = states + self.dropout(mixed)
        return states + self.dropout(self.feed_forward(self.feed_forward_norm(states)))
