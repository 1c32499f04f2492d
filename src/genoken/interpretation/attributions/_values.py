"""The value channel as the input that gradients are taken of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from genoken.core.batch import Batch
from genoken.core.errors import ConfigError
from genoken.core.layout import Layout
from genoken.models.layers.packing import Packing


def value_name(layout: Layout) -> str:
    """Return the name of the value channel.

    Raises
    ------
    ConfigError
        When the tokenizer emits none.
    """
    channel = layout.channel("value")
    if channel is None:
        raise ConfigError("this tokenizer emits no value channel to take gradients of", remedy="use --method attention")
    return channel.name


def with_channels(batch: Batch, changed: Mapping[str, Tensor]) -> Batch:
    """Return the batch with some channels replaced."""
    return replace(batch, channels={**batch.channels, **changed})


def sample_sums(scores: np.ndarray, batch: Batch) -> np.ndarray:
    """Return the sum of the tokens' scores in each sample, float64."""
    samples = np.repeat(np.arange(batch.num_samples), batch.lengths)
    return np.bincount(samples, weights=scores, minlength=batch.num_samples)


def repeat_samples(batch: Batch, times: int) -> tuple[Batch, Tensor]:
    """Return a batch in which each sample stands ``times`` times in a row, and where its tokens come from.

    Copies of a sample are neighbors, so that all of them go through one attention call.

    Returns
    -------
    tuple
        The batch, without targets; and int64 indices ``order`` such that token ``t`` of the batch is token ``order[t]`` of
        ``times`` whole copies of the old batch laid one after the other.
    """
    offsets = np.concatenate([[0], np.cumsum(batch.lengths)])
    first_of_copy = np.arange(times)[:, None] * batch.num_tokens
    order = np.concatenate([(first_of_copy + np.arange(start, end)).ravel() for start, end in pairwise(offsets)]).astype(np.int64)
    device = batch.offsets.device
    source = torch.from_numpy(order % max(batch.num_tokens, 1)).to(device)
    lengths = tuple(length for length in batch.lengths for _ in range(times))
    repeated = Batch(
        channels={name: channel.index_select(0, source) for name, channel in batch.channels.items()},
        lengths=lengths,
        offsets=Packing.from_lengths(lengths, device).offsets,
        rows=batch.rows.repeat_interleave(times),
    )
    return repeated, torch.from_numpy(order).to(device)
