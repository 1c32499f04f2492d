"""Convolutions along the genome."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MOST_GROUPS = 8
"""Groups of channels that are normalized together, at most."""


class MultiScaleConvolution(nn.Module):
    """Convolutions of several kernel sizes side by side, whose channels are put together, then group norm, ELU and dropout.

    Group norm looks at one sample, so that neither the batch nor the number of processes changes a result.

    Parameters
    ----------
    inputs, outputs
        Channels; the outputs are divided evenly among the kernel sizes.
    kernel_sizes
        Features that each convolution sees; those beyond the ends are 0.
    dropout
        Dropout of the outputs.

    References
    ----------
    Wu and He, "Group normalization" (2018), arXiv:1803.08494. Clevert et al., "ELU" (2016), arXiv:1511.07289.
    """

    def __init__(self, inputs: int, outputs: int, kernel_sizes: Sequence[int], dropout: float) -> None:
        super().__init__()
        shares = [outputs // len(kernel_sizes) + (index < outputs % len(kernel_sizes)) for index in range(len(kernel_sizes))]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(inputs, share, size, padding="same") for share, size in zip(shares, kernel_sizes, strict=True) if share
        )
        self.norm = nn.GroupNorm(_num_groups(outputs), outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """Return (samples, outputs, features) of (samples, inputs, features)."""
        found = torch.cat([convolution(states) for convolution in self.convolutions], dim=1)
        return self.dropout(nn.functional.elu(self.norm(found)))


def _num_groups(channels: int) -> int:
    """Return the most groups of equal size, of two channels at least: one alone would be normalized away in a single place."""
    return max(groups for groups in range(1, MOST_GROUPS + 1) if channels % groups == 0 and (groups == 1 or channels // groups > 1))
