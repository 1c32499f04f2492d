"""The tokens' values, or vectors, as the input that gradients are taken of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from genoken.core.batch import Batch
from genoken.core.contracts import Explained
from genoken.core.errors import ConfigError
from genoken.core.genotypes import Population
from genoken.core.layout import MASK_CATEGORY, MASK_ID, NUM_SPECIALS, Layout
from genoken.models.layers.packing import Packing


@dataclass(frozen=True)
class Input:
    """What gradients are taken of: the tokens' values or, where they hold no numbers, their vectors.

    Tokens that hold a number and a genotype, from which the encoder's vectors come, have both side by side, so that the linear path
    takes part by the number.

    Parameters
    ----------
    subject
        What is explained.
    observed
        As in the samples: values (tokens,), vectors (tokens, width), or a value and a vector (tokens, 1 + width), float32.
    baseline
        What they are held against, of the same shape: values of 0, or the vectors of hidden features in the same places; of
        genotypes the mean over the train samples, so that it does not matter which allele is counted.
    value_name
        The channel of the values; empty where there are none.
    """

    subject: Explained
    observed: Tensor
    baseline: Tensor
    value_name: str

    def class_scores(self, batch: Batch, inputs: Tensor, classes: np.ndarray) -> Tensor:
        """Return the explained output (samples,) with these inputs in the place of the batch's own."""
        if not self.value_name:
            return self.subject.class_scores(batch, classes, inputs)
        values, vectors = (inputs, None) if inputs.ndim == 1 else (inputs[:, 0], inputs[:, 1:])
        return self.subject.class_scores(replace(batch, channels={**batch.channels, self.value_name: values}), classes, vectors)

    def gradient(self, batch: Batch, inputs: Tensor, classes: np.ndarray) -> Tensor:
        """Return the gradient of the explained outputs with respect to these inputs, of their shape."""
        inputs = inputs.detach().clone().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(self.class_scores(batch, inputs, classes).sum(), inputs)
        return gradient

    def per_token(self, scores: Tensor) -> np.ndarray:
        """Return scores (tokens,), summed over the coordinates of vectors, in float64 and host memory."""
        scores = scores.detach().double()
        return (scores if scores.ndim == 1 else scores.sum(dim=1)).cpu().numpy()


def input_of(subject: Explained, batch: Batch) -> Input:
    """Return what gradients are taken of in a batch."""
    observed = _inputs_of(subject, batch)
    value_name = _value_name(subject.layout)
    if subject.population is not None:
        baseline = _expected(subject, subject.population).repeat(batch.num_samples, *[1] * (observed.ndim - 1))
    else:
        baseline = torch.zeros_like(observed) if value_name else _inputs_of(subject, _hidden(batch, subject.layout))
    return Input(subject, observed, baseline, value_name)


def _inputs_of(subject: Explained, batch: Batch) -> Tensor:
    """Return a batch's values (tokens,), vectors (tokens, width), or each token's value and vector (tokens, 1 + width)."""
    name = _value_name(subject.layout)
    if not name:
        return subject.embedded(batch)
    values = batch.channels[name].float()
    if subject.layout.channel("genotype") is None:
        return values
    return torch.cat([values.unsqueeze(1), subject.embedded(batch).float()], dim=1)


def _expected(subject: Explained, population: Population) -> Tensor:
    """Return the mean inputs of a sample's tokens over the genotypes of the train samples, variant by variant."""
    total: Tensor | float = 0.0
    for value, share in zip(population.values, population.shares.T, strict=True):
        inputs = _inputs_of(subject, subject.uniform_batch(value))
        weights = torch.full((len(inputs),), 1.0 / len(population.values), device=inputs.device)
        weights[len(inputs) - len(share) :] = torch.from_numpy(share).to(weights)  # CLS stands in front, always the same
        total = total + inputs * weights.view(-1, *[1] * (inputs.ndim - 1))
    assert isinstance(total, Tensor)  # noqa: S101
    return total


def _value_name(layout: Layout) -> str:
    """Return the channel of the values where they are numbers; empty where they are not."""
    channel = layout.channel("value")
    return channel.name if channel is not None and layout.has_numbers else ""


def _hidden(batch: Batch, layout: Layout) -> Batch:
    """Return the batch with every feature hidden, its value included; specials stay."""
    identity = layout.channel("identity")
    if identity is None:
        raise ConfigError("this tokenizer emits no identity channel, so tokens cannot be traced back to features")
    is_feature = batch.channels[identity.name] >= NUM_SPECIALS
    channels = dict(batch.channels)
    for channel in layout.channels:
        if channel.kind == "category":
            hidden = MASK_ID if channel.role == "identity" else MASK_CATEGORY
            channels[channel.name] = channels[channel.name].masked_fill(is_feature, hidden)
    return replace(batch, channels=channels)


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
        prior=None if batch.prior is None else batch.prior.repeat_interleave(times, dim=0),
    )
    return repeated, torch.from_numpy(order).to(device)
