r"""From the probabilities of bins to expression.

With :math:`m_{gb}` the mean log value of gene g over the train cells that have it in bin b, its expected log value is
:math:`\sum_b P(b | g)\, m_{gb}`. Cells without a token of a gene have it in bin 0, zeros among them. Where no train cell has a gene
in a bin, the bin's mean over all genes stands in; where none has any gene in it, what lies between the nearest bins that are known.
*Limit*: a bin has one value for each gene, so that values within it do not vary; where bins are quantiles of a cell's own values,
that is a mean over deep and shallow cells.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class BinScale:
    """What each bin is worth.

    Parameters
    ----------
    means
        :math:`m_{gb}`, float64 (features, bins).
    """

    means: np.ndarray

    def profiles(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the expected log values, float32 (cells, features), from :math:`P(b | g)`, (cells, features, bins)."""
        return np.einsum("cfb,fb->cf", probabilities, self.means).astype(np.float32)


def fit_bin_scale(blocks: Iterable[tuple[sp.csr_matrix, sp.csr_matrix]], num_features: int, num_bins: int) -> BinScale:
    """Learn what each bin is worth from train cells.

    Parameters
    ----------
    blocks
        Log values and bins, both (cells, features), of some train cells at a time; a bin that is not stored is bin 0.
    num_features, num_bins
        Numbers of both.
    """
    counts, sums = np.zeros((num_features, num_bins)), np.zeros((num_features, num_bins))
    for values, bins in blocks:
        stored = bins.tocoo()
        size = num_features * num_bins
        places = stored.col.astype(np.int64) * num_bins + stored.data
        own = np.asarray(values[stored.row, stored.col], dtype=np.float64).ravel()
        of_bins = np.bincount(places, minlength=size).reshape(num_features, num_bins)
        in_bins = np.bincount(places, weights=own, minlength=size).reshape(num_features, num_bins)
        totals = np.asarray(values.sum(axis=0, dtype=np.float64)).ravel()
        counts += of_bins
        sums += in_bins
        counts[:, 0] += values.shape[0] - of_bins.sum(axis=1)
        sums[:, 0] += totals - in_bins.sum(axis=1)
    return BinScale(np.where(counts > 0, sums / np.maximum(counts, 1), _of_all_features(counts, sums)))


def _of_all_features(counts: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Return the mean of each bin over all features, (bins,); between its neighbors where nothing is in it."""
    numbers = counts.sum(axis=0)
    known = np.flatnonzero(numbers)
    return np.interp(np.arange(len(numbers)), known, sums.sum(axis=0)[known] / numbers[known])
