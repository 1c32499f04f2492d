"""Principal components of genotypes: where people come from, as covariates of an association."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.core.random import generator
from genoken.data.genotypes.imputation import standardized
from genoken.data.genotypes.linkage import linkage, prune
from genoken.data.genotypes.thinning import autosomal
from genoken.vocabulary.variant_quality import genotype_counts, variant_statistics

WINDOW, MAX_R2 = 50, 0.2
"""Variants that are near, and the largest ``r²`` between near variants that both take part: a locus in linkage is no ancestry."""
MIN_FREQUENCY = 0.01
"""Smallest frequency of the rarer allele of a variant that takes part."""


def genotype_components(dense: np.ndarray, features: pd.DataFrame, count: int) -> np.ndarray:
    """Return the leading principal components of the samples, over variants that are common, on autosomes, and not in linkage.

    Parameters
    ----------
    dense
        int8 (samples, variants) of 0, 1, 2 and ``MISSING``; missing calls count as the variant's mean.
    features
        Feature table; the variants of a chromosome stand together, by ascending position.
    count
        Components that are wanted; there are fewer where samples or variants are few.

    Returns
    -------
    numpy.ndarray
        float64 (samples, components), columns of mean 0 and length 1, the strongest first; of each the entry of largest magnitude
        is positive.
    """
    from scipy.sparse.linalg import svds

    frequency = variant_statistics(genotype_counts(dense))["frequency"].to_numpy()
    rarer = np.minimum(frequency, 1.0 - frequency)
    places = autosomal(features)
    common = places[np.nan_to_num(rarer[places]) >= MIN_FREQUENCY]
    pairs = linkage(dense[:, common], features.iloc[common], window_variants=WINDOW, min_r2=MAX_R2)
    chosen = common[prune(pairs, frequency[common], max_r2=MAX_R2)]
    count = min(count, min(len(dense), len(chosen)) - 1)
    if count < 1:
        return np.zeros((len(dense), 0))
    values = standardized(dense[:, chosen])
    start = generator(0, "components").standard_normal(min(values.shape))
    left, strength, _ = svds(values, k=count, v0=start)
    left = left[:, np.argsort(-strength, kind="stable")]
    highest = left[np.abs(left).argmax(axis=0), np.arange(left.shape[1])]
    return left * np.sign(highest)
