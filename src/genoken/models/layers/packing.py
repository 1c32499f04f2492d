"""How the flat tokens of a batch are divided into samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

import torch
from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """Division of flat tokens into samples.

    Parameters
    ----------
    lengths
        Tokens of each sample, on the host.
    offsets
        int32 tensor of shape (samples + 1,), on the tokens' device.
    """

    lengths: tuple[int, ...]
    offsets: Tensor = field(repr=False)

    @classmethod
    def from_lengths(cls, lengths: tuple[int, ...], device: torch.device) -> Packing:
        """Build the offsets from the lengths."""
        offsets = torch.zeros(len(lengths) + 1, dtype=torch.int32)
        offsets[1:] = torch.tensor(lengths, dtype=torch.int32).cumsum(0)
        return cls(lengths=lengths, offsets=offsets.to(device, non_blocking=True))

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return len(self.lengths)

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

    @cached_property
    def equal_length_runs(self) -> tuple[tuple[int, int], ...]:
        """Consecutive samples of one length as (samples, length), in order; each run is a view of shape (samples, length, …)."""
        return tuple((len(list(run)), length) for length, run in groupby(self.lengths))


def mean_over_tokens(states: Tensor, packing: Packing) -> Tensor:
    """Return the mean state of each sample's tokens, of shape (samples, width), summed in float32."""
    totals = torch.zeros(packing.num_samples, states.shape[1], device=states.device, dtype=torch.float32)
    totals = totals.index_add(0, packing.sample_of_token, states.float())
    return (totals / torch.diff(packing.offsets).clamp(min=1).unsqueeze(1)).to(states.dtype)
