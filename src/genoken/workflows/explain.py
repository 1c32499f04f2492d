"""Explain a finished run: which genes its outputs rest on, with controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from genoken.core.components import kinds
from genoken.core.errors import ConfigError, RunError, suggestion
from genoken.core.samples import Samples
from genoken.data.check import require_column
from genoken.interpretation.attributed import union_of
from genoken.interpretation.draw import Part, draw_samples
from genoken.interpretation.explain import Explanation, explain_parts, export_explanation
from genoken.interpretation.gene_attention import ATTENTION_GENES, find_genes, pool_attention
from genoken.interpretation.gene_table import leading_genes
from genoken.interpretation.subject import Subject
from genoken.training.processes import is_first_process
from genoken.workflows.inputs import Study
from genoken.workflows.own_samples import fold_parts, own_parts
from genoken.workflows.predict import TABLE_SUFFIXES, Aligned, align_samples, checked_output, write_table
from genoken.workflows.run import Run, as_run
from genoken.workflows.seen import count_trained_on
from genoken.workflows.shards import shard_of_this_process
from genoken.workflows.show import Show
from genoken.workflows.source import read_new
from genoken.workflows.store import FittedModel

if TYPE_CHECKING:
    from genoken.workflows.source import Input


MOST_ATTENTION_GENES = 500
"""Genes between which attention is read at most: the result has their square for each head."""


def explain(  # noqa: PLR0913 - one parameter for each thing that a user can say
    run: Run | str | Path,
    data: Input | None = None,
    *,
    method: str = "integrated_gradients",
    aggregate: Literal["mean", "max", "median"] = "mean",
    by: Literal["class", "group"] = "class",
    top: int = 50,
    phenotypes: str | Path = "",
    output: str | Path | None = None,
    min_coverage: float | None = None,
    show: Show | None = None,
) -> pd.DataFrame:
    """Return the genes that the model's outputs rest on most.

    Parameters
    ----------
    run
        A finished run or its folder.
    data
        Samples to explain by the run's model. By default the test samples of what the run was trained on, each explained by the
        model of the fold that tested it: what ``explanations/`` of the run holds, for the same method.
    method
        ``integrated_gradients``, ``gradient``, ``smoothgrad``, ``attention``, ``ensemble`` or, for genotypes, ``allele_flip``.
    aggregate
        How the samples of a class or group are put together.
    by
        ``class``: per class, the label's in the run's own samples and the predicted one in others; ``group``: per group.
    top
        Genes per class or group.
    phenotypes
        Table of phenotypes and covariates, joined to the samples by their ids; with ``data`` alone.
    output
        ``.tsv``, ``.csv`` or ``.parquet`` for the table; ``.rnk`` files, ``controls.json`` and, where the model has attention,
        ``attention.parquet`` (per layer and head, and as rollout) go into a folder beside it.
    min_coverage
        Smallest share of the model's genes, from 0 to 1, that the file must hold; by default the run's ``data.min_coverage``.
    show
        Where progress goes; by default nowhere.

    Returns
    -------
    pandas.DataFrame
        ``class, feature_id, symbol, rank, importance, stability, method, correlation``; see ``docs/run-folder.md``.

    Raises
    ------
    GenokenError
        When run, data, method or output cannot be used.
    """
    show = show if show is not None and is_first_process() else Show(quiet=True)
    run = as_run(run)
    if method not in kinds("attributions"):
        raise ConfigError(f"there is no method '{method}'", remedy=suggestion(method, kinds("attributions"), "methods"))
    if by == "group" and not run.config.data.group:
        raise ConfigError("the run has no group column", where=str(run.folder), remedy="use --by class")
    if phenotypes and data is None:
        raise ConfigError("the run's own samples have their phenotypes already", where=str(phenotypes), remedy="name a file too")
    path = checked_output(output, TABLE_SUFFIXES)
    notes: list[str] = []
    if data is None:
        parts = own_parts(run, by_group=by == "group", show=show)
    else:
        samples = read_new(run.config, data, phenotypes=phenotypes).samples
        aligned = align_samples(run.model, samples, min_coverage, show)
        parts = [_given_part(run, samples, aligned, by_group=by == "group")]
        seen = count_trained_on(run.folder, samples, aligned.columns, run.model.state)
        if seen:
            notes.append(
                f"{seen:,} of {samples.num_samples:,} samples are ones that the model was trained on; without naming a file, only "
                "test samples are explained."
            )
            show.warning(notes[0])
    with shard_of_this_process() as shard, show.bar("Explaining", total=1.0) as bar:
        explanation = explain_parts(
            parts, method=method, aggregate=aggregate, top=top, seed=run.config.training.seed, on_progress=bar.to, shard=shard
        )
    if path is not None and shard.index == 0:
        _write(_noted(explanation, notes), path, show)
    return explanation.genes


def attention(
    run: Run | str | Path,
    data: Input | None = None,
    *,
    genes: Sequence[str] = (),
    min_coverage: float | None = None,
    show: Show | None = None,
) -> pd.DataFrame:
    """Return how much genes look at each other: mean attention weights of each head of each layer, and their rollout.

    Parameters
    ----------
    run
        A finished run or its folder.
    data
        Samples to read attention in, by the run's model. By default the test samples of what the run was trained on, each under the
        model of the fold that tested it.
    genes
        Identifiers or symbols of up to 500 genes; by default the 30 that lead the run's ``explanations/genes.tsv``.
    min_coverage
        Smallest share of the model's genes, from 0 to 1, that the file must hold; by default the run's ``data.min_coverage``.
    show
        Where progress goes; by default nowhere.

    Returns
    -------
    pandas.DataFrame
        ``layer, head, query, key, query_symbol, key_symbol, weight, samples`` as in ``attention.parquet``, see
        ``docs/run-folder.md``. At most 200 samples per class, and of these at most 128, are read.

    Raises
    ------
    GenokenError
        When the model has no attention, or run, data or genes cannot be used.
    """
    run, show = as_run(run), show or Show(quiet=True)
    if len(genes) > MOST_ATTENTION_GENES:
        raise ConfigError(f"attention is read between at most {MOST_ATTENTION_GENES} genes, not {len(genes)}", remedy="name fewer")
    if not run.model.network.attention_layers() or run.model.network.has_pooling_weights:
        raise ConfigError(
            "the model has no attention layers", where=str(run.folder), remedy="train one with --set model.encoder=transformer"
        )
    wanted = list(genes) or _leading_genes(run)
    if data is None:
        parts = own_parts(run, by_group=False, show=show)
    else:
        samples = read_new(run.config, data).samples
        parts = [_given_part(run, samples, align_samples(run.model, samples, min_coverage, show), by_group=False)]
    known = union_of(parts)
    chosen = find_genes(known, wanted)
    seed = run.config.training.seed
    return pool_attention(parts, draw_samples(parts, seed), known, chosen, seed).table()


def _leading_genes(run: Run) -> list[str]:
    """Return the genes that lead the explanation made after training, as far as the run's own model knows them."""
    path = run.folder / "explanations" / "genes.tsv"
    if not path.is_file():
        raise RunError("the run holds no explanation whose genes could be taken", where=str(path), remedy="name genes")
    known = set(run.model.state.feature_ids)
    leading = leading_genes(pd.read_csv(path, sep="\t", dtype={"feature_id": str}, keep_default_na=False), ATTENTION_GENES)
    return [name for name in leading if name in known]


