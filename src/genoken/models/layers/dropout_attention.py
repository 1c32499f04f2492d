"""Fused attention; with dropout of its weights on the CPU, where PyTorch's kernel has none, block by block: no weight is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from threading import Barrier
from typing import Any

import torch
from torch import Tensor
from torch.amp import custom_bwd, custom_fwd
from torch.nn import functional

from genoken.core.random import generator
from genoken.models.layers.dropout import draw_seed, dropped_places

BLOCK = 1 << 18
"""Weights that are computed at a time; so many stay in the processor's cache."""


@dataclass(frozen=True)
class _Block:
    """Some heads, some of their queries, and which of the block's weights are dropped."""

    heads: slice
    queries: slice
    dropped: Tensor


def attend_fused(query: Tensor, key: Tensor, value: Tensor, dropout: float, scale: float | None = None) -> Tensor:
    """Attend within samples of equal length; all queries of a sample see all its keys.

    Parameters
    ----------
    query
        Shape (samples, queries, heads, head width).
    key, value
        Shape (samples, keys, heads, head width).
    dropout
        Dropout of the weights.
    scale
        Factor of the scores; ``None`` for one over the square root of the head width.

    Returns
    -------
    Tensor
        Shape (samples, queries, heads, head width).
    """
    query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    if dropout > 0 and query.device.type == "cpu":
        # PyTorch's fused kernel for the CPU has no dropout; its other one keeps all weights of all layers for the backward pass.
        return attend_with_dropout(query, key, value, dropout, scale).transpose(1, 2)
    return functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout, scale=scale).transpose(1, 2)


def attend_with_dropout(query: Tensor, key: Tensor, value: Tensor, dropout: float, scale: float | None = None) -> Tensor:
    r"""Return :math:`(M \circ \mathrm{softmax}(s Q K^T)) V / (1 - p)`, each entry of ``M`` 0 with probability p, else 1.

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
    scale
        ``s``; ``None`` for one over the square root of the head width.

    References
    ----------
    Dao et al., "FlashAttention" (2022), arXiv:2205.14135, for computing the weights again.
    """
    flat = (part.reshape(-1, *part.shape[-2:]) for part in (query, key, value))
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    mixed: Tensor = _DropoutAttention.apply(*flat, dropout, scale, draw_seed())
    return mixed.view(*query.shape)


class _DropoutAttention(torch.autograd.Function):
    """See :func:`attend_with_dropout`; shapes (heads, queries or keys, head width). Under autocast it computes in float32."""

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, dropout: float, scale: float, seed: int) -> Tensor:
        """Return the mixed values."""
        scaled, mixed = query * scale, torch.empty_like(query)

        def attend(heads: slice) -> None:
            for block in _blocks(heads, query, key, dropout, seed):
                part = block.heads, block.queries
                weights = torch.bmm(scaled[part], key[block.heads].transpose(1, 2)).softmax(dim=2)
                weights.view(-1).index_fill_(0, block.dropped, 0.0)
                mixed[part] = torch.bmm(weights, value[block.heads])

        _for_all_heads(attend, query, key)
        ctx.save_for_backward(scaled, key, value)
        ctx.dropout, ctx.scale, ctx.seed = dropout, scale, seed
        return mixed.div_(1 - dropout)

    @staticmethod
    @custom_bwd(device_type="cpu")
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        """Return the gradients of query, key and value."""
        scaled, key, value = ctx.saved_tensors
        gradient = gradient / (1 - ctx.dropout)
        of_query, of_key, of_value = torch.empty_like(scaled), torch.zeros_like(key), torch.zeros_like(value)

        def differentiate(own: slice) -> None:
            for block in _blocks(own, scaled, key, ctx.dropout, ctx.seed):
                heads, part = block.heads, (block.heads, block.queries)
                weights = torch.bmm(scaled[part], key[heads].transpose(1, 2)).softmax(dim=2)
                of_weights = torch.bmm(gradient[part], value[heads].transpose(1, 2))
                of_weights.view(-1).index_fill_(0, block.dropped, 0.0)
                of_scores = torch.ops.aten._softmax_backward_data(of_weights, weights, 2, weights.dtype)
                weights.view(-1).index_fill_(0, block.dropped, 0.0)
                of_value[heads].baddbmm_(weights.transpose(1, 2), gradient[part])
                of_key[heads].baddbmm_(of_scores.transpose(1, 2), scaled[part])
                of_query[part] = torch.bmm(of_scores, key[heads])

        _for_all_heads(differentiate, scaled, key)
        return of_query.mul_(ctx.scale), of_key, of_value, None, None, None


def _for_all_heads(work: Callable[[slice], None], query: Tensor, key: Tensor) -> None:
    """Do the work for all heads, several at once where samples are short; each of PyTorch's threads takes whole heads.

    A block is too small to be shared: threads that meet after each of its products would wait more than they work.
    """
    num_heads, at_once = len(query), max(1, BLOCK // (query.shape[1] * key.shape[1]))
    parts = [slice(head, min(head + at_once, num_heads)) for head in range(0, num_heads, at_once)]
    num_threads = min(torch.get_num_threads(), len(parts))
    if num_threads == 1:
        for part in parts:
            work(part)
        return
    grad_enabled = torch.is_grad_enabled()

    def in_thread(part: slice) -> None:
        with torch.set_grad_enabled(grad_enabled):
            work(part)

    list(_pool(num_threads).map(in_thread, parts))


@cache
def _pool(num_threads: int) -> ThreadPoolExecutor:
    """Return threads in each of which PyTorch computes alone; the number of threads elsewhere stays."""
    before = torch.get_num_threads()
    are_here = Barrier(num_threads)

    def begin(_: int) -> None:
        torch.set_num_threads(1)
        are_here.wait()

    pool = ThreadPoolExecutor(num_threads, thread_name_prefix="attention")
    list(pool.map(begin, range(num_threads)))
    torch.set_num_threads(before)  # the number for threads to come is the process's own
    return pool


def _blocks(heads: slice, query: Tensor, key: Tensor, dropout: float, seed: int) -> Iterator[_Block]:
    """Yield whole heads, or rows of one head; what is dropped follows from the seed and the first head alone."""
    num_queries, num_keys = query.shape[1], key.shape[1]
    rng = generator(seed, "attention_dropout", heads.start)
    rows = num_queries if heads.stop - heads.start > 1 else min(num_queries, max(1, BLOCK // num_keys))
    for row in range(0, num_queries, rows):
        queries = slice(row, min(row + rows, num_queries))
        count = (heads.stop - heads.start) * (queries.stop - queries.start) * num_keys
        yield _Block(heads, queries, torch.from_numpy(dropped_places(rng, count, dropout)))
