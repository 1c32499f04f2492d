"""Explain a finished run: which genes its outputs rest on, with controls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from genoken.core.components import kinds
from genoken.core.errors import ConfigError, RunError, suggestion
from genoken.interpretation.explain import explain_subject, export_explanation
from genoken.interpretation.subject import Subject
from genoken.workflows.inputs import read_source
from genoken.workflows.predict import aligned_dataset, write_table
from genoken.workflows.run import Run, as_run
from genoken.workflows.show import Show

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
        ``.tsv``, ``.csv`` or ``.parquet`` for the table; ``.rnk`` files and ``controls.json`` go beside it.
    show
        Where progress goes; by default nowhere.

    Returns
    -------
    pandas.DataFrame
        ``class, feature_id, symbol, rank, importance, stability, method, correlation``; see ``docs/run-folder.md``.
    """
    run, show = as_run(run), show or Show(quiet=True)
    if method not in kinds("attributions"):
        raise ConfigError(f"there is no method '{method}'", remedy=suggestion(method, kinds("attributions"), "methods"))
    samples = read_source(_data_of(run) if data is None else data, run.config.data.source).samples
    if data is None:
        tested = set(pd.read_parquet(run.folder / "embeddings.parquet", columns=["sample_id"])["sample_id"])
        samples = samples.take(np.array([name in tested for name in samples.table.index.astype(str)]))
    groups = None
    if by == "group":
        if not run.config.data.group or run.config.data.group not in samples.table:
            raise ConfigError("the run has no group column in these samples", where=samples.origin, remedy="use --by class")
        groups = samples.table[run.config.data.group].astype(str).to_numpy()
    dataset, coverage = aligned_dataset(run.model, samples)
    show.line(f"{samples.origin}: {coverage}.")
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
    if output is not None:
        path = Path(output)
        export_explanation(explanation, path.parent / f"{path.stem}-explanations")
        write_table(path, explanation.genes.set_index("class"))
        show.line(f"Wrote {path} and {path.parent / f'{path.stem}-explanations'}.")
    return explanation.genes


def _data_of(run: Run) -> Path:
    from genoken.core.files import read_json

    files = read_json(run.folder / "manifest.json")["data"]
    path = Path(files[0]["path"]) if files and files[0]["path"] else None
    if path is None or not path.is_file():
        raise RunError("the run's own data cannot be found", where=str(run.folder), remedy="name a file to explain")
    return path
