"""How the flat tokens of a batch are divided into samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, groupby

import torch
from torch import Tensor

from genoken.core.layout import AttentionPattern

CONTEXT, SEPARATOR, NEXT = 0, 1, 2
"""Parts of a sample: itself, the separator behind it, and its successor."""


@dataclass(frozen=True)
class Part:
    """Some queries of each sample and the keys that all of them see; samples without such queries are left out.

    Parameters
    ----------
    queries, keys
        Indices of the tokens, int64, sample by sample. With ``own`` each sample's keys end with one more index, the number of all
        tokens, which stands for a query's own key.
    query_offsets, key_offsets
        Where each sample's begin, int32 of shape (samples + 1,).
    most_queries, most_keys
        Those of the sample that has the most.
    own
        Whether each query sees itself, too, and is not among the keys.
    """

    queries: Tensor
    keys: Tensor
    query_offsets: Tensor
    key_offsets: Tensor
    most_queries: int
    most_keys: int
    own: bool


@dataclass(frozen=True)
class Packing:
    """Division of flat tokens into samples, and which tokens of a sample see which.

    A sample may be followed by its successor: ``[CLS] current [SEP] next``, where ``[CLS] current`` is the context.

    ====================  =================================================================================================
    pattern               who sees whom
    ====================  =================================================================================================
    ``full``              every token of the sample sees every token of the sample
    ``windowed``          every token sees those at most ``window`` places away; the first one sees all, and all see it
    ``next_cell_strict``  the context sees itself; the separator and the next tokens see the context and the separator
    ``next_cell_self``    the same, and each next token also sees itself
    ====================  =================================================================================================

    In the last two no token of the successor changes the state of any other token, so that what stands at one place of it is told
    from the sample alone.

    Parameters
    ----------
    lengths
        Tokens of each sample, on the host.
    offsets
        int32 tensor of shape (samples + 1,), on the tokens' device.
    context
        Tokens of each sample's context, on the host; the separator comes next. Empty where no sample has a successor.
    pattern
        Who sees whom.
    window
        Places to either side that a token sees, with the pattern ``windowed``; else 0.
    """

    lengths: tuple[int, ...]
    offsets: Tensor = field(repr=False)
    context: tuple[int, ...] = ()
    pattern: AttentionPattern = "full"
    window: int = 0

    def __post_init__(self) -> None:
        if (self.window > 0) != (self.pattern == "windowed"):
            raise ValueError(f"a window of {self.window} with the pattern '{self.pattern}'")
        if (self.context or self.has_successors) and len(self.context) != len(self.lengths):
            raise ValueError(f"{len(self.context)} contexts of {len(self.lengths)} samples")

    @classmethod
    def from_lengths(cls, lengths: tuple[int, ...], device: torch.device) -> Packing:
        """Build the offsets of samples without successors from their lengths."""
        return cls(lengths=lengths, offsets=offsets_of(lengths, device))

    def with_window(self, window: int) -> Packing:
        """Return the packing with a window, or, with 0, without one, so that every token of a sample sees every other one."""
        return replace(self, pattern="windowed" if window else "full", window=window)

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return len(self.lengths)

    @property
    def has_successors(self) -> bool:
        """Whether the pattern is one of those in which a sample is followed by another."""
        return self.pattern in ("next_cell_strict", "next_cell_self")

    @property
    def max_length(self) -> int:
        """Tokens of the longest sample."""
        return max(self.lengths, default=0)

    @cached_property
    def first_tokens(self) -> Tensor:
        """Index of each sample's first token, int64 of shape (samples,)."""
        return self.offsets[:-1].long()

    @cached_property
    def sample_of_token(self) -> Tensor:
        """Sample of each token, int64 of shape (tokens,)."""
        lengths = torch.diff(self.offsets).long()
        samples = torch.arange(self.num_samples, device=self.offsets.device)
        return torch.repeat_interleave(samples, lengths, output_size=sum(self.lengths))

    @property
    def mutual_lengths(self) -> tuple[int, ...]:
        """Tokens of each sample, from the first on, that see each other: its context, or, where no sample has a successor, all."""
        return self.context if self.has_successors else self.lengths

    @property
    def num_seen(self) -> int:
        """Number of pairs of a token and one that it sees, over all samples."""
        if self.window:
            return sum(_num_near(length, self.window) for length in self.lengths)
        own = self.pattern == "next_cell_self"
        return sum(
            mutual**2 + (length - mutual) * (mutual + 1) + own * max(length - mutual - 1, 0)
            for length, mutual in zip(self.lengths, self.mutual_lengths, strict=True)
        )

    @cached_property
    def equal_runs(self) -> tuple[tuple[int, int, int], ...]:
        """Consecutive samples that are alike as (samples, length, mutual length), in order.

        Each run is a view of shape (samples, length, …).
        """
        alike = groupby(zip(self.lengths, self.mutual_lengths, strict=True))
        return tuple((len(list(run)), length, mutual) for (length, mutual), run in alike)

    @cached_property
    def places(self) -> Tensor:
        """Place of each token within its sample, int64 of shape (tokens,)."""
        return torch.arange(sum(self.lengths), device=self.offsets.device) - self.first_tokens[self.sample_of_token]

    @cached_property
    def context_of_sample(self) -> Tensor:
        """Tokens of each sample's context, int64 of shape (samples,), on the tokens' device."""
        return torch.tensor(self.context, dtype=torch.int64).to(self.offsets.device, non_blocking=True)

    @cached_property
    def part_of_token(self) -> Tensor:
        """``CONTEXT``, ``SEPARATOR`` or ``NEXT`` for each token, int64 of shape (tokens,)."""
        if not self.context:
            return torch.full((sum(self.lengths),), CONTEXT, device=self.offsets.device)
        behind = self.places - self.context_of_sample[self.sample_of_token]
        return (behind + 1).clamp(CONTEXT, NEXT)

    @cached_property
    def contexts(self) -> Packing:
        """The contexts alone, as samples without successors."""
        return Packing.from_lengths(self.context, self.offsets.device)

    @cached_property
    def context_tokens(self) -> Tensor:
        """Indices of the contexts' tokens, int64, ascending."""
        return _tokens_of(self._starts, self.context).to(self.offsets.device, non_blocking=True)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Who sees whom, where samples have successors: each token is a query of one part."""
        device, context = self.offsets.device, self.context
        behind = [length - own for length, own in zip(self.lengths, context, strict=True)]
        separators = [min(rest, 1) for rest in behind]
        following = [rest - separator for rest, separator in zip(behind, separators, strict=True)]
        shared = [own + separator for own, separator in zip(context, separators, strict=True)]
        none = [0] * len(context)
        if self.pattern == "next_cell_self":
            parts = [(none, context, context, False), (context, separators, shared, False), (shared, following, shared, True)]
        else:
            parts = [(none, context, context, False), (context, behind, shared, False)]
        return tuple(self._part(*part, device) for part in parts if any(part[1]))

    @property
    def _starts(self) -> list[int]:
        return list(accumulate(self.lengths, initial=0))[:-1]

    def _part(
        self, skipped: Sequence[int], num_queries: Sequence[int], num_keys: Sequence[int], own: bool, device: torch.device
    ) -> Part:
        chosen = [sample for sample, number in enumerate(num_queries) if number]
        all_starts = self._starts
        starts = [all_starts[sample] for sample in chosen]
        queries, keys = [num_queries[sample] for sample in chosen], [num_keys[sample] for sample in chosen]
        key_tokens = _tokens_of(starts, keys)
        if own:
            end = torch.tensor([sum(self.lengths)])
            key_tokens = torch.cat([tokens for part in key_tokens.split(keys) for tokens in (part, end)])
            keys = [number + 1 for number in keys]
        return Part(
            queries=_tokens_of([start + skipped[sample] for start, sample in zip(starts, chosen, strict=True)], queries).to(device),
            keys=key_tokens.to(device),
            query_offsets=offsets_of(queries, device),
            key_offsets=offsets_of(keys, device),
            most_queries=max(queries),
            most_keys=max(keys),
            own=own,
        )


def _num_near(length: int, window: int) -> int:
    """Return the pairs of tokens that see each other in a sample with a window."""
    behind = max(length - 1, 0)
    near = behind**2 if behind <= window else behind * (2 * window + 1) - window * (window + 1)
    return near + 2 * behind + 1


def offsets_of(lengths: Sequence[int], device: torch.device) -> Tensor:
    """Return where each of some lengths begins and the last one ends, int32 of shape (lengths + 1,)."""
    offsets = torch.zeros(len(lengths) + 1, dtype=torch.int32)
    offsets[1:] = torch.tensor(list(lengths), dtype=torch.int32).cumsum(0)
    return offsets.to(device, non_blocking=True)


def without_successors(states: Tensor, packing: Packing) -> tuple[Tensor, Packing]:
    """Return the states and the packing of the contexts alone, where they see nothing else; otherwise both as they are."""
    if not packing.has_successors:
        return states, packing
    return states.index_select(0, packing.context_tokens), packing.contexts


def _tokens_of(starts: Sequence[int], lengths: Sequence[int]) -> Tensor:
    """Return the indices of ``lengths[i]`` tokens from ``starts[i]`` on, int64, one stretch behind the other."""
    stretches = Packing.from_lengths(tuple(lengths), torch.device("cpu"))
    return stretches.places + torch.tensor(starts, dtype=torch.int64)[stretches.sample_of_token]


def mean_over_tokens(states: Tensor, packing: Packing) -> Tensor:
    """Return the mean state of each sample's tokens, of shape (samples, width), summed in float32."""
    totals = torch.zeros(packing.num_samples, states.shape[1], device=states.device, dtype=torch.float32)
    totals = totals.index_add(0, packing.sample_of_token, states.float())
    return (totals / torch.diff(packing.offsets).clamp(min=1).unsqueeze(1)).to(states.dtype)
