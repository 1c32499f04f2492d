"""Importance, regressions and fine-mapping of variants as tables and sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from genoken.core.genotypes import BUILD, CHROMOSOME, COUNTED, OTHER, POSITION
from genoken.data.genotypes.imputation import standardized
from genoken.evaluation.association.agreement import ranking_agreement
from genoken.evaluation.association.loci import Locus
from genoken.interpretation.gene_table import shared_scores
from genoken.vocabulary.variant_quality import genotype_counts, variant_statistics
from genoken.workflows.inputs import Study
from genoken.workflows.variant_associations import Associations, Cohort
from genoken.workflows.variant_importance import Importance
from genoken.workflows.variant_options import VariantOptions

UNPROVEN = (
    "Importance says what the network uses. It does not say which variant acts: variants in linkage stand in for each other, and "
    "ancestry can stand behind all of them."
)
"""First of the sentences beside every list of variants."""


@dataclass(frozen=True)
class VariantResults:
    """What an explanation of variants gives.

    Parameters
    ----------
    table
        One row per variant, in the order of the genome; ``docs/run-folder.md`` explains the columns.
    controls
        Content of ``variants.json``.
    pairs
        ``r²`` and attention of all pairs of variants of each locus; content of ``loci.parquet``.
    """

    table: pd.DataFrame
    controls: dict[str, Any]
    pairs: pd.DataFrame


def variant_table(cohort: Cohort, importance: Importance, found: Associations) -> pd.DataFrame:
    """Return one row per variant."""
    features, ids = cohort.features, cohort.features.index.astype(str).to_numpy()
    best, mapping = found.best, found.mapping
    ranks = pd.Series(-importance.ensemble.score).rank(method="first")
    columns: dict[str, Any] = {
        "id": ids,
        "chrom": features[CHROMOSOME].astype(str).to_numpy(),
        "pos": features[POSITION].to_numpy(dtype=np.int64),
        "counted_allele": features[COUNTED].astype(str).to_numpy(),
        "other_allele": features[OTHER].astype(str).to_numpy(),
        "maf": variant_statistics(genotype_counts(cohort.dense))["minor_frequency"].to_numpy(),
        "rank": ranks.astype("Int64"),
        "ensemble": importance.ensemble.score,
        "stability": importance.ensemble.stability,
    }
    columns |= {f"importance_{name}": values for name, values in zip(importance.methods, importance.by_method, strict=True)}
    if importance.null.refits:
        columns["above_null"] = importance.null.above[0]
        columns["importance_permuted"] = importance.null.importance[0]
    columns |= {
        "clump_lead": np.where(found.leaders >= 0, ids[np.maximum(found.leaders, 0)], ""),
        "glm_beta": best["beta"].to_numpy(),
        "glm_p": best["p"].to_numpy(),
        "glm_minus_log10_p": best["minus_log10_p"].to_numpy(),
        "glm_minus_log10_p_without_components": found.unadjusted["minus_log10_p"].to_numpy(),
        "glm_class": [cohort.study.classes[code] if code >= 0 else "" for code in best["class_code"]],
        "locus": _locus_numbers(found, len(ids)),
        "r2_to_locus_lead": _linkage_to_leads(cohort, found),
        "pip": mapping.pip,
        "credible_set": mapping.credible_set,
    }
    return pd.DataFrame(columns)


def variant_controls(
    table: pd.DataFrame, cohort: Cohort, importance: Importance, found: Associations, options: VariantOptions
) -> dict[str, Any]:
    """Return the content of ``variants.json``."""
    null, ensemble = importance.null, importance.ensemble
    builds = sorted(set(cohort.features[BUILD].astype(str))) if BUILD in cohort.features else [""]
    controls: dict[str, Any] = {
        "methods": list(importance.methods),
        "models": len(importance.by_model),
        "variants": len(table),
        "build": builds[0] if len(builds) == 1 else "",
        "top": ensemble.top,
        "agreement_of_models": ensemble.agreement_of_models,
        "agreement_of_methods": ensemble.agreement_of_methods,
        "null": _null(importance, options) if null.refits else None,
        "association": {
            "samples": len(cohort.dense),
            "components": 0 if found.adjusted is None else found.components,
            "covariates": list(options.covariates or ()),
            "tests": found.best["test"].value_counts().to_dict(),
            "effect": effect_words(cohort.study),
        },
        "agreement": _agreements(table, importance, options),
        "loci": [_locus(number, locus, table, found) for number, locus in enumerate(found.loci, start=1)],
    }
    return controls | {"notes": [UNPROVEN, *importance.notes, *_sentences(controls), *_shared(importance), *found.notes]}


def effect_words(study: Study) -> str:
    """Return what ``glm_beta`` is: of two classes, the log odds of the positive one."""
    per_copy = "per copy of the counted allele"
    if study.task == "regression":
        return f"change of '{study.label}' {per_copy}"
    if len(study.classes) == 2:
        return f"log odds of '{study.classes[1]}' {per_copy}"
    return f"log odds, against all other classes, of the class in glm_class {per_copy}"


def locus_pairs(cohort: Cohort, number: int, locus: Locus, attention: np.ndarray | None, most: int) -> pd.DataFrame:
    """Return all pairs of the variants of a locus: ``locus, first, second, r2, attention``.

    Of more than ``most`` variants those around the lead are taken. ``attention`` (variants, variants) belongs to these.
    """
    chosen = shown_variants(locus, most)
    values = standardized(cohort.dense[:, chosen])
    ids = cohort.features.index.astype(str).to_numpy()[chosen]
    first, second = (index.ravel() for index in np.indices((len(chosen), len(chosen))))
    weights = np.full(len(first), np.nan) if attention is None else attention.ravel()
    square = ((values.T @ values) ** 2).ravel()
    return pd.DataFrame({"locus": number, "first": ids[first], "second": ids[second], "r2": square, "attention": weights})


def shown_variants(locus: Locus, most: int) -> np.ndarray:
    """Return the variants of a locus, of more than ``most`` those around its lead, ascending."""
    start = min(max(locus.start, locus.lead - most // 2), max(locus.start, locus.stop - most))
    return np.arange(start, min(start + most, locus.stop))


def _locus_numbers(found: Associations, variants: int) -> np.ndarray:
    numbers = np.zeros(variants, dtype=np.int64)
    for number, locus in enumerate(found.loci, start=1):
        numbers[locus.start : locus.stop] = number
    return numbers


def _linkage_to_leads(cohort: Cohort, found: Associations) -> np.ndarray:
    """Return ``r²`` of each variant with the lead of its locus, NaN outside of all loci."""
    squares = np.full(cohort.dense.shape[1], np.nan)
    for locus in found.loci:
        values = standardized(cohort.dense[:, locus.start : locus.stop])
        squares[locus.start : locus.stop] = (values.T @ values[:, locus.lead - locus.start]) ** 2
    return squares


def _null(importance: Importance, options: VariantOptions) -> dict[str, Any]:
    null = importance.null
    known = np.maximum((~np.isnan(null.observed)).sum(axis=1), 1)
    return {
        "refits": null.refits,
        "strata": options.strata,
        "largest": dict(zip(importance.methods, null.largest.tolist(), strict=True)),
        "share_above": dict(zip(importance.methods, (null.above.sum(axis=1) / known).tolist(), strict=True)),
    }


def _agreements(table: pd.DataFrame, importance: Importance, options: VariantOptions) -> list[dict[str, Any]]:
    """Return how far each ranking by importance agrees with regressions, with and without components, and with fine-mapping."""
    others = {
        "glm": table["glm_minus_log10_p"],
        "glm_without_components": table["glm_minus_log10_p_without_components"],
        "pip": table["pip"],
    }
    rankings = {"ensemble": table["ensemble"]} | {name: table[f"importance_{name}"] for name in importance.methods}
    return [
        {"ranking": name, "other": other} | ranking_agreement(scores.to_numpy(), values.to_numpy(), top=options.top)
        for name, scores in rankings.items()
        for other, values in others.items()
    ]


def _locus(number: int, locus: Locus, table: pd.DataFrame, found: Associations) -> dict[str, Any]:
    own, mapping = table.iloc[locus.start : locus.stop], found.mapping
    sets = []
    for value in range(1, int(own["credible_set"].max()) + 1):
        members = own[own["credible_set"] == value].sort_values("pip", ascending=False, kind="stable")
        place = int(members.index[0]) if len(members) else -1
        if place >= 0:
            facts = {"coverage": float(mapping.coverage[place]), "purity": float(mapping.purity[place])}
            sets.append({"number": value, "variants": members["id"].tolist()} | facts)
    return {
        "number": number,
        "chrom": str(own["chrom"].iloc[0]),
        "start_bp": int(own["pos"].iloc[0]),
        "end_bp": int(own["pos"].iloc[-1]),
        "variants": len(own),
        "lead": str(table["id"].iloc[locus.lead]),
        "credible_sets": sets,
    }


def _shared(importance: Importance) -> list[str]:
    """Return how many variants a method tells apart, where it gives several the same score, as attention to patches does."""
    scores = zip(importance.methods, importance.by_method, strict=True)
    found = [(name, shared_scores(values, "variant")) for name, values in scores]
    return [f"Importance by {name.replace('_', ' ')}: {sentence}" for name, sentence in found if sentence]


def _sentences(controls: dict[str, Any]) -> list[str]:
    """Return the controls in words."""
    found = [f"Effects of the regressions (glm_beta) are the {controls['association']['effect']}."]
    null, first = controls["null"], controls["methods"][0]
    if null:
        within = f" within {null['strata']}" if null["strata"] else ""
        networks = "a network" if null["refits"] == 1 else f"{null['refits']} networks"
        found.append(
            f"{null['share_above'][first]:.1%} of the variants are more important ({first.replace('_', ' ')}) than any is to "
            f"{networks} trained on labels that were permuted{within}."
        )
    else:
        found.append("No network was trained on permuted labels, so it is not known what importance chance alone gives.")
    for other, words in (
        ("glm", "single-variant regressions"),
        ("glm_without_components", "the same regressions without principal components"),
    ):
        row = next(row for row in controls["agreement"] if row["ranking"] == "ensemble" and row["other"] == other)
        found.append(
            f"Of the first {row['top']} variants by importance, {row['shared']} are among the first {row['top']} of {words} "
            f"(by chance {row['expected']:.1f})."
        )
    if np.isfinite(controls["agreement_of_models"]):
        found.append(
            f"Rankings of {controls['models']} networks agree with a Spearman correlation of {controls['agreement_of_models']:.2f}."
        )
    return found
