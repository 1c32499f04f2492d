"""Self-attention over packed tokens: one set of weights, several backends that agree.

A token attends to the tokens of its own sample that the packing's pattern lets it see, and to no others. No backend makes a padded
copy. With attention dropout on the CPU ``sdpa`` goes block by block, see :mod:`genoken.models.layers.dropout_attention`. With a
window all backends but ``eager`` go stretch by stretch, see :mod:`genoken.models.layers.window_attention`.

=========  ======================================================================================================
backend    where
=========  ======================================================================================================
varlen     CUDA from compute capability 8.0 on, bf16 or fp16: one kernel over all samples (``torch.nn.attention.varlen``)
flex       CUDA: a compiled kernel with a block mask; it has no backward pass on CPU and is refused there
sdpa       any device: one fused call per run of samples that are alike, on views of the packed tokens
eager      any device: explicit softmax; the reference, and the only one that can hand out the weights
=========  ======================================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from genoken.core.errors import ConfigError
from genoken.models.layers.next_cell_attention import attend_alike, attend_parts, may_see
from genoken.models.layers.packing import Packing, without_successors
from genoken.models.layers.window_attention import attend_near, sees_near

WeightsReader = Callable[[int, Tensor], None]
"""Called with a sample's index and its weights of shape (heads, queries, keys)."""


@dataclass(frozen=True)
class BackendChoice:
    """The attention backend that is used, and why.

    Parameters
    ----------
    backend
        ``varlen``, ``flex``, ``sdpa`` or ``eager``.
    reason
        One sentence for the user.
    """

    backend: str
    reason: str


def choose_backend(requested: str, device: torch.device, dtype: torch.dtype, dropout: float = 0.0) -> BackendChoice:
    """Return the backend for a device and a compute type.

    Raises
    ------
    ConfigError
        When a backend is asked for by name that cannot work here, or that has no attention dropout although some is set.
    """
    capability = torch.cuda.get_device_capability(device) if device.type == "cuda" else (0, 0)
    obstacle = _varlen_obstacle(device, dtype, capability)
    if requested == "auto":
        if not obstacle and dropout == 0:
            return BackendChoice("varlen", f"CUDA device of compute capability {capability[0]}.{capability[1]} in {_name(dtype)}")
        why = obstacle or "attention dropout is set, which varlen does not have"
        return BackendChoice("sdpa", f"varlen was not taken because {why}")
    if requested == "varlen" and obstacle:
        raise ConfigError(f"attention backend 'varlen' cannot be used: {obstacle}", remedy="use --attention auto")
    if requested == "flex" and device.type != "cuda":
        raise ConfigError(
            f"attention backend 'flex' cannot be used: it has no backward pass on {device.type}", remedy="use --attention auto"
        )
    if requested in ("varlen", "flex") and dropout > 0:
        raise ConfigError(
            f"attention backend '{requested}' has no attention dropout, but model.encoder.attention_dropout is {dropout}",
            remedy="set it to 0, or use --attention sdpa",
        )
    return BackendChoice(requested, "asked for by name")


def _varlen_obstacle(device: torch.device, dtype: torch.dtype, capability: tuple[int, int]) -> str:
    if device.type != "cuda":
        return f"the device is {device.type}, not CUDA"
    if capability < (8, 0):
        return f"the GPU's compute capability is {capability[0]}.{capability[1]}, below 8.0"
    if dtype not in (torch.bfloat16, torch.float16):
        return f"the precision is {_name(dtype)}, not bf16 or fp16"
    return ""


def _name(dtype: torch.dtype) -> str:
    return {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}.get(dtype, str(dtype))


