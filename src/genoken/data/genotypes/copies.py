"""Samples that have the same genotypes at all, or nearly all, of few variants, and whether that is more than chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from genoken.core.genotypes import MISSING, dense_dosages
from genoken.core.samples import Samples
from genoken.data.genotypes.imputation import standardized
from genoken.data.genotypes.thinning import evenly_spaced

MOST_DIFFERENCES = 0.01
"""Share of the variants in which two samples of one person may differ; one variant always may."""
_LEAST_CALLED = 0.8
"""Share of the variants that must be called in both of a pair."""
_MOST_BY_CHANCE = 0.05
"""Share of the pairs found, or of one pair, that may be expected by chance."""
_MOST_VARIANTS = 2_000
_SAMPLES_AT_ONCE = 512


@dataclass(frozen=True)
class _Compared:
    """Pairs of samples that are alike (rows of two), how many pairs are not but share an allele everywhere, and all pairs."""

    alike: np.ndarray
    sharing: int
    total: int


def identical_pairs(samples: Samples) -> pd.DataFrame | None:
    """Return the pairs of samples whose genotypes differ in one variant, or in 1 % of them, at most.

    Parameters
    ----------
    samples
        Genotypes; at most 2,000 evenly spaced variants are compared.

    Returns
    -------
    pandas.DataFrame or None
        ``first`` and ``second``, int64 rows, first < second. ``None`` where there are such pairs and more than a twentieth of them
        may be of different people: the variants are too few, or a region has few haplotypes.

    Notes
    -----
    Expected by chance are pairs that agree in variants that say different things, of which there are as many as the correlations
    of all variants leave (``variants² / Σ r²``), and pairs with the same two haplotypes. The latter are ``s² / 8`` of all, where
    ``s`` is the share of pairs with one haplotype in common: those that have a common allele at every variant, less those that
    would if no variants were linked. Parents and children also have, so that in families more variants are needed.
    """
    dense = dense_dosages(samples.values, evenly_spaced(samples.num_features, _MOST_VARIANTS))
    called = dense != MISSING
    dense = dense[:, (np.where(called, dense, 3).min(axis=0) < np.where(called, dense, -1).max(axis=0))]
    found = _compare(dense)
    pairs = pd.DataFrame({"first": found.alike[:, 0], "second": found.alike[:, 1]}, dtype=np.int64)
    return None if len(pairs) and _expected(dense, found) > _MOST_BY_CHANCE * len(pairs) else pairs


def _compare(dense: np.ndarray) -> _Compared:
    """Compare all pairs of rows, blocks of them at a time."""
    variants = dense.shape[1]
    most = max(1.0, MOST_DIFFERENCES * variants)
    alike, sharing = [np.empty((0, 2), dtype=np.int64)], 0
    for start in range(0, len(dense), _SAMPLES_AT_ONCE):
        here = [(dense[start : start + _SAMPLES_AT_ONCE] == copies).astype(np.float32) for copies in (0, 1, 2)]
        there = [(dense[start:] == copies).astype(np.float32) for copies in (0, 1, 2)]
        both = sum(here) @ sum(there).T
        equal = here[0] @ there[0].T + here[1] @ there[1].T + here[2] @ there[2].T
        opposite = here[0] @ there[2].T + here[2] @ there[0].T
        later = np.triu(np.ones(both.shape, dtype=bool), k=1)
        is_alike = later & (both - equal <= most) & (both >= _LEAST_CALLED * variants) & (both > 1)
        alike.append(np.argwhere(is_alike) + start)
        sharing += int((later & ~is_alike & (opposite == 0)).sum())
    return _Compared(np.concatenate(alike), sharing, len(dense) * (len(dense) - 1) // 2)


def _expected(dense: np.ndarray, found: _Compared) -> float:
    """Return how many pairs of different people are expected to be alike."""
    from scipy.stats import binom

    values, variants = standardized(dense), dense.shape[1]
    effective = _LEAST_CALLED * variants**2 / max(float(((values.T @ values) ** 2).sum()), 1.0)
    shares = np.stack([(dense == copies).sum(axis=0) for copies in (0, 1, 2)]) / (dense != MISSING).sum(axis=0)
    same = float(np.exp(np.log((shares**2).sum(axis=0)).mean()))
    by_unlinked = float(np.exp(np.log1p(-2 * shares[0] * shares[2]).sum()))
    allowed = max(MOST_DIFFERENCES, 1 / variants)
    by_variants = binom.sf(np.floor(effective * (1 - allowed)) - 1, np.floor(effective), same)
    in_common = max(found.sharing / found.total - by_unlinked, 0.0)
    return float(found.total * (by_variants + in_common**2 / 8))
