"""Score a finished run on other labeled samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genoken.core.errors import DataError, suggestion
from genoken.core.files import prepare_output_folder, read_json, write_json
from genoken.evaluation.verdict import evaluate_predictions
from genoken.training.fit import predict as predict_dataset
from genoken.workflows import results
from genoken.workflows.inputs import Source, Study, build_study, read_source
from genoken.workflows.predict import aligned_dataset
from genoken.workflows.run import Run, as_run
from genoken.workflows.show import Show

if TYPE_CHECKING:
    from anndata import AnnData


def evaluate(
    run: Run | str | Path,
    data: str | Path | AnnData,
    *,
    label: str = "",
    group: str = "",
    output: str | Path | None = None,
    min_coverage: float | None = None,
    show: Show | None = None,
) -> dict[str, Any]:
    """Predict the labels of other samples and score them, with the same metrics and intervals as the run's own test.

    Parameters
    ----------
    run
        A finished run or its folder.
    data
        Labeled samples that the run has not seen.
    label
        Column with the true label; by default the run's.
    group
        Column of groups for the intervals; by default the run's, where the file has it.
    output
        New folder for ``metrics.json`` and ``predictions.parquet``; by default nothing is written.
    min_coverage
        Smallest share of the model's genes, from 0 to 1, that the file must hold; by default the run's ``data.min_coverage``.
    show
        Where tables go; by default nowhere.

    Returns
    -------
    dict
        As ``metrics.json``, without ``leakage``.

    Raises
    ------
    DataError
        When labels are missing or are none of the run's classes.
    RunError
        When the run or the output folder cannot be used.
    """
    run, show = as_run(run), show or Show(quiet=True)
    if output is not None and Path(output).exists():
        prepare_output_folder(Path(output), overwrite=False)  # one that is occupied is refused before any work
    source = read_source(data, run.config.data.source, strict=run.config.data.strict)
    table = source.samples.table
    settings = replace(
        run.config.data,
        label=label or run.model.target.label,
        group=group or (run.config.data.group if run.config.data.group in table else ""),
        task=run.model.target.task,
        positive="",
        limit_samples=0,
    )
    study = _coded(build_study(source.samples, settings, seed=run.config.training.seed, guess_group=True), run)
    for note in study.notes:
        show.line(f"  {note}.")
    dataset, coverage = aligned_dataset(run.model, study.samples, min_coverage)
    show.line(f"{study.samples.origin}: {coverage}.")
    training = run.config.training
    predicted, _ = predict_dataset(
        run.model.network, dataset, run.config.objective, run.model.target,
        batch_size=training.eval_batch_size or 4 * training.batch_size, precision=training.precision, attention=training.attention,
    )  # fmt: skip
    seen = _was_trained_on(run, source)
    if seen:
        show.warning("the run was trained on this very file, so these scores are no test")
    metrics = _score(run, study, predicted, seen_in_training=seen)
    results.show_verdict(show, metrics)
    if output is not None:
        folder = prepare_output_folder(Path(output), overwrite=False)
        pooled = results.Pooled(np.arange(len(predicted)), np.zeros(len(predicted), dtype=int), {"model": predicted})
        results.write_predictions(folder, study, pooled, run.config.evaluation.threshold)
        write_json(folder / "metrics.json", metrics)
        show.line(f"Wrote {folder}.")
    return metrics


def _was_trained_on(run: Run, source: Source) -> bool:
    known = {entry["sha256"] for entry in read_json(run.folder / "manifest.json").get("data", [])}
    return any(entry["sha256"] in known for entry in source.files)


def _score(run: Run, study: Study, predicted: np.ndarray, *, seen_in_training: bool) -> dict[str, Any]:
    scored = evaluate_predictions(
        task=study.task,
        labels=study.labels,
        predictions={"model": predicted, **_majority(run, study)},
        classes=run.model.target.classes,
        groups=study.groups,
        seed=run.config.training.seed,
        draws=run.config.evaluation.bootstrap,
        threshold=run.config.evaluation.threshold,
        model_words=results.model_words(run.config),
    )
    return {
        "task": study.task,
        "label": study.label,
        "classes": list(run.model.target.classes),
        "positive": run.metrics.get("positive"),
        "split": {
            "kind": "external",
            "group": study.group or None,
            "folds": 1,
            "leaky": seen_in_training,
            "note": f"all samples of {study.samples.origin}",
        },
        "verdict": scored["verdict"],
        "test": scored["test"],
    }


def _coded(study: Study, run: Run) -> Study:
    """Return the study with its labels in the run's own codes.

    Raises
    ------
    DataError
        When a label is none of the run's classes.
    """
    classes = run.model.target.classes
    if not classes:
        return study
    names = study.named_labels().astype(str)
    wanted = run.metrics.get("positive")
    if wanted:
        names = np.where(names == wanted, wanted, classes[0])
    unknown = sorted(set(names) - set(classes))
    if unknown:
        count = int(np.isin(names, unknown).sum())
        raise DataError(
            f"{count:,} samples have labels that the run does not know, for example '{unknown[0]}'",
            where=study.samples.origin,
            remedy=suggestion(unknown[0], classes, "the run's classes"),
        )
    codes = pd.Categorical(names, categories=list(classes)).codes.astype(np.int64)
    return replace(study, labels=codes, classes=classes)


def _majority(run: Run, study: Study) -> dict[str, np.ndarray]:
    """Return what the train split's most frequent class (or mean) alone predicts: the floor for other data."""
    target = run.model.target
    if target.classes:
        shares = np.asarray(target.class_counts, dtype=np.float64)
        return {"majority": np.tile(shares / shares.sum(), (len(study.labels), 1))}
    return {"majority": np.full(len(study.labels), target.center)}
