"""What single-variant regressions and fine-mapping say of the variants that a network is explained by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genoken.core.errors import DataError
from genoken.data.genotypes.linkage import clump, linkage
from genoken.evaluation.association.components import genotype_components
from genoken.evaluation.association.covariates import covariate_columns
from genoken.evaluation.association.loci import Locus, LocusMapping, fine_map_loci, loci_around
from genoken.evaluation.association.scan import association_scan, scan_target
from genoken.workflows.inputs import Study
from genoken.workflows.variant_options import VariantOptions

_SAMPLES_PER_COMPONENT = 10
_FAMILY_WISE = 0.05


@dataclass(frozen=True)
class Cohort:
    """The samples of a run with their genotypes.

    Parameters
    ----------
    study
        The samples that take part in the split.
    features
        Feature table of the variants, in the order of the genome.
    dense
        int8 (samples, variants) of 0, 1, 2 and ``MISSING``.
    """

    study: Study
    features: pd.DataFrame
    dense: np.ndarray


@dataclass(frozen=True)
class Associations:
    """Regressions and fine-mapping.

    Parameters
    ----------
    adjusted, unadjusted
        One regression per variant, with and without principal components; covariates are in both. ``adjusted`` is ``None`` where
        it cannot be computed.
    components
        How many principal components there are.
    loci
        Around the leads of importance and regressions.
    mapping
        Fine-mapping of the loci.
    leaders
        int64 (variants,): the variant that leads the clump of each, by importance.
    notes
        Sentences on what could not be done.
    """

    adjusted: pd.DataFrame | None
    unadjusted: pd.DataFrame
    components: int
    loci: tuple[Locus, ...]
    mapping: LocusMapping
    leaders: np.ndarray
    notes: tuple[str, ...]

    @property
    def best(self) -> pd.DataFrame:
        """The regressions with principal components where there are any."""
        return self.unadjusted if self.adjusted is None else self.adjusted


def associate(cohort: Cohort, importance: np.ndarray, options: VariantOptions) -> Associations:
    """Regress the label on each variant, and fine-map the loci around the leads.

    Parameters
    ----------
    cohort
        Samples and genotypes.
    importance
        float64 (variants,), by which variants are clumped.
    options
        Components, covariates, clumps and loci.
    """
    study, dense, notes = cohort.study, cohort.dense, []
    given = covariate_columns(study.samples.table, options.covariates or ())
    components = genotype_components(dense, cohort.features, min(options.components, len(dense) // _SAMPLES_PER_COMPONENT))
    covariates = np.concatenate([given, components], axis=1)
    unadjusted = association_scan(dense, study.labels, study.task, len(study.classes), given)
    adjusted = None
    try:
        adjusted = association_scan(dense, study.labels, study.task, len(study.classes), covariates)
    except DataError as error:
        notes.append(f"Regressions with {components.shape[1]} principal components could not be fitted ({error}).")
    used = given if adjusted is None else covariates
    found = unadjusted if adjusted is None else adjusted
    pairs = linkage(dense, cohort.features, window_bp=options.window_bp, min_r2=options.clump_r2)
    leaders = clump(pairs, importance, min_r2=options.clump_r2)
    strength = found["minus_log10_p"].to_numpy()
    significant = np.where(strength > -np.log10(_FAMILY_WISE / len(strength)), strength, np.nan)
    leads = [
        *leads_of(leaders, importance, options.most_loci),
        *leads_of(clump(pairs, significant, min_r2=options.clump_r2), significant, options.most_loci),
    ]
    loci = loci_around(cohort.features, list(dict.fromkeys(leads)), window_bp=options.window_bp, most_variants=500)
    targets = [scan_target(study.labels, int(found["class_code"].iloc[_strongest(strength, locus)])) for locus in loci]
    mapping = fine_map_loci(dense, targets, used, loci)
    return Associations(adjusted, unadjusted, components.shape[1], loci, mapping, leaders, tuple(notes))


def leads_of(leaders: np.ndarray, score: np.ndarray, most: int) -> list[int]:
    """Return the variants that lead their own clump, the highest score first; variants without any score are none."""
    own = np.flatnonzero((leaders == np.arange(len(leaders))) & (np.nan_to_num(score) > 0))
    return [int(variant) for variant in own[np.argsort(-score[own], kind="stable")][:most]]


def _strongest(strength: Sequence[float] | np.ndarray, locus: Locus) -> int:
    return locus.start + int(np.nan_to_num(np.asarray(strength)[locus.start : locus.stop], nan=-1.0).argmax())
