"""What encoders with transformer blocks have in common."""

from __future__ import annotations


def kept_by_blocks(tokens: int, width: int, layers: int, heads: int, feed_forward: int, pairs: int) -> int:
    """Return about how many numbers of one sample the backward pass of transformer blocks needs.

    Per layer and token these are ten states (two norms, queries, keys, values, what attention makes of them, two sums and two
    dropouts), three of the hidden layer and, for attention that keeps its weights, two per head and token that it sees.

    Parameters
    ----------
    tokens, width, layers, heads, feed_forward
        Of the blocks.
    pairs
        Tokens that a token sees, where the weights of attention are kept; 0 where they are computed again.
    """
    return layers * tokens * (10 * width + 3 * feed_forward + 2 * heads * pairs)
