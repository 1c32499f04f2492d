r"""How often each feature stands at each place, or has each category in train, smoothed.

The count of feature :math:`f` at place :math:`b` is smoothed over places by a Gaussian kernel, :math:`s_{fb}`; what was seldom seen
leans on the marginal frequencies: :math:`p(f|b) \propto s_{fb} + k q_f`, and :math:`p(b|f) \propto s_{fb} + k q_b`. Width and
:math:`k` are those that are best on a part of train that was left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from genoken.evaluation._packed import PackedTokens, held_out

_MOST_ENTRIES = 8_000_000
_WIDTHS = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.04)
"""Kernel's standard deviations, as shares of all places."""
_STRENGTHS = (0.3, 3.0, 30.0, 300.0)
_LEAST_WEIGHT = 0.5  # what has never been seen counts as half a token


@dataclass(frozen=True)
class Points:
    """Tokens as points of a table (features, places).

    Parameters
    ----------
    features, places
        int64 (tokens,).
    samples
        int64 (tokens,): sample of each token.
    """

    features: np.ndarray
    places: np.ndarray
    samples: np.ndarray

    @classmethod
    def of(cls, tokens: PackedTokens, places: np.ndarray) -> Points:
        """Take the feature tokens; ``places`` (tokens,) is the rank or the category of each token, -1 where it has none."""
        kept = tokens.feature_places[places[tokens.feature_places] >= 0]
        return cls(tokens.features[kept], places[kept], tokens.samples[kept])

    def take(self, chosen: np.ndarray) -> Points:
        """Return the points of a boolean mask (tokens,)."""
        return Points(self.features[chosen], self.places[chosen], self.samples[chosen])


@dataclass(frozen=True)
class Profile:
    """Smoothed frequencies.

    Parameters
    ----------
    log_probabilities
        float32 (features, bins), normalized over the features or over the bins.
    num_places
        Number of places, which share the bins evenly.
    """

    log_probabilities: np.ndarray
    num_places: int

    def bins(self, places: np.ndarray) -> np.ndarray:
        """Return the bin of each place; places beyond those of train are taken for the last."""
        return _bins(places, self.num_places, self.log_probabilities.shape[1])


def fit_profile(
    points: Points,
    num_features: int,
    num_places: int,
    *,
    over: Literal["features", "places"],
    units: np.ndarray | None = None,
) -> Profile:
    """Return the profile of train tokens, its smoothing tuned on a part of them.

    Parameters
    ----------
    points
        The train tokens.
    num_features, num_places
        Size of the table. Neighboring places share a bin where it would be too large.
    over
        What the probabilities of a row or column sum to one over: the features at a place, or the places (categories) of a feature,
        which are never put together.
    units
        Of each sample, which ones are left out together; ``None`` when they are independent.
    """
    num_bins = num_places if over == "places" else max(1, min(num_places, _MOST_ENTRIES // num_features))
    shape = (num_features, num_bins)
    bins = _bins(points.places, num_places, num_bins)
    num_samples = int(points.samples.max()) + 1 if len(points.samples) else 0
    is_held_out = held_out(num_samples, units)[points.samples] if num_samples else np.zeros(0, dtype=bool)
    counts = _counts(points.features[~is_held_out], bins[~is_held_out], shape)
    asked = points.features[is_held_out], bins[is_held_out]
    best, smoothing = np.inf, (_WIDTHS[-1], _STRENGTHS[-1])
    for width, strength, table in _tables(counts, over):
        loss = -float(table[asked].mean(dtype=np.float64)) if len(asked[0]) else 0.0
        if loss < best:
            best, smoothing = loss, (width, strength)
    counts = _counts(points.features, bins, shape)
    return Profile(_table(_smoothed(counts, smoothing[0]), counts, smoothing[1], over), num_places)


def _bins(places: np.ndarray, num_places: int, num_bins: int) -> np.ndarray:
    return np.minimum(places, num_places - 1) * num_bins // num_places


def _counts(features: np.ndarray, bins: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return np.bincount(features * shape[1] + bins, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float32)


def _tables(counts: np.ndarray, over: Literal["features", "places"]) -> Iterator[tuple[float, float, np.ndarray]]:
    for width in _WIDTHS:
        smoothed = _smoothed(counts, width)
        for strength in _STRENGTHS:
            yield width, strength, _table(smoothed, counts, strength, over)


def _smoothed(counts: np.ndarray, width: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    deviation = width * counts.shape[1]
    return gaussian_filter1d(counts, deviation, axis=1, mode="reflect") if deviation else counts


def _table(smoothed: np.ndarray, counts: np.ndarray, strength: float, over: Literal["features", "places"]) -> np.ndarray:
    axis = 0 if over == "features" else 1
    marginal = counts.sum(axis=1 - axis, keepdims=True, dtype=np.float64) + _LEAST_WEIGHT
    weights = smoothed + (strength * marginal / marginal.sum()).astype(np.float32)
    return np.log(weights / weights.sum(axis=axis, keepdims=True))
