"""From the channels of a token to one vector; from the values of a sample to one vector."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from genoken.core.batch import Batch
from genoken.core.config import EmbeddingSettings
from genoken.core.errors import ConfigError
from genoken.core.layout import FIRST_CATEGORY, NO_CATEGORY, NUM_SPECIALS, Layout
from genoken.core.random import generator
from genoken.models.layers.packing import Packing
from genoken.models.panel_path import GaussianStart
from genoken.models.path_start import PathStart
from genoken.models.successor_path import SuccessorStart

VALUE_SCALE = 5.0
"""Log-normalized value at which the multiplicative factor has passed three quarters of its range."""
RANK_TOLERANCE = 1e-6
"""Singular values below this share of the largest count as zero."""
NO_SPREAD = 1e-12
"""Share of the sum of squares below which what centering leaves is rounding."""

VALUE_LIMIT = 4.0
"""Standardized values are limited to this many standard deviations."""
SEGMENT_START = 0.1
"""Standard deviation of the vectors of segments at the start.

Beside feature vectors of standard deviation 1 it tells a successor's tokens from the sample's own. It is not larger because a
learned position starts with 0.02, as the vector of hidden tokens does: position is all that tells these apart, and the first norm
lets through shares of the sum.
"""
SLOPE_START = 0.3
"""Standard deviation of the slopes at the start, beside 1 for the feature vectors."""


@dataclass(frozen=True)
class EmbeddingStart:
    """Start values that the train split gives; each may be absent.

    Parameters
    ----------
    features
        Start of the feature vectors, shape (features, width).
    mean, deviation
        Train mean and standard deviation of each feature's values, shape (features,).
    expressed_mean, expressed_deviation
        The same over the samples that express the feature, shape (features,).
    gaussian
        For the linear path of a panel.
    successor
        For the linear path of cells that are followed by others.
    edges
        Pairs of features that an encoder of a graph connects, int64 of shape (2, edges), each pair once.
    feature_counts
        How many of the train split's tokens are of each feature, shape (features,): heads that choose a feature start from that.
    frequency
        Train frequency of the counted allele, shape (features,), where features are variants.
    path
        A linear path that is fitted already and stays as it is.
    """

    features: np.ndarray | None = None
    mean: np.ndarray | None = None
    deviation: np.ndarray | None = None
    expressed_mean: np.ndarray | None = None
    expressed_deviation: np.ndarray | None = None
    gaussian: GaussianStart | None = None
    successor: SuccessorStart | None = None
    edges: np.ndarray | None = None
    feature_counts: np.ndarray | None = None
    frequency: np.ndarray | None = None
    path: PathStart | None = None

    @classmethod
    def from_state(cls, per_feature: Mapping[str, np.ndarray], features: np.ndarray | None = None) -> EmbeddingStart:
        """Take the moments from what a tokenizer learned, as far as it did."""
        return cls(
            features=features,
            mean=per_feature.get("train_mean"),
            deviation=per_feature.get("train_deviation"),
            expressed_mean=per_feature.get("expressed_mean"),
            expressed_deviation=per_feature.get("expressed_deviation"),
            frequency=per_feature.get("frequency"),
        )


def svd_start(prepared: object, width: int, seed: int) -> np.ndarray:
    """Return feature vectors (features, width) from the train values' leading right singular vectors.

    The values are standardized per feature (see :func:`floored`), so that highly expressed features do not fill the leading
    directions. Each singular direction is one coordinate; all coordinates have equal weight, and their mean square is 1.
    Coordinates beyond the rank are normal noise of standard deviation 0.1. Singular vectors have their sign fixed (the entry of
    largest magnitude is positive), so that the start depends on the data and the seed alone.

    Parameters
    ----------
    prepared
        CSR matrix (samples, features) of the train split.
    width
        Number of coordinates.
    seed
        Seed of the iterative solver's start and of the noise.
    """
    values = sp.csr_matrix(prepared).astype(np.float64)
    mean = np.asarray(values.mean(axis=0)).ravel()
    variance = np.asarray(values.multiply(values).mean(axis=0)).ravel() - mean**2
    values = values @ sp.diags(1 / floored(np.sqrt(np.maximum(variance, 0))))
    rng = generator(seed, "svd_start")
    table = rng.normal(0.0, 0.1, size=(values.shape[1], width))
    right = _right_singular_vectors(values, width, rng)
    if len(right):
        signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
        table[:, : len(right)] = (right * signs[:, None]).T * math.sqrt(len(table))  # unit vectors have mean square 1 / features
    return table.astype(np.float32)


def _right_singular_vectors(values: sp.csr_matrix, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return up to ``count`` right singular vectors (found, features) of the centered values, the strongest first."""
    from scipy.sparse.linalg import LinearOperator, svds

    mean = np.asarray(values.mean(axis=0)).ravel()
    spread = values.multiply(values).sum() - values.shape[0] * (mean @ mean)
    count = min(count, min(values.shape) - 1)
    if count < 1 or spread <= NO_SPREAD * values.multiply(values).sum():
        return np.empty((0, values.shape[1]))
    centered = LinearOperator(
        shape=values.shape,
        matvec=lambda x: values @ np.ravel(x) - mean @ np.ravel(x),
        rmatvec=lambda y: values.T @ np.ravel(y) - mean * np.sum(y),
        dtype=np.float64,
    )
    _, singular, right = svds(centered, k=count, v0=rng.normal(size=min(values.shape)), solver="arpack")
    if singular.min() <= RANK_TOLERANCE * singular.max():
        # Where the rank is exhausted, ARPACK goes on from random vectors of its own; the dense solver draws none.
        _, singular, right = np.linalg.svd(values.toarray() - mean, full_matrices=False)
    order = np.argsort(-singular, kind="stable")[:count]
    return right[order[singular[order] > RANK_TOLERANCE * singular.max()]]


