"""Attention between neighbors: every token sees those near it and the first token, which sees all and is seen by all.

Nothing here is as large as (tokens, tokens). The tokens behind the first are cut into stretches as long as the window. The queries
of a stretch see keys of their own stretch, of the one before and of the one behind it, which a mask narrows down to the window, so
that memory and time grow with tokens times window.

References
----------
Beltagy et al., "Longformer" (2020), arXiv:2004.05150.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from genoken.models.layers.dropout_attention import attend_fused
from genoken.models.layers.packing import Packing


def sees_near(query_places: Tensor, key_places: Tensor, window: int) -> Tensor:
    """Return whether tokens at these places of a sample see each other, bool; the parameters have shapes that fit together."""
    return ((query_places - key_places).abs() <= window) | (query_places == 0) | (key_places == 0)


@torch.compiler.disable
def attend_near(query: Tensor, key: Tensor, value: Tensor, packing: Packing, dropout: float) -> Tensor:
    """Attend within the window; shapes (tokens, heads, head width) in and out."""
    sizes = [samples * length for samples, length, _ in packing.equal_runs]
    mixed = []
    for (samples, _, _), *parts in zip(packing.equal_runs, query.split(sizes), key.split(sizes), value.split(sizes), strict=True):
        own = [part.unflatten(0, (samples, -1)) for part in parts]
        mixed.append(_attend_run(own[0], own[1], own[2], packing.window, dropout).flatten(0, 1))
    return mixed[0] if len(mixed) == 1 else torch.cat(mixed)


def _attend_run(query: Tensor, key: Tensor, value: Tensor, window: int, dropout: float) -> Tensor:
    """Attend within samples of equal length; shapes (samples, tokens, heads, head width) in and out."""
    length = query.shape[1] - 1
    if length <= window + 1:  # then all are near
        return attend_fused(query, key, value, dropout)
    inner = max(length // window - 2, 0)
    mixed = [attend_fused(query[:, :1], key, value, dropout), _attend_outer(query, key, value, 0, window, dropout)]
    if inner:
        mixed.append(_attend_inner(query, key, value, window, dropout))
    behind = range((inner + 1) * window, length, window)
    mixed += [_attend_outer(query, key, value, start, window, dropout) for start in behind]
    return torch.cat(mixed, dim=1)


def _attend_outer(query: Tensor, key: Tensor, value: Tensor, start: int, window: int, dropout: float) -> Tensor:
    """Attend from the stretch that begins ``start`` tokens behind the first token, and that has no whole one on both sides."""
    length = query.shape[1] - 1
    first, last = max(start - window, 0), min(start + 2 * window, length)
    keys, values = (torch.cat([part[:, :1], part[:, first + 1 : last + 1]], dim=1) for part in (key, value))
    return _attend_stretch(query[:, start + 1 : start + window + 1], keys, values, first - start, window, dropout)


def _attend_inner(query: Tensor, key: Tensor, value: Tensor, window: int, dropout: float) -> Tensor:
    """Attend from all stretches that have a whole one on either side, in one call."""
    samples, _, heads, head_width = query.shape
    inner = (query.shape[1] - 1) // window - 2
    queries = query[:, window + 1 : (inner + 1) * window + 1].reshape(samples * inner, window, heads, head_width)
    keys, values = (_with_first(part, window, inner) for part in (key, value))
    return _attend_stretch(queries, keys, values, -window, window, dropout).view(samples, inner * window, heads, head_width)


def _with_first(part: Tensor, window: int, inner: int) -> Tensor:
    """Return for each inner stretch the first token and three stretches, (samples x inner, 1 + 3 window, heads, head width)."""
    near = part[:, 1:].unfold(1, 3 * window, window).permute(0, 1, 4, 2, 3)
    first = part[:, None, :1].expand(-1, inner, -1, -1, -1)
    return torch.cat([first, near], dim=2).flatten(0, 1)


def _attend_stretch(query: Tensor, key: Tensor, value: Tensor, offset: int, window: int, dropout: float) -> Tensor:
    """Attend from a stretch; the second key is ``offset`` places behind the first query, and the first key is seen by all."""
    places = torch.arange(key.shape[1] - 1, device=query.device) + offset
    near = (places - torch.arange(query.shape[1], device=query.device).unsqueeze(1)).abs() <= window
    seen = functional.pad(near, (1, 0), value=True)
    query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=seen, dropout_p=dropout).transpose(1, 2)
