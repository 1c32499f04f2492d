"""Explain a finished run: which genes its outputs rest on, with controls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from genoken.core.components import kinds
from genoken.core.errors import ConfigError, RunError, suggestion
from genoken.core.samples import Samples
from genoken.data.check import require_column
from genoken.interpretation.explain import explain_subject, export_explanation
from genoken.interpretation.subject import Subject
from genoken.workflows.inputs import read_inputs, read_source
from genoken.workflows.predict import TABLE_SUFFIXES, aligned_dataset, checked_output, write_table
from genoken.workflows.run import Run, as_run
from genoken.workflows.show import Show
from genoken.workflows.state import check_data, read_state

if TYPE_CHECKING:
    from anndata import AnnData


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
        Samples to explain; by default the file that the run was trained on, its test samples (all, after a cross-validation).
    method
        ``attention``, ``integrated_gradients``, ``gradient`` or ``ensemble``.
    aggregate
        How the samples of a class or group are put together.
    by
        ``class``: per predicted class; ``group``: per group.
    top
        Genes per class or group.
    output
        ``.tsv``, ``.csv`` or ``.parquet`` for the table; ``.rnk`` files and ``controls.json`` go into a folder beside it.
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
    path = checked_output(output, TABLE_SUFFIXES)
    samples = _own_test_samples(run) if data is None else read_source(data, run.config.data.source).samples
    groups = _groups(run, samples) if by == "group" else None
    dataset, coverage = aligned_dataset(run.model, samples, min_coverage)
    for note in (*samples.notes, f"{samples.origin}: {coverage}"):
        show.line(f"{note}.")
    subject = Subject(run.model.network, dataset, run.config.objective, run.model.target)
    with show.bar("Explaining", total=1.0) as bar:
        explanation = explain_subject(
            subject,
            rows=np.arange(len(dataset)),
            method=method,
            aggregate=aggregate,
            groups=groups,
            top=top,
            symbols=run.model.symbols,
            seed=run.config.training.seed,
            on_progress=bar.to,
        )
    if path is not None:
        export_explanation(explanation, path.parent / f"{path.stem}-explanations")
        write_table(path, explanation.genes.set_index("class"))
        show.line(f"Wrote {path} and {path.parent / f'{path.stem}-explanations'}.")
    return explanation.genes


def _groups(run: Run, samples: Samples) -> np.ndarray:
    column = run.config.data.group
    if not column:
        raise ConfigError("the run has no group column", where=str(run.folder), remedy="use --by class")
    return require_column(samples.table, column, samples.origin).astype(str).to_numpy()


def _own_test_samples(run: Run) -> Samples:
    """Read the files that the run was trained on again, and return the samples whose states it exported."""
    state = read_state(run.folder)
    inputs = state["inputs"]
    if not inputs or not all(path and Path(path).exists() for path in inputs.values()):
        raise RunError(
            "the run's own data cannot be found",
            where=str(run.folder),
            remedy="name a file or object to explain; the explanation made after training is in explanations/genes.tsv",
        )
    source = read_inputs(inputs, run.config.data)
    check_data(source.files, state["data"])
    tested = set(pd.read_parquet(run.folder / "embeddings.parquet", columns=["sample_id"])["sample_id"])
    return source.samples.take(np.array([name in tested for name in source.samples.table.index.astype(str)]))