class SelfAttention(nn.Module):
    """Multi-head self-attention over packed tokens.

    ``softmax(Q Kᵀ / sqrt(width / heads)) V`` within each sample, over the keys that a query sees, then a linear map.

    Parameters
    ----------
    width
        Width of a token's state; a multiple of ``heads``.
    heads
        Number of heads.
    dropout
        Dropout of the attention weights (backends ``sdpa`` and ``eager`` only).

    References
    ----------
    Vaswani et al., "Attention is all you need" (2017), arXiv:1706.03762.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(
                f"'model.width' ({width}) is not a multiple of 'model.encoder.heads' ({heads})", remedy="change one of the two"
            )
        self.heads = heads
        self.dropout = dropout
        self.backend = "sdpa"
        self.weights_reader: WeightsReader | None = None
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, states: Tensor, packing: Packing, *, first_token_only: bool = False) -> Tensor:
        """Attend.

        Parameters
        ----------
        states
            Shape (tokens, width).
        packing
            How the tokens are divided into samples, and who sees whom.
        first_token_only
            Compute the result for each sample's first token alone.

        Returns
        -------
        Tensor
            Shape (tokens, width), or (samples, width) with ``first_token_only``.
        """
        width = states.shape[1]
        head_width = width // self.heads
        if first_token_only:
            states, packing = without_successors(states, packing)  # the first token sees its context alone
            packing = packing.with_window(0)  # and all of that
            weight, bias = self.query_key_value.weight, self.query_key_value.bias
            query = functional.linear(states.index_select(0, packing.first_tokens), weight[:width], bias[:width])
            query = query.view(-1, self.heads, head_width)
            key, value = functional.linear(states, weight[width:], bias[width:]).view(-1, 2, self.heads, head_width).unbind(1)
        else:
            query, key, value = self.query_key_value(states).view(-1, 3, self.heads, head_width).unbind(1)
        mixed = self._attend(query, key, value, packing, first_token_only)
        return self.output(mixed.reshape(-1, width))

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, packing: Packing, first_token_only: bool) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        if self.weights_reader is not None or self.backend == "eager":
            return attend_eager(query, key, value, packing, first_token_only, dropout, self.weights_reader)
        if packing.pattern == "windowed":
            return attend_near(query, key, value, packing, dropout)
        if self.backend == "varlen" and query.dtype in (torch.bfloat16, torch.float16):
            if packing.pattern != "full":
                return attend_parts(query, key, value, packing)
            return attend_varlen(query, key, value, packing, first_token_only)
        if self.backend == "flex":
            return attend_flex(query, key, value, packing, first_token_only)
        return attend_sdpa(query, key, value, packing, first_token_only, dropout)


def _query_packing(packing: Packing, first_token_only: bool) -> Packing:
    if not first_token_only:
        return packing
    return Packing.from_lengths((1,) * packing.num_samples, packing.offsets.device)


@torch.compiler.disable
def attend_sdpa(query: Tensor, key: Tensor, value: Tensor, packing: Packing, first_token_only: bool, dropout: float) -> Tensor:
    """Attend with fused calls per run of samples that are alike; shapes (tokens, heads, head width) in and out."""
    runs, own = packing.equal_runs, packing.pattern == "next_cell_self"
    queries = query.split([samples * (1 if first_token_only else length) for samples, length, _ in runs])
    keys = key.split([samples * length for samples, length, _ in runs])
    values = value.split([samples * length for samples, length, _ in runs])
    mixed = [
        attend_alike(
            part_query.unflatten(0, (samples, -1)),
            part_key.unflatten(0, (samples, length)),
            part_value.unflatten(0, (samples, length)),
            mutual,
            own,
            dropout,
        ).flatten(0, 1)
        for (samples, length, mutual), part_query, part_key, part_value in zip(runs, queries, keys, values, strict=True)
    ]
    return mixed[0] if len(mixed) == 1 else torch.cat(mixed)


def attend_eager(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    packing: Packing,
    first_token_only: bool,
    dropout: float = 0.0,
    weights_reader: WeightsReader | None = None,
) -> Tensor:
    """Attend sample by sample with an explicit softmax in float32; ``weights_reader`` sees each sample's weights.

    The weight of a key that a query does not see is 0.
    """
    scale = 1.0 / math.sqrt(query.shape[-1])
    lengths = list(packing.lengths)
    queries = query.split([1] * len(lengths) if first_token_only else lengths)
    parts = packing.part_of_token.split(lengths)
    mixed = []
    for sample, (part_query, part_key, part_value, part) in enumerate(
        zip(queries, key.split(lengths), value.split(lengths), parts, strict=True)
    ):
        scores = torch.einsum("qhd,khd->hqk", part_query, part_key).float() * scale
        if packing.pattern != "full":
            scores = scores.masked_fill(~_seen(packing, part), float("-inf"))
        weights = scores.softmax(dim=-1)
        if weights_reader is not None:
            weights_reader(sample, weights)
        weights = functional.dropout(weights, dropout, training=dropout > 0).to(value.dtype)
        mixed.append(torch.einsum("hqk,khd->qhd", weights, part_value))
    return torch.cat(mixed)


def _seen(packing: Packing, part: Tensor) -> Tensor:
    """Return which tokens of a sample see which, bool (tokens, tokens), where not all do; ``part`` is that of its tokens."""
    if packing.window:
        places = torch.arange(len(part), device=part.device)
        return sees_near(places.unsqueeze(1), places, packing.window)
    is_same = torch.eye(len(part), dtype=torch.bool, device=part.device)
    return may_see(packing.pattern, part.unsqueeze(1), part, is_same)


def attend_varlen(query: Tensor, key: Tensor, value: Tensor, packing: Packing, first_token_only: bool) -> Tensor:
    """Attend with PyTorch's variable-length kernel (CUDA, bf16 or fp16)."""
    from torch.nn.attention.varlen import varlen_attn

    queries = _query_packing(packing, first_token_only)
    mixed = varlen_attn(
        query.contiguous(),
        key.contiguous(),
        value.contiguous(),
        queries.offsets,
        packing.offsets,
        queries.max_length,
        packing.max_length,
    )
    return cast("Tensor", mixed)  # it returns a pair only when auxiliary results are asked for


