"""Loci around variants that lead, and their fine-mapping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genoken.core.genotypes import POSITION
from genoken.data.genotypes.imputation import imputed
from genoken.data.genotypes.linkage import chromosome_ranges
from genoken.evaluation.association.covariates import covariate_basis, without_covariates
from genoken.evaluation.association.susie import susie


@dataclass(frozen=True)
class Locus:
    """A stretch of one chromosome.

    Parameters
    ----------
    start, stop
        Its first variant, and the one after its last.
    lead
        The variant that it was made for: of several the one that came first.
    """

    start: int
    stop: int
    lead: int


def loci_around(features: pd.DataFrame, leads: Sequence[int], *, window_bp: int, most_variants: int) -> tuple[Locus, ...]:
    """Return the loci of some variants, in the order of the genome; those that would overlap are one.

    Parameters
    ----------
    features
        Feature table; the variants of a chromosome stand together, by ascending position.
    leads
        Variants, the most important first.
    window_bp
        How far a locus reaches on either side of a lead.
    most_variants
        Most variants on either side of a lead, which keeps fine-mapping small where variants are dense. Loci of several leads may
        have more.
    """
    positions = features[POSITION].to_numpy(dtype=np.int64)
    reach: list[Locus] = []
    for lead in leads:
        start, stop = next(ends for ends in chromosome_ranges(features) if ends[0] <= lead < ends[1])
        here = positions[start:stop]
        first = start + int(np.searchsorted(here, positions[lead] - window_bp, side="left"))
        last = start + int(np.searchsorted(here, positions[lead] + window_bp, side="right"))
        found = Locus(max(first, lead - most_variants), min(last, lead + most_variants + 1), int(lead))
        apart = []
        for other in reach:
            if other.start < found.stop and found.start < other.stop:
                found = Locus(min(other.start, found.start), max(other.stop, found.stop), other.lead)
            else:
                apart.append(other)
        reach = [*apart, found]
    return tuple(sorted(reach, key=lambda locus: locus.start))


@dataclass(frozen=True)
class LocusMapping:
    """What fine-mapping says of the variants of some loci.

    Parameters
    ----------
    pip
        float64 (variants,); NaN outside of all loci.
    credible_set
        int64 (variants,): number of the credible set within the locus, from 1; 0 for none.
    coverage, purity
        Of each variant's credible set; NaN for none.
    """

    pip: np.ndarray
    credible_set: np.ndarray
    coverage: np.ndarray
    purity: np.ndarray


def fine_map_loci(
    dense: np.ndarray,
    targets: Sequence[np.ndarray],
    covariates: np.ndarray | None,
    loci: Sequence[Locus],
) -> LocusMapping:
    """Fine-map each locus by the sum of single effects, the covariates projected out of genotypes and target.

    Parameters
    ----------
    dense
        int8 (samples, variants) of 0, 1, 2 and ``MISSING``.
    targets
        For each locus float (samples,); of classes 1 and 0.
    covariates
        float (samples, covariates); ``None`` for an intercept alone.
    loci
        Loci that do not overlap.
    """
    variants = dense.shape[1]
    pip, coverage, purity = (np.full(variants, np.nan) for _ in range(3))
    sets = np.zeros(variants, dtype=np.int64)
    basis = covariate_basis(covariates, len(dense))
    for locus, target in zip(loci, targets, strict=True):
        values = without_covariates(imputed(dense[:, locus.start : locus.stop]), basis)
        found = susie(values, without_covariates(target, basis))
        pip[locus.start : locus.stop] = found.pip
        for number, chosen in enumerate(found.sets, start=1):
            own = locus.start + chosen.variants
            own = own[sets[own] == 0]
            sets[own], coverage[own], purity[own] = number, chosen.coverage, chosen.purity
    return LocusMapping(pip, sets, coverage, purity)
