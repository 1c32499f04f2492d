"""From packed tokens of every feature to a grid of samples, features and channels: a reshape, nothing is padded."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from genoken.core.batch import Batch
from genoken.core.errors import ConfigError
from genoken.core.grid_contracts import Grid, GridMoments
from genoken.core.layout import NUM_SPECIALS, Layout
from genoken.models.embeddings import EmbeddingStart, floored


class GridEmbedding(nn.Module):
    """The numbers of each token: those its genotype stands for or, without such a channel, its standardized value.

    Values are standardized by the train split's moments, ``(x - mean) / deviation``. It learns nothing; CLS has zeros. Tokens that
    a training step leaves out have zeros too, and the others are scaled up, as in dropout.

    Parameters
    ----------
    layout
        What the tokenizer emits: every feature, in order.
    start
        Moments of the train split; without them values are taken as they are.

    Raises
    ------
    ConfigError
        When the tokens are no grid, or hold no numbers.
    """

    scale: Tensor
    shift: Tensor
    numbers: Tensor

    def __init__(self, layout: Layout, start: EmbeddingStart) -> None:
        super().__init__()
        identity, value, genotype = layout.channel("identity"), layout.channel("value"), layout.channel("genotype")
        if identity is None or not layout.emits_every_feature:
            raise ConfigError(
                "this encoder needs every feature of every sample, in order, and this tokenizer leaves some out",
                remedy="use tokenizer.kind: genotype, or tokenizer.tokens: all with tokenizer.kind: continuous",
            )
        if genotype is None and (value is None or not layout.has_numbers):
            raise ConfigError(
                "this encoder takes numbers, and the tokens of this tokenizer hold none",
                remedy="use tokenizer.kind: genotype or continuous, or model.encoder.kind: transformer",
            )
        self.identity_name = identity.name
        self.genotype_name = "" if genotype is None else genotype.name
        self.value_name = "" if value is None else value.name
        self.num_features, self.num_specials = layout.num_features, int(layout.has_cls)
        self.num_channels = 1 if genotype is None else len(genotype.table[0])
        scale, shift = np.ones(layout.num_features), np.zeros(layout.num_features)
        self.moments: GridMoments | None = None
        if start.mean is not None and start.deviation is not None:
            unit = floored(start.deviation)
            scale, shift = 1.0 / unit, start.mean / unit
            self.moments = GridMoments(start.deviation, unit, start.frequency) if genotype is None else None
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))
        self.register_buffer("shift", torch.tensor(shift, dtype=torch.float32))
        table = [[0.0]] if genotype is None else genotype.table
        self.register_buffer("numbers", torch.tensor(table, dtype=torch.float32), persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Return numbers of shape (tokens, channels), float32."""
        if self.genotype_name:
            numbers = self.numbers[batch.channels[self.genotype_name]]
        else:
            identities = batch.channels[self.identity_name]
            features = (identities - NUM_SPECIALS).clamp(min=0)
            standardized = batch.channels[self.value_name].float() * self.scale[features] - self.shift[features]
            numbers = (standardized * (identities >= NUM_SPECIALS)).unsqueeze(1)
        return numbers if batch.visible is None else numbers * self._kept(batch).unsqueeze(1)

    def _kept(self, batch: Batch) -> Tensor:
        """Return 0 for tokens that are left out, and for the others one over the share of their sample's tokens that stay."""
        assert batch.visible is not None  # noqa: S101
        kept = torch.zeros(batch.num_tokens, device=batch.offsets.device).index_fill(0, batch.visible, 1.0)
        per_sample = kept.view(batch.num_samples, -1)
        return (per_sample / per_sample.mean(dim=1, keepdim=True)).flatten()

    def built_for(self, edges: np.ndarray | None, outputs: int) -> Grid:
        """Return what an encoder is built for."""
        return Grid(self.num_channels, self.num_features, edges, outputs, self.moments)

    def grid(self, numbers: Tensor, num_samples: int) -> Tensor:
        """Return numbers (tokens, channels) as (samples, features, channels), without the CLS tokens."""
        return numbers.view(num_samples, self.num_specials + self.num_features, -1)[:, self.num_specials :]

    def on_tokens(self, weights: Tensor) -> Tensor:
        """Return what features have, (samples, features), as what tokens have, (tokens,); CLS has 0."""
        return nn.functional.pad(weights, (self.num_specials, 0)).flatten()

    @property
    def table(self) -> Tensor:
        """The learned feature vectors: none, of shape (features, 0)."""
        return self.scale.new_zeros(self.num_features, 0)
