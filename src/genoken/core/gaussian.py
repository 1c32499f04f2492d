"""The moments of a Gaussian vector over features, as they are fitted, and as a network takes them for its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

MOST_FEATURES = 3000
"""Whatever conditions on some of the features inverts matrices of up to this size."""


@dataclass(frozen=True)
class GaussianMoments:
    """A Gaussian vector of train values, or of ranks as normal scores.

    Parameters
    ----------
    mean, deviation
        (features,): moments.
    precision
        (features, features): inverse of the shrunk correlation.
    noise
        (features,): factor of the conditional variances.
    """

    mean: np.ndarray
    deviation: np.ndarray
    precision: np.ndarray
    noise: np.ndarray