def floored(deviation: np.ndarray) -> np.ndarray:
    """Return deviations, raised to a tenth of their median (at least 0.001): a feature that hardly varies is not blown up."""
    return np.maximum(deviation, max(0.1 * float(np.median(deviation)), 1e-3))


class TokenEmbedding(nn.Module):
    """One vector per token from its identity, its value and its phenotype, whichever of the latter two the tokens have.

    Scalar values are combined with the identity. ``affine``: ``e_g + z v_g`` with ``z = (x - m_g) / s_g`` limited to [-4, 4],
    ``m_g`` and ``s_g`` the moments over the samples that express the gene, and ``v_g`` a slope of its own. Unlike a factor on
    ``e_g``, it changes the vector's direction, which is all that the norm in front of the first attention lets through.
    ``multiplicative``: ``e (tanh(x / 5) + 1)``; a gene without expression keeps its vector, it is not zero. ``additive``:
    ``e + W x``. ``concatenate``: half the width identity, half value, then a linear fusion. The value of specials is 0. A
    value that is NaN is hidden: it counts as the middle of its range, and a learned vector is added that says so.

    Numbers that a lookup channel stands for are multiplied with a matrix, and the result is added.

    Values, phenotypes and segments that are categories have a table each, whose vectors are added. Bins and ranks are ordered, so
    their vectors start from sinusoids, in which neighbors are alike; those of values without an order start from noise. Batches
    without successors lack the segments; then nothing is added, nor is it in a sample that a successor follows. Positions start
    again at the separator: a next token has the position that it has in its own cell.

    The scale of the parts is balanced at the start: feature vectors, and ``W`` over a typical value, have standard deviation
    1, and CLS 0.02, so that the pooled state consists of what the token attends to.

    Parameters
    ----------
    layout
        What the tokenizer emits.
    settings
        How channels are combined.
    width
        Width of a token's state.
    start
        Start values from the train split.
    hides_values
        Whether scalar values can be hidden.
    """

    center: Tensor
    spread: Tensor

    def __init__(
        self, layout: Layout, settings: EmbeddingSettings, width: int, start: EmbeddingStart, *, hides_values: bool = False
    ) -> None:
        super().__init__()
        if settings.combine == "concatenate" and width % 2:
            raise ConfigError("'model.width' must be even with model.embedding.combine: concatenate", remedy=f"use {width + 1}")
        identity = layout.channel("identity")
        if identity is None:
            raise ConfigError("this tokenizer emits no identity channel, which the token embedding needs")
        self.identity_name, self.num_features = identity.name, layout.num_features
        value = layout.channel("value")
        self.value_name = value.name if value is not None else ""
        self.combine = settings.combine if layout.has_numbers else "add"
        own_width = width // 2 if self.combine == "concatenate" else width
        self.identity = nn.Embedding(identity.size, own_width)
        if self.combine == "affine":
            self._add_slopes(identity.size, width, start)
        elif self.combine == "additive":
            self.value = nn.Linear(1, width, bias=False)
        elif self.combine == "concatenate":
            self.value = nn.Linear(1, width // 2, bias=False)
            self.fusion = nn.Linear(width, width)
        self.hidden_value = nn.Parameter(torch.zeros(width)) if hides_values and self.combine != "add" else None
        self.tables = nn.ModuleDict(
            {
                channel.name: nn.Embedding(channel.size, width, padding_idx=NO_CATEGORY)
                for channel in layout.channels
                if channel.kind == "category" and channel.role != "identity"
            }
        )
        self.lookups = nn.ModuleDict(
            {channel.name: LookupVectors(channel.table, width) for channel in layout.channels if channel.kind == "lookup"}
        )
        segment = layout.channel("segment")
        self.segment_name = segment.name if segment is not None else ""
        self.position = settings.position
        if settings.position == "learned":
            # a successor's tokens are counted from its separator, so that neither cell has more than its own genes
            num_places = min(layout.max_tokens, layout.num_features + 1) if segment is not None else layout.max_tokens
            self.positions = nn.Embedding(num_places, width)
            nn.init.normal_(self.positions.weight, std=0.02)
        self._start(start, own_width)
        self._start_tables(layout)

    def _add_slopes(self, num_identities: int, width: int, start: EmbeddingStart) -> None:
        self.slope = nn.Embedding(num_identities, width)
        center, spread = np.zeros(num_identities), np.ones(num_identities)
        if start.expressed_mean is not None and start.expressed_deviation is not None:
            features = slice(NUM_SPECIALS, NUM_SPECIALS + self.num_features)
            center[features], spread[features] = start.expressed_mean, start.expressed_deviation
        self.register_buffer("center", torch.tensor(center, dtype=torch.float32))
        self.register_buffer("spread", torch.tensor(spread, dtype=torch.float32))

    def _start(self, start: EmbeddingStart, width: int) -> None:
        with torch.no_grad():
            nn.init.normal_(self.identity.weight, std=1.0)
            if start.features is not None:
                self.identity.weight[NUM_SPECIALS : NUM_SPECIALS + self.num_features] = torch.from_numpy(start.features[:, :width])
            self.identity.weight[:NUM_SPECIALS] = 0.02 * torch.randn(NUM_SPECIALS, width)
            if self.combine == "affine":
                nn.init.normal_(self.slope.weight, std=SLOPE_START)
                self.slope.weight[:NUM_SPECIALS] = 0.0
            elif self.combine in ("additive", "concatenate"):
                nn.init.normal_(self.value.weight, std=0.5)

    def _start_tables(self, layout: Layout) -> None:
        with torch.no_grad():
            for channel in layout.channels:
                if channel.name not in self.tables:
                    continue
                table = cast("nn.Embedding", self.tables[channel.name]).weight
                is_ordered = channel.role == "value" and channel.is_ordered
                starts = {"phenotype": 1.0, "segment": SEGMENT_START, "value": 0.02 if is_ordered else 1.0}
                nn.init.normal_(table, std=starts.get(channel.role, 0.02))
                if is_ordered:
                    ordered = torch.arange(channel.size - FIRST_CATEGORY)
                    table[FIRST_CATEGORY:] += sinusoidal(ordered, table.shape[1])
                table[NO_CATEGORY] = 0.0

    def forward(self, batch: Batch, packing: Packing, *, hints: Tensor | None = None) -> Tensor:
        """Return vectors of shape (visible tokens, width); ``hints`` (tokens,) stand in for scalar values that are hidden."""
        identities = _visible(batch, self.identity_name)
        vectors = self.identity(identities)
        if self.combine != "add":
            seen_hints = hints if hints is None or batch.visible is None else hints.index_select(0, batch.visible)
            vectors = self._with_values(vectors, identities, _visible(batch, self.value_name), seen_hints)
        for name, table in self.tables.items():
            if name in batch.channels or name != self.segment_name:
                vectors = vectors + table(_visible(batch, name))
        for name, lookup in self.lookups.items():
            vectors = vectors + lookup(_visible(batch, name))
        return self._placed(vectors, batch, packing)

    def _with_values(self, vectors: Tensor, identities: Tensor, values: Tensor, hints: Tensor | None) -> Tensor:
        """Combine identity vectors (tokens, identity width) with scalar values (tokens,)."""
        if self.hidden_value is None:
            return self._combined(vectors, identities, values)
        hidden = values.isnan()
        if hints is None:
            hints = self.center[identities] if self.combine == "affine" else torch.zeros_like(values)
        combined = self._combined(vectors, identities, torch.where(hidden, hints, values))
        return combined + hidden.to(vectors.dtype).unsqueeze(1) * self.hidden_value

    def _combined(self, vectors: Tensor, identities: Tensor, values: Tensor) -> Tensor:
        if self.combine == "affine":
            standardized = ((values - self.center[identities]) / self.spread[identities]).clamp(-VALUE_LIMIT, VALUE_LIMIT)
            standardized = standardized * (identities >= NUM_SPECIALS)
            return vectors + standardized.to(vectors.dtype).unsqueeze(1) * self.slope(identities)
        values = values.to(vectors.dtype).unsqueeze(1)
        if self.combine == "multiplicative":
            return vectors * (torch.tanh(values / VALUE_SCALE) + 1)
        if self.combine == "additive":
            return vectors + self.value(values)
        return self.fusion(torch.cat([vectors, self.value(values)], dim=1))

    def _placed(self, combined: Tensor, batch: Batch, packing: Packing) -> Tensor:
        """Add the positions of the tokens within their whole samples, where there are any; they start again at a separator.

        Tokens that are hidden in a training step count too: a token has the place that it has when predicting.
        """
        if self.position == "none":
            return combined
        tokens = torch.arange(len(combined), device=combined.device) if batch.visible is None else batch.visible
        places = tokens - batch.offsets[:-1].long()[packing.sample_of_token]
        if packing.context:
            context = packing.context_of_sample[packing.sample_of_token]
            places = torch.where(places < context, places, places - context)
        return combined + (self.positions(places) if self.position == "learned" else sinusoidal(places, combined.shape[1]))

    @property
    def table(self) -> Tensor:
        """The learned feature vectors, shape (features, identity width)."""
        return self.identity.weight[NUM_SPECIALS : NUM_SPECIALS + self.num_features]


class LookupVectors(nn.Module):
    """``W t`` with ``t`` the numbers that a token's index stands for.

    Parameters
    ----------
    table
        Numbers of each index, (indices, numbers).
    width
        Size of the result.
    """

    numbers: Tensor

    def __init__(self, table: Sequence[Sequence[float]], width: int) -> None:
        super().__init__()
        self.register_buffer("numbers", torch.tensor(table, dtype=torch.float32), persistent=False)
        self.weight = nn.Parameter(torch.randn(width, self.numbers.shape[1]) * SLOPE_START)

    def forward(self, indices: Tensor) -> Tensor:
        """Return vectors (tokens, width)."""
        return nn.functional.embedding(indices, nn.functional.linear(self.numbers, self.weight))


def _visible(batch: Batch, name: str) -> Tensor:
    """Return a channel's entries of the tokens that the encoder sees."""
    channel = batch.channels[name]
    return channel if batch.visible is None else channel.index_select(0, batch.visible)


def sinusoidal(places: Tensor, width: int) -> Tensor:
    """Return fixed position vectors (tokens, width): sines in the even, cosines in the odd coordinates; any width works.

    References
    ----------
    Vaswani et al., "Attention is all you need" (2017), arXiv:1706.03762.
    """
    half = (width + 1) // 2
    rates = torch.exp(torch.arange(half, device=places.device) * (-math.log(10_000.0) / half))
    angles = places.unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]