def write_explanations(folder: Path, study: Study, folds: np.ndarray, models: Sequence[FittedModel], *, show: Show) -> None:
    """Explain each fold's model on that fold's test samples, which it never saw, and write ``explanations/``.

    Parameters
    ----------
    folder
        The run folder.
    study
        All samples.
    folds
        ``train``, ``val``, ``test`` or ``unused``, of shape (folds, samples).
    models
        The model of each fold.
    show
        Where progress goes.
    """
    with show.bar("Explaining", total=1.0) as bar:
        explanation = explain_parts(
            fold_parts(models, study, folds, by_group=False), seed=models[0].config.training.seed, on_progress=bar.to
        )
    export_explanation(explanation, folder / "explanations")


def _given_part(run: Run, samples: Samples, aligned: Aligned, *, by_group: bool) -> Part:
    """Return the run's model with other samples."""
    groups = None
    if by_group:
        groups = require_column(samples.table, run.config.data.group, samples.origin).astype(str).to_numpy()
    subject = Subject(run.model.network, aligned.dataset, run.config.objective, run.model.target)
    return Part(subject, np.arange(len(aligned.dataset)), run.model.symbols, groups)


def _noted(explanation: Explanation, notes: list[str]) -> Explanation:
    return replace(explanation, controls=explanation.controls | {"notes": [*notes, *explanation.controls["notes"]]})


def _write(explanation: Explanation, path: Path, show: Show) -> None:
    folder = path.parent / f"{path.stem}-explanations"
    export_explanation(explanation, folder)
    write_table(path, explanation.genes.set_index("class"))
    show.line(f"Wrote {path} and {folder}.")
