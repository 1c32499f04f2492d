"""Which variants and samples can be trusted: call rates, allele frequencies, Hardy-Weinberg equilibrium, and what they filter."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numba
import numpy as np
import pandas as pd

from genoken.core.errors import DataError
from genoken.core.genotypes import CHROMOSOME, MISSING, POSITION

NOT_DIPLOID_IN_ALL: tuple[str, ...] = ("X", "Y", "M", "MT")
"""Chromosomes of which some samples carry one copy, so that Hardy-Weinberg proportions are not expected of them."""
_SAMPLES_AT_ONCE = 256


@dataclass(frozen=True)
class VariantFilter:
    """Which variants a filter kept, and what went by which rule.

    Parameters
    ----------
    kept
        bool of shape (variants,).
    table
        One row per rule in the order in which they are asked, and a last one of those kept: ``rule``, ``threshold`` (text),
        ``variants``. A variant counts under the first rule that it fails, so the column adds up to all variants.
    statistics
        What :func:`variant_statistics` returned.
    """

    kept: np.ndarray
    table: pd.DataFrame
    statistics: pd.DataFrame


def genotype_counts(dense: np.ndarray) -> np.ndarray:
    """Return how often each variant has 0, 1 and 2 copies of its counted allele, and how often its call is missing.

    Parameters
    ----------
    dense
        int8 (samples, variants) of 0, 1, 2 and ``MISSING``.

    Returns
    -------
    numpy.ndarray
        int64 (variants, 4): 0, 1, 2, missing.

    Raises
    ------
    DataError
        When there is another number among the genotypes.
    """
    counts = np.zeros((dense.shape[1], 4), dtype=np.int64)
    for start in range(0, len(dense), _SAMPLES_AT_ONCE):
        block = dense[start : start + _SAMPLES_AT_ONCE]
        for column, code in enumerate((0, 1, 2, MISSING)):
            counts[:, column] += np.count_nonzero(block == code, axis=0)
    if (counts.sum(axis=1) != len(dense)).any():
        raise DataError(f"genotypes hold numbers other than 0, 1, 2 and {MISSING} (missing)")
    return counts


def sample_call_rate(dense: np.ndarray) -> np.ndarray:
    """Return the share of variants that are called in each sample, float64 (samples,); 0 where there is no variant at all."""
    called = np.zeros(len(dense))
    for start in range(0, len(dense), _SAMPLES_AT_ONCE):
        block = dense[start : start + _SAMPLES_AT_ONCE]
        called[start : start + len(block)] = np.count_nonzero(block != MISSING, axis=1)
    return called / max(dense.shape[1], 1)


def variant_statistics(counts: np.ndarray) -> pd.DataFrame:
    """Return what the genotypes say of each variant.

    Parameters
    ----------
    counts
        int64 (variants, 4), see :func:`genotype_counts`.

    Returns
    -------
    pandas.DataFrame
        One row per variant: ``call_rate``; ``frequency`` of the counted allele among the calls (NaN without a call);
        ``minor_frequency``, that of the rarer allele; ``genotypes``, how many of the three are seen; ``hardy_weinberg``, the exact
        test's p (see :func:`hardy_weinberg`).
    """
    none, one, two, missing = counts.T
    called = none + one + two
    frequency = np.full(len(counts), np.nan)
    np.divide(one + 2 * two, 2.0 * called, out=frequency, where=called > 0)
    return pd.DataFrame(
        {
            "call_rate": called / np.maximum(called + missing, 1),
            "frequency": frequency,
            "minor_frequency": np.minimum(frequency, 1.0 - frequency),
            "genotypes": (counts[:, :3] > 0).sum(axis=1),
            "hardy_weinberg": hardy_weinberg(none, one, two),
        }
    )


def hardy_weinberg(homozygous: np.ndarray, heterozygous: np.ndarray, other_homozygous: np.ndarray) -> np.ndarray:
    """Return the exact p of a departure from Hardy-Weinberg proportions.

    Given ``a`` copies of the rarer allele among ``n`` samples, ``P(h) ∝ n! 2^h / (((a − h) / 2)! h! ((2 n − a − h) / 2)!)`` is the
    chance of ``h`` heterozygotes; ``p`` adds up the chances that are not above that of the observed number. Without a call, or with
    one allele only, it is 1.

    Parameters
    ----------
    homozygous, heterozygous, other_homozygous
        Integer counts (variants,).

    Returns
    -------
    numpy.ndarray
        float64 (variants,) in [0, 1].

    Notes
    -----
    Relatives and mixed populations depart from the proportions without any error in the calls: a strict threshold wants unrelated
    samples of one population. The mid-p correction is not made.

    References
    ----------
    Wigginton et al. 2005, doi:10.1086/429864.
    """
    counts = [np.ascontiguousarray(count, dtype=np.int64) for count in (homozygous, heterozygous, other_homozygous)]
    if any((count < 0).any() for count in counts):
        raise ValueError("counts of genotypes are not negative")
    return _exact_p(*counts)


@numba.njit(nogil=True, cache=True)
def _exact_p(homozygous: np.ndarray, heterozygous: np.ndarray, other_homozygous: np.ndarray) -> np.ndarray:
    found = np.ones(len(homozygous))
    for variant in range(len(homozygous)):
        observed = heterozygous[variant]
        samples = homozygous[variant] + observed + other_homozygous[variant]
        rare = 2 * min(homozygous[variant], other_homozygous[variant]) + observed
        if rare == 0:
            continue
        chances = np.zeros(rare + 1)
        # From the likeliest number outwards, so that nothing overflows; it has the parity of the number of rare alleles.
        middle = rare * (2 * samples - rare) // (2 * samples)
        middle += (rare - middle) % 2
        chances[middle] = 1.0
        few, many = (rare - middle) // 2, samples - (rare + middle) // 2
        for count in range(middle, 1, -2):
            chances[count - 2] = chances[count] * count * (count - 1.0) / (4.0 * (few + 1.0) * (many + 1.0))
            few += 1
            many += 1
        few, many = (rare - middle) // 2, samples - (rare + middle) // 2
        for count in range(middle, rare - 1, 2):
            chances[count + 2] = chances[count] * 4.0 * few * many / ((count + 2.0) * (count + 1.0))
            few -= 1
            many -= 1
        limit = chances[observed] * (1.0 + 1e-9)  # equal chances that rounding has set apart count as equal
        tail = 0.0
        for count in range(rare % 2, rare + 1, 2):
            if chances[count] <= limit:
                tail += chances[count]
        found[variant] = min(tail / chances.sum(), 1.0)
    return found


def at_shared_positions(features: pd.DataFrame) -> np.ndarray:
    """Return which variants share chromosome and position with another one, as the parts of a split multi-allelic site do."""
    return features.duplicated([CHROMOSOME, POSITION], keep=False).to_numpy()


def filter_variants(
    counts: np.ndarray,
    features: pd.DataFrame,
    *,
    min_call_rate: float = 0.95,
    min_frequency: float = 0.01,
    min_hardy_weinberg: float = 1e-6,
    keep_shared_positions: bool = False,
    exempt: Collection[str] = NOT_DIPLOID_IN_ALL,
) -> VariantFilter:
    """Return which variants to keep, and how many each rule dropped.

    The rules are asked in this order: the position is not shared with another variant (the site is biallelic), the call rate,
    samples differ, the frequency of the rarer allele, Hardy-Weinberg.

    Parameters
    ----------
    counts
        int64 (variants, 4), see :func:`genotype_counts`: of train samples only, where a model is judged on others.
    features
        Feature table of the variants; chromosome and position are used.
    min_call_rate
        Smallest share of samples with a call, in [0, 1].
    min_frequency
        Smallest frequency of the rarer allele, in [0, 0.5].
    min_hardy_weinberg
        Smallest p of :func:`hardy_weinberg`; 0 switches the rule off.
    keep_shared_positions
        Whether variants at one position all stay.
    exempt
        Chromosomes on which Hardy-Weinberg is not asked for.
    """
    if len(features) != len(counts):
        raise ValueError(f"{len(features)} rows of features for {len(counts)} variants")
    statistics = variant_statistics(counts)
    balanced = (statistics["hardy_weinberg"].to_numpy() >= min_hardy_weinberg) | features[CHROMOSOME].isin(list(exempt)).to_numpy()
    rules = [
        (
            "biallelic",
            "kept" if keep_shared_positions else "alone at its position",
            ~at_shared_positions(features) | keep_shared_positions,
        ),
        ("call rate", f"≥ {min_call_rate:g}", statistics["call_rate"].to_numpy() >= min_call_rate),
        ("varies", "more than one genotype", statistics["genotypes"].to_numpy() > 1),
        ("minor allele frequency", f"≥ {min_frequency:g}", statistics["minor_frequency"].to_numpy() >= min_frequency),
        ("Hardy-Weinberg", f"p ≥ {min_hardy_weinberg:g}", balanced),
    ]
    kept = np.ones(len(counts), dtype=bool)
    rows = []
    for rule, threshold, passed in rules:
        rows.append((rule, threshold, int((kept & ~passed).sum())))
        kept &= passed
    rows.append(("kept", "", int(kept.sum())))
    return VariantFilter(kept, pd.DataFrame(rows, columns=["rule", "threshold", "variants"]), statistics)