class FeatureBag(nn.Module):
    """``b + sum_g z_g w_g`` over all features of a sample, with ``z = (x - mean) / deviation`` by the train split's moments.

    Absent features count with ``x = 0``. The sum runs over the stored values alone; the constant
    ``-sum_g mean_g / deviation_g w_g`` is added once. Starts from zero when ``zero_start``, else from normal noise of standard
    deviation ``1 / sqrt(features)``.

    Parameters
    ----------
    layout
        What the tokenizer emits.
    outputs
        Size of the result.
    start
        Moments of the train split; without them values are taken as they are.
    zero_start
        Whether all weights start from zero.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, layout: Layout, outputs: int, start: EmbeddingStart, *, zero_start: bool) -> None:
        super().__init__()
        identity, value = layout.channel("identity"), layout.channel("value")
        if identity is None or value is None or not layout.has_numbers:
            raise ConfigError(
                "this encoder weighs numbers, and the tokens of this tokenizer hold none",
                remedy="use tokenizer.kind: continuous, or model.encoder.kind: transformer",
            )
        self.identity_name, self.value_name = identity.name, value.name
        self.weight = nn.Parameter(torch.zeros(layout.num_features, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        if not zero_start:
            nn.init.normal_(self.weight, std=layout.num_features**-0.5)
        scale = np.ones(layout.num_features)
        shift = np.zeros(layout.num_features)
        if start.mean is not None and start.deviation is not None:
            scale = 1.0 / floored(start.deviation)
            shift = start.mean * scale
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))
        self.register_buffer("shift", torch.tensor(shift, dtype=torch.float32))

    def forward(self, batch: Batch) -> Tensor:
        """Return sums of shape (samples, outputs), in float32."""
        return self.sums(batch, self.weight, self.bias)

    def sums(self, batch: Batch, weight: Tensor, bias: Tensor) -> Tensor:
        """Return the sums with weights (features, columns) and a bias (columns,), shape (samples, columns), in float32."""
        features = (batch.channels[self.identity_name] - NUM_SPECIALS).clamp(min=0)
        is_feature = batch.channels[self.identity_name] >= NUM_SPECIALS
        values = batch.channels[self.value_name].float() * self.scale[features] * is_feature
        with torch.autocast(batch.offsets.device.type, enabled=False):
            sums = nn.functional.embedding_bag(
                features, weight.float(), batch.offsets[:-1].long(), mode="sum", per_sample_weights=values
            )
            return sums + (bias - self.shift @ weight.float())

    @property
    def table(self) -> Tensor:
        """The learned feature vectors, shape (features, outputs)."""
        return self.weight
