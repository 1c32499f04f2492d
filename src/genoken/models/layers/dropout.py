"""Dropout whose cost on the CPU is that of the numbers that are dropped, not of all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genoken.core.random import generator


class Dropout(nn.Dropout):
    """Zeros numbers with probability p, each by itself, and divides the others by 1 - p; in training alone.

    On the CPU, where PyTorch draws one number for each entry and keeps a mask of the same size, only the places to drop are drawn
    and kept. The draws follow from PyTorch's global generator, of which they take one number.

    Parameters
    ----------
    p
        Probability, from 0 to below 1.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - PyTorch's own name
        """Return values of the same shape."""
        if not self.training or self.p == 0:
            return input
        return _drop(input, self.p) if input.device.type == "cpu" else super().forward(input)


@torch.compiler.disable
def _drop(values: Tensor, probability: float) -> Tensor:
    rng = generator(draw_seed(), "dropout")
    dropped: Tensor = _Drop.apply(values, torch.from_numpy(dropped_places(rng, values.numel(), probability)), 1 - probability)
    return dropped


def draw_seed() -> int:
    """Return a seed from PyTorch's global generator."""
    return int(torch.randint(1 << 62, (1,)))


def dropped_places(rng: np.random.Generator, count: int, probability: float) -> np.ndarray:
    """Return which of ``count`` numbers are dropped, each with the same probability by itself; int64, ascending.

    The gaps between them are geometric, so that only as many random numbers are drawn as numbers are dropped.
    """
    expected = count * probability
    size = int(expected + 4 * math.sqrt(expected)) + 8
    places = _next_places(rng, size, probability, -1)
    while places[-1] < count:
        places = np.append(places, _next_places(rng, size, probability, int(places[-1])))
    return places[: np.searchsorted(places, count)]


def _next_places(rng: np.random.Generator, size: int, probability: float, last: int) -> np.ndarray:
    # Rounded down, an exponential number of this mean is the geometric number of those that are kept until one is dropped.
    kept = rng.standard_exponential(size)
    kept *= -1 / math.log1p(-probability)
    steps = kept.astype(np.int64)
    steps += 1
    steps[0] += last
    return np.cumsum(steps, out=steps)


class _Drop(torch.autograd.Function):
    """Zeros at the given places, all else divided by the share that is kept."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, places: Tensor, kept: float) -> Tensor:
        """Return the values with the places dropped."""
        ctx.save_for_backward(places)
        ctx.kept = kept
        return _without(values, places, kept)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of the values."""
        return _without(gradient, ctx.saved_tensors[0], ctx.kept), None, None


def _without(values: Tensor, places: Tensor, kept: float) -> Tensor:
    scaled = values.contiguous() / kept
    scaled.view(-1).index_fill_(0, places, 0.0)
    return scaled
