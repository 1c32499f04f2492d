"""Linear path from cells to the ones that come next: ridge regression of the successor's values on the current cell's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from genoken.core.batch import Batch
from genoken.core.layout import NUM_SPECIALS, Layout

NUM_COMPONENTS = 200
"""Components that the path holds; where there are fewer, the others are zero."""


@dataclass(frozen=True)
class SuccessorStart:
    r"""A regression ``(x A) B + c`` of the successor's values on those of the current cell, fitted on train.

    Parameters
    ----------
    axes
        ``A``, (features, components).
    coefficients
        ``B``, (components, features).
    intercept
        ``c``, (features,).
    center, scale
        (features,): by which the objective standardizes values; zeros and ones where it does not.
    """

    axes: np.ndarray
    coefficients: np.ndarray
    intercept: np.ndarray
    center: np.ndarray
    scale: np.ndarray


def has_successor_path(layout: Layout) -> bool:
    """Return whether cells are followed by others, and values are numbers."""
    return layout.channel("segment") is not None and layout.has_numbers


class SuccessorPath(nn.Module):
    """Predicted values of next cells, which the encoder corrects; it is told them in place of the values that are hidden.

    The regression is that of the train split and stays as it is. A feature without a token counts as 0.

    Parameters
    ----------
    layout
        Pairs of cells whose values are numbers.
    start
        The regression, of at most ``NUM_COMPONENTS`` components; without one, zeros.
    """

    reads: Literal["values"] = "values"

    axes: Tensor
    coefficients: Tensor
    intercept: Tensor
    center: Tensor
    scale: Tensor

    def __init__(self, layout: Layout, start: SuccessorStart | None) -> None:
        super().__init__()
        count = layout.num_features
        zeros = np.zeros(count)
        start = start or SuccessorStart(np.zeros((count, 0)), np.zeros((0, count)), zeros, zeros, np.ones(count))
        missing = NUM_COMPONENTS - start.axes.shape[1]
        padded = {
            "axes": np.pad(start.axes, ((0, 0), (0, missing))),
            "coefficients": np.pad(start.coefficients, ((0, missing), (0, 0))),
        }
        for name in ("axes", "coefficients", "intercept", "center", "scale"):
            self.register_buffer(name, torch.tensor(padded.get(name, getattr(start, name)), dtype=torch.float32))
        identity, value = layout.channel("identity"), layout.channel("value")
        assert identity is not None  # noqa: S101
        assert value is not None  # noqa: S101
        self.identity_name, self.value_name = identity.name, value.name

    def forward(self, batch: Batch) -> Tensor:
        """Return the components of each current cell, (samples, components)."""
        with torch.no_grad(), torch.autocast(batch.offsets.device.type, enabled=False):
            samples, is_current = self._samples(batch)
            identities, values = batch.channels[self.identity_name], batch.channels[self.value_name].float()
            known = is_current & (identities >= NUM_SPECIALS) & ~values.isnan()
            features = torch.where(known, identities - NUM_SPECIALS, 0)
            terms = self.axes[features] * torch.where(known, values, 0.0).unsqueeze(1)
            return torch.zeros(batch.num_samples, terms.shape[1], device=terms.device).index_add(0, samples, terms)

    def hints(self, components: Tensor, batch: Batch) -> Tensor:
        """Return the predicted value of each token's feature in its sample's next cell, (tokens,)."""
        samples, _ = self._samples(batch)
        hidden = torch.nonzero(batch.channels[self.value_name].isnan()).squeeze(1)
        hints = torch.zeros(batch.num_tokens, device=components.device)
        return hints.index_copy(0, hidden, self._predicted(components, samples[hidden], self._features(batch, hidden)))

    def outputs(self, linear: str, components: Tensor, batch: Batch, places: Tensor) -> Tensor:
        """Return the predictions at some tokens as the objective standardizes them, (places, 1); ``linear`` is ``successor``."""
        samples, _ = self._samples(batch)
        features = self._features(batch, places)
        predicted = self._predicted(components, samples[places], features)
        return ((predicted - self.center[features]) / self.scale[features]).unsqueeze(1)

    def _predicted(self, components: Tensor, samples: Tensor, features: Tensor) -> Tensor:
        return torch.einsum("tk,kt->t", components[samples], self.coefficients[:, features]) + self.intercept[features]

    def _features(self, batch: Batch, places: Tensor) -> Tensor:
        return (batch.channels[self.identity_name][places] - NUM_SPECIALS).clamp(min=0)

    @staticmethod
    def _samples(batch: Batch) -> tuple[Tensor, Tensor]:
        """Return each token's sample, and whether it belongs to the current cell."""
        device = batch.offsets.device
        lengths = (batch.offsets[1:] - batch.offsets[:-1]).long()
        samples = torch.arange(batch.num_samples, device=device).repeat_interleave(lengths, output_size=batch.num_tokens)
        places = torch.arange(batch.num_tokens, device=device) - batch.offsets[:-1].long()[samples]
        if not batch.context_lengths:
            return samples, torch.ones_like(places, dtype=torch.bool)
        context = torch.tensor(batch.context_lengths, device=device)
        return samples, places < context[samples]
