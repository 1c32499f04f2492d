r"""Attention of samples that are followed by their successors, where the context is all that is seen of each other.

Who sees whom says :class:`genoken.models.layers.packing.Packing`. Nothing here is as large as (tokens, tokens): the context attends
to itself, and what stands behind it attends to the context and the separator, each in one fused call.

With the pattern ``next_cell_self`` each next token has one more key, its own. Its score :math:`q_i \cdot k_i` is put into the
query as one more coordinate, and the keys of the sample get one more row, which is 1 in that coordinate and 0 elsewhere. The weight
of that row is the weight of the own key. Its value is 1 in one more coordinate of the values and 0 elsewhere, so that the same call
returns the weight, and the own value times it is added. This is exact, and any fused kernel will do, its gradients with it.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from genoken.core.layout import AttentionPattern
from genoken.models.layers.dropout_attention import attend_fused
from genoken.models.layers.packing import CONTEXT, SEPARATOR, Packing, Part

OWN_COORDINATES = 8
"""Coordinates that a query's own key takes: two for its score, one for its weight; kernels for GPUs want a multiple of 8."""


def may_see(pattern: AttentionPattern, query_part: Tensor, key_part: Tensor, is_same: Tensor) -> Tensor:
    """Return whether tokens of a sample see each other, bool; the parameters have shapes that fit together.

    Parameters
    ----------
    pattern
        One of the two that are not ``full``.
    query_part, key_part
        ``CONTEXT``, ``SEPARATOR`` or ``NEXT``.
    is_same
        Whether query and key are one token.
    """
    seen = (key_part == CONTEXT) | ((key_part == SEPARATOR) & (query_part != CONTEXT))
    return seen | is_same if pattern == "next_cell_self" else seen


def attend_alike(query: Tensor, key: Tensor, value: Tensor, mutual: int, own: bool, dropout: float) -> Tensor:
    """Attend within samples that are alike; shapes (samples, tokens, heads, head width) in and out.

    Parameters
    ----------
    query, key, value
        Of all tokens; where nothing stands behind the context there may be fewer queries than keys.
    mutual
        Number of tokens from the first on that see each other; what stands behind sees them and the first token behind.
    own
        Whether the tokens behind see themselves, too.
    dropout
        Dropout of the weights.
    """
    if key.shape[1] == mutual:
        return attend_fused(query, key, value, dropout)
    seen_key, seen_value = key[:, : mutual + 1], value[:, : mutual + 1]
    mixed = [attend_fused(query[:, :mutual], key[:, :mutual], value[:, :mutual], dropout)]
    if not own:
        mixed.append(attend_fused(query[:, mutual:], seen_key, seen_value, dropout))
        return torch.cat(mixed, dim=1)
    mixed.append(attend_fused(query[:, mutual : mutual + 1], seen_key, seen_value, dropout))
    if key.shape[1] > mutual + 1:
        own_key, own_value = key[:, mutual + 1 :], value[:, mutual + 1 :]
        extended = attend_fused(
            _with_own_score(query[:, mutual + 1 :], own_key),
            _with_own_row(seen_key, 2),
            _with_own_row(seen_value, 1),
            dropout,
            key.shape[-1] ** -0.5,
        )
        mixed.append(_with_own_value(extended, own_value))
    return torch.cat(mixed, dim=1)


@torch.compiler.disable
def attend_parts(query: Tensor, key: Tensor, value: Tensor, packing: Packing) -> Tensor:
    """Attend with PyTorch's variable-length kernel, one call for each part of all samples; shapes (tokens, heads, head width)."""
    mixed = [_attend_part(query, key, value, part) for part in packing.parts]
    places = torch.cat([part.queries for part in packing.parts])
    return torch.empty_like(query).index_copy(0, places, torch.cat(mixed))


def _attend_part(query: Tensor, key: Tensor, value: Tensor, part: Part) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    queries, own_key, own_value = query.index_select(0, part.queries), key, value
    if part.own:
        own_key, own_value = key.index_select(0, part.queries), value.index_select(0, part.queries)
        queries = _with_own_score(queries, own_key)
        key, value = _with_own_row(key, 2), _with_own_row(value, 1)
    mixed = varlen_attn(
        queries,
        key.index_select(0, part.keys),
        value.index_select(0, part.keys),
        part.query_offsets,
        part.key_offsets,
        part.most_queries,
        part.most_keys,
        scale=query.shape[-1] ** -0.5,
    )
    mixed = cast("Tensor", mixed)  # it returns a pair only when auxiliary results are asked for
    return _with_own_value(mixed, own_value) if part.own else mixed


def _with_own_score(query: Tensor, own_key: Tensor) -> Tensor:
    """Return queries (..., head width + own coordinates) that hold their products with their own keys."""
    wide = torch.promote_types(query.dtype, torch.float32)
    score = (query.to(wide) * own_key.to(wide)).sum(dim=-1, keepdim=True)
    # In bf16 a score is coarser than a kernel computes it, so that what rounding takes away goes into a second coordinate.
    coarse = score.to(query.dtype)
    fine = (score - coarse).to(query.dtype)
    return torch.cat([query, coarse, fine, query.new_zeros(*query.shape[:-1], OWN_COORDINATES - 2)], dim=-1)


def _with_own_row(vectors: Tensor, ones: int) -> Tensor:
    """Return keys or values with own coordinates, and one more row that is 1 in the first of them, along the third-last axis."""
    *others, _, heads, width = vectors.shape
    row = vectors.new_zeros(*others, 1, heads, width + OWN_COORDINATES)
    row[..., width : width + ones] = 1
    return torch.cat([functional.pad(vectors, (0, OWN_COORDINATES)), row], dim=-3)


def _with_own_value(extended: Tensor, own_value: Tensor) -> Tensor:
    """Return what was mixed (..., head width) with the own values times their weights, which the first own coordinate holds."""
    width = own_value.shape[-1]
    return extended[..., :width] + extended[..., width : width + 1] * own_value
