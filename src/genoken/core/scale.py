"""To what total samples were normalized before the logarithm, and whether that can be told from their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # settings and the command line's help must not wait for pandas
    from genoken.core.samples import Samples

EQUAL_WITHIN = 0.01
"""Relative difference up to which two totals are the same."""
MOST_SAMPLES = 0.95
"""Share of the samples that must have the same total, so that a few odd ones do not hide to what all others were normalized."""
FEWEST_SAMPLES = 3
"""From fewer samples than this nothing follows."""


@dataclass(frozen=True)
class Scale:
    """To what total samples were normalized.

    Parameters
    ----------
    total
        Median over the samples; 0 when unknown.
    is_constant
        Whether the samples have this total, which is then what they were normalized to. Not so where features were removed
        afterwards, or in counts.
    """

    total: float
    is_constant: bool

    def equals(self, other: Scale) -> bool:
        """Return whether the totals are the same, to within :data:`EQUAL_WITHIN`."""
        return abs(self.total - other.total) <= EQUAL_WITHIN * max(self.total, other.total)


def sample_totals(samples: Samples) -> np.ndarray:
    """Return the total of each sample over all features of its file, before the logarithm, float64 of shape (samples,)."""
    if samples.totals is not None:
        return samples.totals
    return np.concatenate([_totals_of_values(block) for block in samples.blocks()])


def _totals_of_values(samples: Samples) -> np.ndarray:
    values = samples.values.astype(np.float64, copy=True)
    if samples.value_kind == "log":
        np.expm1(values.data, out=values.data)
    return np.asarray(values.sum(axis=1)).ravel()


def scale_of(samples: Samples) -> Scale:
    """Return the scale of samples, going by those that are not empty; of a block, that of all samples."""
    if samples.scale is not None:
        return samples.scale
    totals = sample_totals(samples)
    totals = totals[totals > 0]
    if not len(totals):
        return Scale(0.0, is_constant=False)
    typical = float(np.median(totals))
    share = float(np.mean(np.abs(totals - typical) <= EQUAL_WITHIN * typical))
    return Scale(typical, is_constant=len(totals) >= FEWEST_SAMPLES and share >= MOST_SAMPLES)
