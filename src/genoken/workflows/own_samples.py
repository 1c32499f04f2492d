"""What a run was trained on, read again: its samples, its split, and the model of each fold with the samples that it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genoken.core.errors import RunError
from genoken.interpretation.draw import Part
from genoken.interpretation.subject import Subject
from genoken.workflows.assemble import task_of_objective
from genoken.workflows.inputs import Study, build_study
from genoken.workflows.restriction import restrict_to_vocabulary
from genoken.workflows.results import dataset_of
from genoken.workflows.run import Run
from genoken.workflows.show import Show
from genoken.workflows.source import named_again, read_inputs
from genoken.workflows.state import check_data, read_state
from genoken.workflows.store import FittedModel, fold_place, read_model, verify_hashes


def fold_parts(models: Sequence[FittedModel], study: Study, folds: np.ndarray, *, by_group: bool) -> list[Part]:
    """Return each fold's model with the samples that it was tested on."""
    parts = []
    for model, words in zip(models, folds, strict=True):
        rows = np.flatnonzero(words == "test")
        subject = Subject(model.network, dataset_of(model, study, rows), model.config.objective, model.target)
        groups = study.groups[rows] if by_group and study.groups is not None else None
        parts.append(Part(subject, np.arange(len(rows)), model.symbols, groups))
    return parts


def own_parts(run: Run, *, by_group: bool, show: Show) -> list[Part]:
    """Return what :func:`write_explanations` explained after training."""
    study = own_study(run)
    folds = own_folds(run, study)
    tested = f"{int((folds == 'test').sum()):,} test samples"
    how = f", each explained by the model of its fold ({len(folds)} folds)" if len(folds) > 1 else ""
    show.line(f"{study.samples.origin}: {tested}{how}.")
    return fold_parts(fold_models(run, len(folds)), study, folds, by_group=by_group)


def own_study(run: Run) -> Study:
    """Read what the run was trained on again."""
    state = read_state(run.folder)
    source = read_inputs(_own_inputs(run, state["inputs"]), run.config.data)
    check_data(source.files, state["data"])
    samples = source.samples
    if "start_from" in state:  # the vocabulary is that of a pretrained network, which the file need not hold under the same ids
        model = run.model
        samples, _ = restrict_to_vocabulary(samples, model.state, model.symbols, min_coverage=run.config.data.min_coverage)
    settings, seed = task_of_objective(run.config), run.config.training.seed
    return build_study(samples, settings, seed=seed, guess_group=True, keep_features="start_from" in state)


def _own_inputs(run: Run, paths: dict[str, str]) -> dict[str, Any]:
    """Return the files and objects that the run was trained on.

    Raises
    ------
    RunError
        When one is not there any more.
    """
    inputs = {part: named_again(named) or run.objects.get(part) for part, named in paths.items()}
    remedy = "the explanation made after training is in explanations/genes.tsv"
    if any(value is None for value in inputs.values()):
        raise RunError(
            "the run was made from an AnnData object that is no longer in memory",
            where=str(run.folder),
            remedy=f"pass the data, for example run.explain(adata); {remedy}",
        )
    if not inputs or not all(Path(path).exists() for named in paths.values() for path in named.split("\n") if path):
        raise RunError(
            "the run's own data cannot be found", where=str(run.folder), remedy=f"name a file or object to explain; {remedy}"
        )
    return inputs


def own_folds(run: Run, study: Study) -> np.ndarray:
    """Return the words of ``split.parquet``, shape (folds, samples)."""
    table = pd.read_parquet(run.folder / "split.parquet")
    if list(table["sample_id"]) != list(study.samples.table.index.astype(str)):
        raise RunError(
            "split.parquet holds other samples than the data",
            where=str(run.folder),
            remedy="restore it as it was written, or name a file to explain",
        )
    return table[[name for name in table if str(name).startswith("fold_")]].to_numpy().T


def fold_models(run: Run, count: int) -> list[FittedModel]:
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
