"""The networks over a grid of features: each returns a state per sample, and says how much each feature counted in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from genoken.core.grid_contracts import Grid
from genoken.models.layers.attention_pooling import AttentionPooling, spread_over_features
from genoken.models.layers.convolution import MultiScaleConvolution
from genoken.models.layers.graph_convolution import FeatureGraph, GraphConvolution
from genoken.models.layers.packing import Packing
from genoken.models.layers.stack import TransformerStack
from genoken.models.layers.variant_features import VariantFeatures


class PooledNetwork(nn.Module):
    """What the networks have in common: states of places along the genome, and pooling of these with learned weights.

    Parameters
    ----------
    grid
        What the network is built for.
    features_per_place
        Features whose states were put together into one place's.
    place_width
        Size of a place's state.
    width
        Size of a sample's state.
    """

    def __init__(self, grid: Grid, features_per_place: int, place_width: int, width: int) -> None:
        super().__init__()
        self.num_features, self.features_per_place = grid.num_features, features_per_place
        self.num_places = math.ceil(grid.num_features / features_per_place)
        self.pooling = AttentionPooling(place_width, self.num_places)
        self.output = nn.Linear(place_width, width)

    def places(self, values: Tensor) -> Tensor:
        """Return states (samples, places, place width) of numbers (samples, features, channels)."""
        raise NotImplementedError

    def forward(self, values: Tensor) -> Tensor:
        """Return states (samples, width) of numbers (samples, features, channels)."""
        return self.output(self.pooling(self.places(values)))

    def pooling_weights(self, values: Tensor) -> Tensor:
        """Return how much each feature counts in a sample's state, (samples, features), rows that sum to 1."""
        return self.spread(self.place_weights(values))

    def place_weights(self, values: Tensor) -> Tensor:
        """Return how much each place counts in a sample's state, (samples, places), rows that sum to 1."""
        return self.pooling.weights(self.places(values))

    def spread(self, weights: Tensor) -> Tensor:
        """Return weights (samples, places) shared out equally among the features of each place, (samples, features)."""
        return spread_over_features(weights, self.features_per_place, self.num_features)


class ConvolutionNetwork(PooledNetwork):
    """Blocks of convolutions, each followed by a maximum over two neighbors.

    Parameters
    ----------
    grid, width
        See :class:`PooledNetwork`.
    embedding
        Numbers per feature that the first block gets.
    channels
        Of each block.
    kernel_sizes, dropout
        See :class:`genoken.models.layers.convolution.MultiScaleConvolution`.
    """

    def __init__(
        self, grid: Grid, width: int, *, embedding: int, channels: Sequence[int], kernel_sizes: Sequence[int], dropout: float
    ) -> None:
        super().__init__(grid, 2 ** len(channels), channels[-1], width)
        self.features = VariantFeatures(grid.channels, grid.num_features, embedding)
        inputs = [embedding, *channels[:-1]]
        self.blocks = nn.ModuleList(
            MultiScaleConvolution(before, after, kernel_sizes, dropout) for before, after in zip(inputs, channels, strict=True)
        )

    def places(self, values: Tensor) -> Tensor:
        """Return states (samples, bins, channels)."""
        states = self.features(values).transpose(1, 2)
        for block in self.blocks:
            states = nn.functional.max_pool1d(block(states), 2, ceil_mode=True)
        return states.transpose(1, 2)


class PatchNetwork(PooledNetwork):
    """Convolutions, then patches of neighboring features that attend to each other.

    Parameters
    ----------
    grid, width
        See :class:`PooledNetwork`.
    embedding
        Numbers per feature that the first convolution gets.
    channels, kernel_size
        Of the convolutions.
    patch
        Features per patch.
    stack
        The transformer over patches.
    dropout
        Dropout of the convolutions.
    """

    def __init__(
        self,
        grid: Grid,
        width: int,
        *,
        embedding: int,
        channels: Sequence[int],
        kernel_size: int,
        patch: int,
        stack: TransformerStack,
        dropout: float,
    ) -> None:
        super().__init__(grid, patch, width, width)
        self.features = VariantFeatures(grid.channels, grid.num_features, embedding)
        inputs = [embedding, *channels[:-1]]
        self.convolutions = nn.Sequential(
            *(MultiScaleConvolution(before, after, (kernel_size,), dropout) for before, after in zip(inputs, channels, strict=True))
        )
        self.patches = nn.Conv1d(channels[-1], width, patch, stride=patch)
        self.positions = nn.Embedding(self.num_places, width)
        nn.init.normal_(self.positions.weight, std=0.02)
        self.stack = stack
        self.norm = nn.LayerNorm(width)

    @property
    def blocks(self) -> nn.ModuleList:
        """The transformer's blocks."""
        return self.stack.blocks

    def places(self, values: Tensor) -> Tensor:
        """Return states (samples, patches, width)."""
        states = self.convolutions(self.features(values).transpose(1, 2))
        padded = nn.functional.pad(states, (0, self.num_places * self.features_per_place - self.num_features))
        patches = self.patches(padded).transpose(1, 2) + self.positions.weight
        packing = Packing.from_lengths((self.num_places,) * len(values), values.device)
        return self.norm(self.stack(patches.flatten(0, 1), packing)).view_as(patches)


class GraphNetwork(PooledNetwork):
    """Message passing between features that are connected.

    Parameters
    ----------
    grid, width
        See :class:`PooledNetwork`.
    layers
        Rounds of messages.
    dropout
        Dropout of what a round adds.
    """

    def __init__(self, grid: Grid, width: int, *, layers: int, dropout: float) -> None:
        super().__init__(grid, 1, width, width)
        self.features = VariantFeatures(grid.channels, grid.num_features, width)
        self.graph = FeatureGraph(grid.edges, grid.num_features)
        self.blocks = nn.ModuleList(GraphConvolution(width, dropout) for _ in range(layers))

    def places(self, values: Tensor) -> Tensor:
        """Return states (samples, features, width)."""
        states = self.features(values)
        for block in self.blocks:
            states = block(states, self.graph)
        return states
