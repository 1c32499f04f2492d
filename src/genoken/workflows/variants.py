"""Explain a run on genotypes: how important each variant is, beside regressions, fine-mapping and permuted labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from genoken.core.errors import ConfigError
from genoken.core.files import read_json, write_json, write_text
from genoken.core.genotypes import dense_dosages
from genoken.core.tables import write_parquet
from genoken.interpretation.attributed import union_of
from genoken.interpretation.draw import draw_samples
from genoken.interpretation.locus_attention import locus_attention
from genoken.reporting.report import write_report
from genoken.tokenizers._haplotypes import block_of_variants
from genoken.tokenizers._variants import genome_order
from genoken.workflows.fold import FACTS, Course
from genoken.workflows.own_samples import fold_models, own_folds, own_study
from genoken.workflows.predict import TABLE_SUFFIXES, checked_output, write_table
from genoken.workflows.run import Run, as_run
from genoken.workflows.show import Show
from genoken.workflows.store import fold_place
from genoken.workflows.variant_associations import Associations, Cohort, associate
from genoken.workflows.variant_importance import ExplainedRun, importance_of_variants, num_steps
from genoken.workflows.variant_options import VariantOptions
from genoken.workflows.variant_results import (
    VariantResults,
    locus_pairs,
    shown_variants,
    variant_controls,
    variant_table,
)
from genoken.workflows.variant_truth import recovered
from genoken.workflows.variant_words import show_files, show_leads, show_recovery

SHOWN_PER_LOCUS = 60
"""Variants of a locus between which linkage and attention are kept, for the heat maps."""


def explain_variants(
    run: Run | str | Path,
    *,
    options: VariantOptions | None = None,
    output: str | Path | None = None,
    show: Show | None = None,
) -> pd.DataFrame:
    """Return how important each variant is to a run's networks, and write it into the run's ``explanations/`` and report.

    Each sample is explained for its own class by the network that never saw it. Beside the importance stand single-variant
    regressions, fine-mapping of the leading loci, and what networks make of permuted labels.

    Parameters
    ----------
    run
        A finished run on genotypes, or its folder.
    options
        Methods, seeds, refits on permuted labels, covariates; by default :class:`VariantOptions`.
    output
        ``.tsv``, ``.csv`` or ``.parquet`` for a copy of the table.
    show
        Where progress goes; by default nowhere.

    Returns
    -------
    pandas.DataFrame
        One row per variant, see ``docs/run-folder.md``.

    Raises
    ------
    GenokenError
        When the run is not on genotypes, or its data, an option or the output cannot be used.
    """
    run, show, options = as_run(run), show or Show(quiet=True), options or VariantOptions()
    path = checked_output(output, TABLE_SUFFIXES)
    is_of_blocks = block_of_variants(run.model.state.facts) is not None
    if not is_of_blocks and run.model.tokenizer.population(run.model.state) is None:
        raise ConfigError("the run is not on genotypes", where=str(run.folder), remedy="use genoken explain")
    explained = _explained_run(run)
    steps = num_steps(len(explained.folds), options)
    with show.bar("Explaining", total=float(steps)) as bar:
        done = iter(range(1, steps + 1))
        results = variant_results(explained, options, on_step=lambda: bar.to(float(next(done))))
    write_variants(run.folder / "explanations", results)
    write_report(run.folder)
    if path is not None:
        write_table(path, results.table.set_index("id"))
    for note in results.controls["notes"]:
        show.line(note)
    show_leads(results.table, show)
    if results.controls["recovery"]:
        show_recovery(results.controls["recovery"], show)
    show_files(run.folder, show)
    return results.table


def _explained_run(run: Run) -> ExplainedRun:
    """Read the networks of a run and what they were fitted on."""
    study = own_study(run)
    folds = own_folds(run, study)
    places = [run.folder] if len(folds) == 1 else [run.folder / fold_place(index) for index in range(len(folds))]
    courses = [Course.of(read_json(place / FACTS)) for place in places]
    return ExplainedRun(fold_models(run, len(folds)), courses, study, folds)


def variant_results(
    explained: ExplainedRun, options: VariantOptions, *, on_step: Callable[[], None] = lambda: None
) -> VariantResults:
    """Return importance, regressions and fine-mapping of the variants of a run's networks.

    Parameters
    ----------
    explained
        Networks and samples.
    options
        What is asked for.
    on_step
        Called after each network that has been explained.
    """
    if options.covariates is None:
        options = replace(options, covariates=explained.models[0].config.data.covariates)
    cohort = _cohort(explained)
    importance = importance_of_variants(explained, list(cohort.features.index.astype(str)), options, on_step)
    found = associate(cohort, importance.ensemble.score, options)
    table = variant_table(cohort, importance, found)
    controls = variant_controls(table, cohort, importance, found, options)
    controls["recovery"] = recovered(table, cohort, options.causal) if options.causal else None
    return VariantResults(table, controls, _pairs(explained, cohort, found))


def write_variants(folder: Path, results: VariantResults) -> None:
    """Write ``variants.tsv``, ``variants.bed``, ``variants.json`` and ``loci.parquet``."""
    write_text(folder / "variants.tsv", results.table.to_csv(sep="\t", index=False, lineterminator="\n", float_format="%.6g"))
    write_text(folder / "variants.bed", bed_of(results.table, str(results.controls["build"])))
    write_json(folder / "variants.json", results.controls)
    write_parquet(folder / "loci.parquet", results.pairs)


def bed_of(table: pd.DataFrame, build: str) -> str:
    """Return the variants that lead their clumps as BED: chromosome, start from 0, end, id, and 1000 times the mean rank.

    Chromosomes have the prefix that genome browsers want. The first line says the build, where it is known, as a comment.
    """
    leads = table[table["clump_lead"] == table["id"]]
    lines = [f"# genome build {build}"] if build else []
    for row in leads.itertuples():
        name = {"MT": "M"}.get(row.chrom, row.chrom)
        lines.append(f"chr{name}\t{row.pos - 1}\t{row.pos}\t{row.id}\t{round(1000 * row.ensemble)}")
    return "".join(f"{line}\n" for line in lines)


def _cohort(explained: ExplainedRun) -> Cohort:
    """Return the samples of the split with the variants that any network knows, in the order of the genome."""
    known = {name for model in explained.models for name in model.state.sought()[0]}
    samples = explained.study.samples
    order = genome_order(samples.features)
    ids = samples.features.index.astype(str).to_numpy()
    columns = order[[name in known for name in ids[order]]]
    used = explained.study.take(np.flatnonzero((explained.folds != "unused").any(axis=0)))
    return Cohort(used, samples.features.iloc[columns], dense_dosages(used.samples.values, columns))


def _pairs(explained: ExplainedRun, cohort: Cohort, found: Associations) -> pd.DataFrame:
    """Return linkage and attention between the variants of each locus; blocks look at blocks, so that theirs have none."""
    is_of_blocks = block_of_variants(explained.models[0].state.facts) is not None
    parts, seed = explained.parts, explained.models[0].config.training.seed
    draw, genes = draw_samples(parts, seed), union_of(parts)
    tables = [pd.DataFrame({"locus": [], "first": [], "second": [], "r2": [], "attention": []})]
    for number, locus in enumerate(found.loci, start=1):
        ids = cohort.features.index.astype(str)[shown_variants(locus, SHOWN_PER_LOCUS)]
        weights = None if is_of_blocks else locus_attention(parts, draw, genes, list(ids), seed)
        tables.append(locus_pairs(cohort, number, locus, weights, SHOWN_PER_LOCUS))
    return pd.concat(tables[1:] or tables, ignore_index=True)
