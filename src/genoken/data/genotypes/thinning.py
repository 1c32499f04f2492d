"""Variants that tell different things: evenly spaced ones, of which none of a near pair in linkage stays."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.core.genotypes import CHROMOSOME, MISSING, POSITION
from genoken.data.genotypes.linkage import linkage, prune

NO_AUTOSOMES: frozenset[str] = frozenset({"", "0", "X", "Y", "XY", "M", "MT", "W", "Z", "PAR", "PAR1", "PAR2", "UN"})
"""Names of chromosomes that are no autosomes: of one copy in some samples, or not known."""
MOST_VARIANTS = 20_000
"""Evenly spaced variants that are looked at."""
WINDOW = 50
"""Variants within which a pair is near."""
MOST_R2 = 0.2
"""Largest squared correlation of two near variants that both stay, in samples enough."""
_CHANCE_SQUARES = 10.0
"""About the largest square, of so many in a window, that unlinked variants show by chance, times the number of samples."""


def autosomal(features: pd.DataFrame) -> np.ndarray:
    """Return the columns of variants on autosomes, int64, ascending; all where there is none, as where chromosomes have no names.

    On X, Y and the mitochondrial genome a sample's copies follow sex and descent from one parent, not relationship and ancestry.
    """
    found = np.flatnonzero(~features[CHROMOSOME].astype(str).str.upper().isin(NO_AUTOSOMES).to_numpy(dtype=bool))
    return found if len(found) else np.arange(len(features), dtype=np.int64)


def evenly_spaced(count: int, most: int) -> np.ndarray:
    """Return at most ``most`` of the numbers from 0 to before ``count``, evenly spaced and ascending, int64."""
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.linspace(0, count - 1, most).round().astype(np.int64)


def unlinked(dense: np.ndarray, features: pd.DataFrame) -> np.ndarray:
    """Return the columns that stay, int64, ascending: of each near pair in linkage one, and none that does not vary.

    Parameters
    ----------
    dense
        int8 (samples, variants) of 0, 1, 2 and ``MISSING``: at most some ten thousand variants, see :func:`evenly_spaced`.
    features
        Chromosome and position of each, in any order.
    """
    called = dense != MISSING
    copies = np.where(called, dense, 0).sum(axis=0, dtype=np.int64)
    frequency = copies / np.maximum(2 * called.sum(axis=0), 1)
    varying = np.flatnonzero((frequency > 0) & (frequency < 1))
    if not len(varying):
        return varying
    varying = varying[_genome_order(features.iloc[varying])]
    most_r2 = min(max(MOST_R2, _CHANCE_SQUARES / len(dense)), 0.9)
    pairs = linkage(dense[:, varying], features.iloc[varying], window_variants=WINDOW, min_r2=most_r2)
    return np.sort(varying[prune(pairs, frequency[varying], max_r2=most_r2)])


def _genome_order(features: pd.DataFrame) -> np.ndarray:
    """Return the rows by chromosome, in the order in which these come first, and position; of equals, in their order."""
    chromosomes = pd.factorize(features[CHROMOSOME].to_numpy(dtype=str))[0]
    return np.lexsort((features[POSITION].to_numpy(dtype=np.int64), chromosomes))
