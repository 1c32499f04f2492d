"""Attention with dropout of its weights on the CPU, where PyTorch's fused kernel has none: block by block, no weight is kept."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.amp import custom_bwd, custom_fwd

from genoken.core.random import generator

BLOCK = 1 << 18
"""Weights that are computed at a time; so many stay in the processor's cache."""


@dataclass(frozen=True)
class _Block:
    """Some heads, some of their queries, and which of the block's weights are dropped."""

    heads: slice
    queries: slice
    dropped: Tensor


def attend_with_dropout(query: Tensor, key: Tensor, value: Tensor, dropout: float) -> Tensor:
    r"""Return :math:`(M \circ \mathrm{softmax}(Q K^T / \sqrt{w})) V / (1 - p)`, each entry of ``M`` 0 with probability p, else 1.

    Memory does not grow with the square of the tokens: the backward pass computes the weights again, and draws the same ones to
    drop. The draws follow from PyTorch's global generator, of which they take one number.

    Parameters
    ----------
    query
        Shape (..., queries, head width).
    key, value
        Shape (..., keys, head width).
    dropout
        ``p``, above 0 and below 1.

    References
    ----------
    Dao et al., "FlashAttention" (2022), arXiv:2205.14135, for the backward pass, the sum over keys that it needs being that of the
    output times its gradient.
    """
    seed = int(torch.randint(1 << 62, (1,)))
    flat = (part.reshape(-1, *part.shape[-2:]) for part in (query, key, value))
    mixed: Tensor = _DropoutAttention.apply(*flat, dropout, seed)
    return mixed.view(*query.shape)


def dropped_places(rng: np.random.Generator, count: int, dropout: float) -> np.ndarray:
    """Return which of ``count`` weights are dropped, each with the same probability by itself; int64, ascending.

    The gaps between them are geometric, so that only as many numbers are drawn as weights are dropped.
    """
    expected = count * dropout
    size = int(expected + 4 * math.sqrt(expected)) + 8
    places = np.cumsum(rng.geometric(dropout, size)) - 1
    while places[-1] < count:
        places = np.append(places, places[-1] + np.cumsum(rng.geometric(dropout, size)))
    return places[: np.searchsorted(places, count)]


class _DropoutAttention(torch.autograd.Function):
    """See :func:`attend_with_dropout`; shapes (heads, queries or keys, head width). Under autocast it computes in float32."""

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, dropout: float, seed: int) -> Tensor:
        """Return the mixed values."""
        scaled = query * query.shape[2] ** -0.5
        mixed, log_sums = torch.empty_like(query), query.new_empty(*query.shape[:2], 1)
        for block in _blocks(query, key, dropout, seed):
            part = block.heads, block.queries
            weights = torch.bmm(scaled[part], key[block.heads].transpose(1, 2))
            highest = weights.amax(dim=2, keepdim=True)
            weights.sub_(highest).exp_()
            sums = weights.sum(dim=2, keepdim=True)
            log_sums[part] = highest + sums.log()
            weights.view(-1).index_fill_(0, block.dropped, 0.0)
            mixed[part] = torch.bmm(weights, value[block.heads]).div_(sums * (1 - dropout))
        ctx.save_for_backward(scaled, key, value, mixed, log_sums)
        ctx.dropout, ctx.seed = dropout, seed
        return mixed

    @staticmethod
    @custom_bwd(device_type="cpu")
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Return the gradients of query, key and value."""
        scaled, key, value, mixed, log_sums = ctx.saved_tensors
        means = (gradient * mixed).sum(dim=2, keepdim=True)
        gradient = gradient / (1 - ctx.dropout)
        of_query, of_key, of_value = torch.empty_like(scaled), torch.zeros_like(key), torch.zeros_like(value)
        for block in _blocks(scaled, key, ctx.dropout, ctx.seed):
            heads, part = block.heads, (block.heads, block.queries)
            weights = torch.bmm(scaled[part], key[heads].transpose(1, 2)).sub_(log_sums[part]).exp_()
            of_scores = torch.bmm(gradient[part], value[heads].transpose(1, 2))
            of_scores.view(-1).index_fill_(0, block.dropped, 0.0)
            of_scores.sub_(means[part]).mul_(weights)
            weights.view(-1).index_fill_(0, block.dropped, 0.0)
            of_value[heads].baddbmm_(weights.transpose(1, 2), gradient[part])
            of_key[heads].baddbmm_(of_scores.transpose(1, 2), scaled[part])
            of_query[part] = torch.bmm(of_scores, key[heads])
        return of_query.mul_(scaled.shape[2] ** -0.5), of_key, of_value, None, None


def _blocks(query: Tensor, key: Tensor, dropout: float, seed: int) -> Iterator[_Block]:
    """Yield whole heads, several where samples are short, or rows of one head; each draws what it drops after those before it."""
    num_heads, num_queries, num_keys = len(query), query.shape[1], key.shape[1]
    rng = generator(seed, "attention_dropout")
    at_once = max(1, BLOCK // (num_queries * num_keys))
    rows = min(num_queries, max(1, BLOCK // num_keys))
    for head in range(0, num_heads, at_once):
        heads = slice(head, min(head + at_once, num_heads))
        for row in range(0, num_queries, rows):
            queries = slice(row, min(row + rows, num_queries))
            count = (heads.stop - heads.start) * (queries.stop - queries.start) * num_keys
            yield _Block(heads, queries, torch.from_numpy(dropped_places(rng, count, dropout)))
