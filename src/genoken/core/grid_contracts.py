"""What networks over all features in order promise, and what they are told; see :mod:`genoken.core.contracts`."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from genoken.core.contracts import Encoder

if TYPE_CHECKING:  # settings and the command line's help must not wait for numpy or torch
    import numpy as np
    from torch import Tensor, nn


@dataclass(frozen=True)
class GridMoments:
    """What the single number of each feature in a grid stands for; moments are those of the train split.

    Parameters
    ----------
    deviation
        Standard deviation of the feature's values, shape (features,).
    unit
        By how much the value grows with the number: the deviation, raised where a feature hardly varies; shape (features,).
    frequency
        Of the counted allele, shape (features,); ``None`` where features are no variants.
    """

    deviation: np.ndarray
    unit: np.ndarray
    frequency: np.ndarray | None = None


@dataclass(frozen=True)
class Grid:
    """What an encoder of grids is built for.

    Parameters
    ----------
    channels
        Numbers per feature.
    num_features
        Features of every sample, in vocabulary order.
    edges
        Pairs of features that are connected, int64 of shape (2, edges), each pair once; ``None`` where none are known, as when a
        network is built to read its weights.
    outputs
        Outputs per sample, for an encoder that gives these itself; 0 where it is not asked for any.
    moments
        What the numbers stand for; ``None`` where it is not known, or there are several numbers per feature.
    """

    channels: int
    num_features: int
    edges: np.ndarray | None = None
    outputs: int = 0
    moments: GridMoments | None = None


@dataclass(frozen=True)
class LinkageWindow:
    """Which features of the train split an encoder wants to be connected.

    Parameters
    ----------
    threshold
        Smallest squared correlation.
    window
        Most features from one to the other, on the same chromosome where chromosomes are known.
    """

    threshold: float
    window: int


class GridEncoder(Encoder):
    """Settings of a network body over all features in order; the tokenizer must emit every feature."""

    takes: ClassVar[Literal["tokens", "bag", "grid"]] = "grid"

    @property
    def linkage(self) -> LinkageWindow | None:
        """Which features it wants to be connected; ``None`` for none."""
        return None

    def build(self, width: int) -> nn.Module:
        """Refuse: such an encoder depends on the number of features."""
        raise TypeError(f"{type(self).__name__} is built for a grid: use build_grid")

    @abc.abstractmethod
    def build_grid(self, grid: Grid, width: int) -> GridModule:
        """Return the module."""


class GridModule(Protocol):
    """A network body over all features in order; a torch module. One of a user's own has no ``pooling_weights``."""

    def __call__(self, values: Tensor) -> Tensor:
        """Return states (samples, width), or outputs (samples, outputs), of numbers (samples, features, channels)."""

    def pooling_weights(self, values: Tensor) -> Tensor:
        """Return how much each feature counts in a sample's state, (samples, features), not negative.

        They are shares, which sum to 1 in each sample, or probabilities that the feature counts at all.
        """


@runtime_checkable
class Penalized(Protocol):
    """A network body that costs something beside the loss; a torch module."""

    def penalty(self) -> Tensor:
        """Return what its weights cost, a scalar in nats for the whole train split.

        A training step adds it to each sample's loss, divided by the number of train samples and in the loss's own units
        (:meth:`Objective.loss_per_nat`), so that a pass over all samples adds it once.
        """
