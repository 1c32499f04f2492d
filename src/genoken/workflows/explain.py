"""Explain a finished run: which genes its outputs rest on, with controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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
from genoken.workflows.assemble import task_of_objective
from genoken.workflows.inputs import Study, build_study, read_inputs, read_source
from genoken.workflows.join import restrict_to_vocabulary
from genoken.workflows.predict import TABLE_SUFFIXES, Aligned, align_samples, checked_output, write_table
from genoken.workflows.results import dataset_of
from genoken.workflows.run import Run, as_run
from genoken.workflows.seen import count_trained_on
from genoken.workflows.show import Show
from genoken.workflows.state import check_data, read_state
from genoken.workflows.store import FittedModel, fold_place, read_model, verify_hashes

if TYPE_CHECKING:
    from anndata import AnnData


MOST_ATTENTION_GENES = 500
"""Genes between which attention is read at most: the result has their square for each head."""


def explain(
    run: Run | str | Path,
    data: str | Path | AnnData | None = None,
    *,
    method: str = "integrated_gradients",
    aggregate: Literal["mean", "max", "median"] = "mean",
    by: Literal["class", "group"] = "class",
    top: int = 50,
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
        ``attention``, ``integrated_gradients``, ``gradient`` or ``ensemble``.
    aggregate
        How the samples of a class or group are put together.
    by
        ``class``: per class, the label's in the run's own samples and the predicted one in others; ``group``: per group.
    top
        Genes per class or group.
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
    run, show = as_run(run), show or Show(quiet=True)
    if method not in kinds("attributions"):
        raise ConfigError(f"there is no method '{method}'", remedy=suggestion(method, kinds("attributions"), "methods"))
    if by == "group" and not run.config.data.group:
        raise ConfigError("the run has no group column", where=str(run.folder), remedy="use --by class")
    path = checked_output(output, TABLE_SUFFIXES)
    notes: list[str] = []
    if data is None:
        parts = _own_parts(run, by_group=by == "group", show=show)
    else:
        samples = read_source(data, run.config.data.source).samples
        aligned = align_samples(run.model, samples, min_coverage, show)
        parts = [_given_part(run, samples, aligned, by_group=by == "group")]
        seen = count_trained_on(run.folder, samples, aligned.columns)
        if seen:
            notes.append(
                f"{seen:,} of {samples.num_samples:,} samples are ones that the model was trained on; without naming a file, only "
                "test samples are explained."
            )
            show.warning(notes[0])
    with show.bar("Explaining", total=1.0) as bar:
        explanation = explain_parts(
            parts, method=method, aggregate=aggregate, top=top, seed=run.config.training.seed, on_progress=bar.to
        )
    if path is not None:
        _write(_noted(explanation, notes), path, show)
    return explanation.genes


def attention(
    run: Run | str | Path,
    data: str | Path | AnnData | None = None,
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
        parts = _own_parts(run, by_group=False, show=show)
    else:
        samples = read_source(data, run.config.data.source).samples
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
            _fold_parts(models, study, folds, by_group=False), seed=models[0].config.training.seed, on_progress=bar.to
        )
    export_explanation(explanation, folder / "explanations")


def _fold_parts(models: Sequence[FittedModel], study: Study, folds: np.ndarray, *, by_group: bool) -> list[Part]:
    """Return each fold's model with the samples that it was tested on."""
    parts = []
    for model, words in zip(models, folds, strict=True):
        rows = np.flatnonzero(words == "test")
        subject = Subject(model.network, dataset_of(model, study, rows), model.config.objective, model.target)
        groups = study.groups[rows] if by_group and study.groups is not None else None
        parts.append(Part(subject, np.arange(len(rows)), model.symbols, groups))
    return parts


def _own_parts(run: Run, *, by_group: bool, show: Show) -> list[Part]:
    """Return what :func:`write_explanations` explained after training."""
    study = _own_study(run)
    folds = _own_folds(run, study)
    tested = f"{int((folds == 'test').sum()):,} test samples"
    how = f", each explained by the model of its fold ({len(folds)} folds)" if len(folds) > 1 else ""
    show.line(f"{study.samples.origin}: {tested}{how}.")
    return _fold_parts(_fold_models(run, len(folds)), study, folds, by_group=by_group)


def _own_study(run: Run) -> Study:
    """Read what the run was trained on again."""
    state = read_state(run.folder)
    source = read_inputs(_own_inputs(run, state["inputs"]), run.config.data)
    check_data(source.files, state["data"])
    samples = source.samples
    if "start_from" in state:  # the vocabulary is that of a pretrained network, which the file need not hold under the same ids
        model = run.model
        samples, _ = restrict_to_vocabulary(
            samples, model.state.feature_ids, model.symbols, min_coverage=run.config.data.min_coverage
        )
    return build_study(samples, task_of_objective(run.config), seed=run.config.training.seed, guess_group=True)


def _own_inputs(run: Run, paths: dict[str, str]) -> dict[str, Any]:
    """Return the files and objects that the run was trained on.

    Raises
    ------
    RunError
        When one is not there any more.
    """
    inputs = {part: path or run.objects.get(part) for part, path in paths.items()}
    remedy = "the explanation made after training is in explanations/genes.tsv"
    if any(value is None for value in inputs.values()):
        raise RunError(
            "the run was made from an AnnData object that is no longer in memory",
            where=str(run.folder),
            remedy=f"pass the data, for example run.explain(adata); {remedy}",
        )
    if not inputs or not all(Path(path).exists() for path in paths.values() if path):
        raise RunError(
            "the run's own data cannot be found", where=str(run.folder), remedy=f"name a file or object to explain; {remedy}"
        )
    return inputs


def _own_folds(run: Run, study: Study) -> np.ndarray:
    """Return the words of ``split.parquet``, shape (folds, samples)."""
    table = pd.read_parquet(run.folder / "split.parquet")
    if list(table["sample_id"]) != list(study.samples.table.index.astype(str)):
        raise RunError(
            "split.parquet holds other samples than the data",
            where=str(run.folder),
            remedy="restore it as it was written, or name a file to explain",
        )
    return table[[name for name in table if str(name).startswith("fold_")]].to_numpy().T


def _fold_models(run: Run, count: int) -> list[FittedModel]:
    """Return the model of each fold."""
    if count == 1:
        return [run.model]
    places = [fold_place(index) for index in range(count)]
    if not all((run.folder / place).is_dir() for place in places):
        raise RunError(
            "the models of the folds are not there any more",
            where=str(run.folder / "folds"),
            remedy="name a file to explain with the final model",
        )
    for place in places:
        verify_hashes(run.folder, place)
    return [read_model(run.folder / place, run.network) for place in places]


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
