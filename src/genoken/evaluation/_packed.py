"""Packed tokens as floors see them: what stands where before anything was hidden."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genoken.core.random import generator

_SEED = 0  # floors are the same in every run over the same tokens
_HELD_OUT_SHARE = 0.2


@dataclass(frozen=True)
class PackedTokens:
    """The complete tokens of some samples, one after the other.

    Parameters
    ----------
    features
        int64 (tokens,): index of the token's feature, -1 for specials and phenotypes.
    categories
        int64 (tokens,): the value where it is a bin or a rank, -1 where there is none; or ``None``.
    values
        float32 (tokens,): the value where it is a number; or ``None``.
    offsets
        int64 (samples + 1,): where each sample's tokens begin.
    """

    features: np.ndarray
    categories: np.ndarray | None
    values: np.ndarray | None
    offsets: np.ndarray

    def __post_init__(self) -> None:
        for name in ("features", "categories", "values"):
            channel = getattr(self, name)
            if channel is not None and len(channel) != self.offsets[-1]:
                raise ValueError(f"{len(channel)} {name} for {self.offsets[-1]} tokens")

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return len(self.offsets) - 1

    @cached_property
    def samples(self) -> np.ndarray:
        """Sample of each token, int64 (tokens,)."""
        return np.repeat(np.arange(self.num_samples), np.diff(self.offsets))

    @cached_property
    def ranks(self) -> np.ndarray:
        """Number of feature tokens before each token in its sample, int64 (tokens,)."""
        before = np.concatenate([[0], np.cumsum(self.features >= 0)])
        return before[:-1] - before[self.offsets[:-1]][self.samples]

    @cached_property
    def feature_places(self) -> np.ndarray:
        """Tokens that stand for a feature, int64."""
        return np.flatnonzero(self.features >= 0)

    def is_panel(self, num_features: int) -> bool:
        """Return whether every sample holds every feature exactly once."""
        features = self.features[self.feature_places]
        if len(features) != self.num_samples * num_features:
            return False
        counts = np.bincount(self.samples[self.feature_places] * num_features + features, minlength=len(features))
        return bool((counts == 1).all())

    def table(self, channel: np.ndarray, num_features: int) -> np.ndarray:
        """Return a channel as a float64 matrix (samples, features), 0 where a sample has no token of a feature."""
        result = np.zeros((self.num_samples, num_features))
        places = self.feature_places
        result[self.samples[places], self.features[places]] = channel[places]
        return result


@dataclass(frozen=True)
class Targets:
    """What is asked for.

    Parameters
    ----------
    places
        int64 (targets,), ascending: indices into the complete tokens, where the truth stands.
    """

    places: np.ndarray

    def per_sample(self, tokens: PackedTokens) -> list[np.ndarray]:
        """Return the positions in ``places`` of each sample's targets.

        Raises
        ------
        ValueError
            When places do not ascend, or one of them does not hold a feature.
        """
        if len(self.places) and ((np.diff(self.places) <= 0).any() or (tokens.features[self.places] < 0).any()):
            raise ValueError("places of targets must ascend and hold features")
        bounds = np.searchsorted(self.places, tokens.offsets)
        return [np.arange(start, stop) for start, stop in itertools.pairwise(bounds)]


def missing_features(tokens: PackedTokens, targets: Targets, sample: int, num_features: int) -> np.ndarray:
    """Return the features that do not stand at any token of the sample that is no target, ascending."""
    start, stop = tokens.offsets[sample], tokens.offsets[sample + 1]
    features = tokens.features[start:stop].copy()
    first, last = np.searchsorted(targets.places, (start, stop))
    features[targets.places[first:last] - start] = -1
    is_missing = np.ones(num_features, dtype=bool)
    is_missing[features[features >= 0]] = False
    return np.flatnonzero(is_missing)


def held_out(num_samples: int, units: np.ndarray | None) -> np.ndarray:
    """Return which train samples a floor is tuned on, bool (samples,): a fifth of the units, or of the samples without units.

    Of a single unit the samples are taken for independent.
    """
    names = np.arange(num_samples) if units is None else np.unique(np.asarray(units).astype(str), return_inverse=True)[1]
    num_units = int(names.max()) + 1 if num_samples else 0
    order = generator(_SEED, "floors", "held out").permutation(num_units)
    chosen = np.isin(names, order[: max(1, round(_HELD_OUT_SHARE * num_units))])
    return held_out(num_samples, None) if units is not None and chosen.all() else chosen