def attend_flex(query: Tensor, key: Tensor, value: Tensor, packing: Packing, first_token_only: bool) -> Tensor:
    """Attend with FlexAttention over all tokens at once, masked so that samples do not see each other (CUDA)."""
    from torch.nn.attention.flex_attention import create_block_mask

    key_sample = packing.sample_of_token
    query_sample = torch.arange(packing.num_samples, device=key.device) if first_token_only else key_sample

    def same_sample(batch: Tensor, head: Tensor, query_index: Tensor, key_index: Tensor) -> Tensor:
        return query_sample[query_index] == key_sample[key_index]

    mask_of = same_sample
    if packing.pattern != "full":
        part, pattern = packing.part_of_token, packing.pattern

        def mask_of(batch: Tensor, head: Tensor, query_index: Tensor, key_index: Tensor) -> Tensor:
            seen = may_see(pattern, part[query_index], part[key_index], query_index == key_index)
            return seen & same_sample(batch, head, query_index, key_index)

    mask = create_block_mask(mask_of, None, None, len(query), len(key), device=str(key.device))
    mixed = _compiled_flex()(
        query.transpose(0, 1).unsqueeze(0), key.transpose(0, 1).unsqueeze(0), value.transpose(0, 1).unsqueeze(0), block_mask=mask
    )
    return mixed.squeeze(0).transpose(0, 1)


_FLEX: list[Callable[..., Tensor]] = []


def _compiled_flex() -> Callable[..., Tensor]:
    """Compile FlexAttention once per process; uncompiled it would build the whole tokens x tokens matrix."""
    if not _FLEX:
        from torch.nn.attention.flex_attention import flex_attention

        _FLEX.append(torch.compile(flex_attention, dynamic=True))
    return _FLEX[0]
