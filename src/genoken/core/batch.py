"""Packed tokens and batches: flat channels of shape (tokens,) and offsets of shape (samples + 1,); nothing is padded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from genoken.core.layout import AttentionPattern


@dataclass(frozen=True)
class Tokens:
    """Packed tokens of some samples, in host memory.

    Parameters
    ----------
    channels
        Channel name to array of shape (tokens,).
    offsets
        int64 of shape (samples + 1,); sample ``i`` owns the tokens ``offsets[i]:offsets[i + 1]``.
    num_truncated
        Number of tokens that ``max_tokens`` cut off, over all samples.
    """

    channels: Mapping[str, np.ndarray]
    offsets: np.ndarray
    num_truncated: int = 0

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return len(self.offsets) - 1

    @property
    def num_tokens(self) -> int:
        """Number of tokens over all samples."""
        return int(self.offsets[-1])


@dataclass(frozen=True)
class Batch:
    """Packed tokens of some samples as tensors, with what the objective asks of them.

    Parameters
    ----------
    channels
        Channel name to tensor of shape (tokens,).
    lengths
        Tokens of each sample, on the host, so that no backend has to wait for the device.
    offsets
        int32 tensor of shape (samples + 1,).
    rows
        int64 tensor of shape (samples,): row of each sample in its data set.
    targets
        What the objective's ``prepare`` wrote; empty when predicting.
    visible
        int64 indices of the tokens that the encoder sees, ascending; ``None`` for all of them.
    visible_lengths
        Visible tokens of each sample; empty when ``visible`` is ``None``.
    context_lengths
        Where samples are followed by their successors: tokens of each sample itself, CLS included. The next token is the separator,
        and all behind it are the successor's. The encoder sees all of a context. Empty where there are no successors.
    pattern
        Which of a sample's tokens see which.
    prior
        What is added to the outputs whatever the tokens say, float32 (samples, outputs); ``None`` for nothing.
    """

    channels: Mapping[str, Tensor]
    lengths: tuple[int, ...]
    offsets: Tensor
    rows: Tensor
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    visible: Tensor | None = None
    visible_lengths: tuple[int, ...] = ()
    context_lengths: tuple[int, ...] = ()
    pattern: AttentionPattern = "full"
    prior: Tensor | None = None

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return len(self.lengths)

    @property
    def num_tokens(self) -> int:
        """Number of tokens over all samples."""
        return sum(self.lengths)

    @classmethod
    def from_tokens(cls, tokens: Tokens, rows: np.ndarray) -> Batch:
        """Wrap packed tokens as tensors without copying the channels."""
        offsets = tokens.offsets
        return cls(
            channels={name: torch.from_numpy(values) for name, values in tokens.channels.items()},
            lengths=tuple(np.diff(offsets).tolist()),
            offsets=torch.from_numpy(offsets.astype(np.int32)),
            rows=torch.from_numpy(np.asarray(rows, dtype=np.int64)),
        )

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """Return the batch with all its tensors on ``device``."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """Return the batch with all its tensors in page-locked memory."""
        return self._map(lambda tensor: tensor.pin_memory())

    def _map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        return replace(
            self,
            channels={name: change(tensor) for name, tensor in self.channels.items()},
            offsets=change(self.offsets),
            rows=change(self.rows),
            targets={name: change(tensor) for name, tensor in self.targets.items()},
            visible=None if self.visible is None else change(self.visible),
            prior=None if self.prior is None else change(self.prior),
        )


@dataclass(frozen=True)
class LossTerm:
    """A loss as a sum and a count, so that it is divided once, over everything that one optimizer step sees.

    Parameters
    ----------
    total
        Sum of the losses of all targets, a scalar tensor.
    count
        Number of targets in the sum.
    """

    total: Tensor
    count: int

    @property
    def mean(self) -> Tensor:
        """``total / count``."""
        return self.total / max(self.count, 1)
