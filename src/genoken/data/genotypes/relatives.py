"""Groups of relatives among samples, as far as their variants can tell relatives from chance, and samples that are there twice."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.core.genotypes import dense_dosages
from genoken.core.samples import Samples
from genoken.data.genotypes.relatedness import DUPLICATE, duplicate_pairs, kinship_groups, related_pairs
from genoken.data.genotypes.thinning import MOST_VARIANTS, evenly_spaced, unlinked

MOST_CHANCE = 0.2
"""Kinship by chance beyond which not even parents and children, at 0.25, can be told from strangers."""
_VARIANTS_FOR_KINSHIP = 10_000
_VARIANTS_FOR_DUPLICATES = 2_000


def chance_kinship(num_samples: int, num_variants: int) -> float:
    """Return about the largest kinship of unrelated samples that so many variants show by chance.

    A pair's kinship varies by ``1 / sqrt(variants)`` between unrelated samples, and the largest of ``p`` pairs is about
    ``sqrt(2 ln p)`` times that.
    """
    pairs = max(num_samples * (num_samples - 1) / 2, 2.0)
    return float(np.sqrt(2 * np.log(pairs) / max(num_variants, 1)))


def relatives(samples: Samples, min_kinship: float) -> tuple[np.ndarray, float] | None:
    """Return the group of relatives of each sample, and the kinship from which two samples count as relatives.

    That kinship is higher than asked for where the variants, without those in linkage, show as much by chance.

    Parameters
    ----------
    samples
        Genotypes.
    min_kinship
        Kinship from which two samples are relatives.

    Returns
    -------
    tuple or None
        Text of shape (samples,), the id of a member of the group, and the kinship. ``None`` where too few variants tell relatives
        from strangers.
    """
    columns = evenly_spaced(samples.num_features, MOST_VARIANTS)
    dense = dense_dosages(samples.values, columns)
    kept = unlinked(dense, samples.features.iloc[columns])
    kept = kept[evenly_spaced(len(kept), _VARIANTS_FOR_KINSHIP)]
    chance = chance_kinship(samples.num_samples, len(kept))
    if chance > MOST_CHANCE:
        return None
    threshold = max(min_kinship, chance)
    pairs = related_pairs(dense[:, kept], min_kinship=threshold)
    return kinship_groups(pairs, [str(name) for name in samples.table.index]), threshold


def duplicates(samples: Samples) -> pd.DataFrame | None:
    """Return the pairs of samples that are one person typed twice, or identical twins.

    Returns
    -------
    pandas.DataFrame or None
        See :func:`genoken.data.genotypes.relatedness.related_pairs`. ``None`` where the variants, without those in linkage, are too
        few to tell: in a short region many people have the same two haplotypes.
    """
    columns = evenly_spaced(samples.num_features, _VARIANTS_FOR_DUPLICATES)
    dense = dense_dosages(samples.values, columns)
    kept = unlinked(dense, samples.features.iloc[columns])
    if chance_kinship(samples.num_samples, len(kept)) > MOST_CHANCE:
        return None
    return duplicate_pairs(related_pairs(dense[:, kept], min_kinship=DUPLICATE))
