"""Score a finished run on other labeled samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genoken.core.config import dump_yaml
from genoken.core.files import check_output_folder, prepare_output_folder, write_json, write_text
from genoken.data.dataset import TokenDataset
from genoken.evaluation.baseline_words import baseline_words
from genoken.evaluation.verdict import evaluate_predictions
from genoken.workflows import results
from genoken.workflows.background import BaselineValues, without_background
from genoken.workflows.baselines import predict_saved
from genoken.workflows.grouping import strata_of
from genoken.workflows.inputs import Study, build_study
from genoken.workflows.predict import align_samples
from genoken.workflows.run import Run, as_run
from genoken.workflows.seen import count_trained_on
from genoken.workflows.show import Show
from genoken.workflows.source import Source, read_new
from genoken.workflows.summands import predict_model, predict_summands

if TYPE_CHECKING:
    from genoken.workflows.source import Input


def evaluate(
    run: Run | str | Path,
    data: Input,
    *,
    label: str = "",
    group: str = "",
    phenotypes: str | Path = "",
    output: str | Path | None = None,
    min_coverage: float | None = None,
    strict: bool = False,
    show: Show | None = None,
) -> dict[str, Any]:
    """Predict the labels of other samples and score them beside the run's baselines, as in the run's own test.

    The baselines are those that the run saved, applied to the same prepared values as the model; a run that saved none is compared
    with its most frequent class, or train mean, alone.

    Parameters
    ----------
    run
        A finished run or its folder.
    data
        Labeled samples that the run has not seen: a file or an AnnData object, or several, which are joined as in training.
    label
        Column with the true label; by default the run's.
    group
        Column of groups for the intervals; by default the run's, where the file has it.
    phenotypes
        Table of phenotypes and covariates, joined to the samples by their ids; empty for none.
    output
        New folder for ``metrics.json``, ``predictions.parquet``, ``baselines/NAME.parquet``, the run's ``config.yaml`` and a
        ``manifest.json`` with the hash of the data; by default nothing is written.
    min_coverage
        Smallest share of the model's genes, from 0 to 1, that the file must hold; by default the run's ``data.min_coverage``.
    strict
        Refuse samples without a label, without values, or with a label that the run does not know, instead of leaving them out with
        a count.
    show
        Where tables go; by default nowhere.

    Returns
    -------
    dict
        As ``metrics.json``, without ``leakage``.

    Raises
    ------
    DataError
        When no sample has a label that the run knows, or, with ``strict``, when one has none.
    RunError
        When the run, a baseline that it saved, or the output folder cannot be used.
    """
    run, show = as_run(run), show or Show(quiet=True)
    if output is not None:
        check_output_folder(Path(output), overwrite=False)  # one that is occupied is refused before any work
    source = read_new(run.config, data, strict=strict or run.config.data.strict, phenotypes=phenotypes)
    study = _study(run, source, label=label, group=group, strict=strict)
    for note in study.notes:
        show.line(f"  {note}.")
    aligned = align_samples(run.model, study.samples, min_coverage, show)
    predictions = _predictions(run, study, aligned.dataset, show)
    seen = _seen(run, study, aligned.columns, show)
    metrics = _score(run, study, predictions, seen)
    results.show_verdict(show, metrics)
    if output is not None:
        folder = prepare_output_folder(Path(output), overwrite=False)
        num_samples = len(study.labels)
        pooled = results.Pooled(np.arange(num_samples), np.zeros(num_samples, dtype=int), predictions)
        results.write_predictions(folder, study, pooled, run.config.evaluation.threshold)
        write_text(folder / "config.yaml", dump_yaml(run.config))  # the threshold and the seed, for `genoken compare`
        write_json(folder / "manifest.json", {"data": list(source.files)})  # so that it pairs no other samples
        results.write_joined(folder, source.joined)
        write_json(folder / "metrics.json", metrics)
        show.line(f"Wrote {folder}.")
    return metrics


def _study(run: Run, source: Source, *, label: str, group: str, strict: bool) -> Study:
    data, target = run.config.data, run.model.target
    settings = replace(
        data,
        label=label or target.label,
        group=group or (data.group if data.group in source.samples.table else ""),
        task=target.task,
        positive=run.metrics.get("positive") or "",
        limit_samples=0,
        strict=strict or data.strict,
    )
    return build_study(source.samples, settings, seed=run.config.training.seed, guess_group=True, target=target)


def _seen(run: Run, study: Study, columns: np.ndarray, show: Show) -> str:
    """Return, and warn of, how many samples the model was trained on, as a sentence; empty where it was trained on none."""
    count, total = count_trained_on(run.folder, study.samples, columns, run.model.state), study.samples.num_samples
    if count is None:
        show.line("  The run does not say which samples it was trained on, so whether these are among them is not known.")
    if not count:
        return ""
    said = f"{count:,} of {total:,} samples are ones that the model was trained on"
    show.warning(f"{said}, so these scores are {'no test' if count == total else 'too optimistic'}")
    return said


def _predictions(run: Run, study: Study, dataset: TokenDataset, show: Show) -> dict[str, np.ndarray]:
    """Return what the model, each of its summands alone, and the baselines predict for the same prepared values."""
    model = run.model
    found = {"model": predict_model(model.network, dataset, model.config, model.target)}
    found |= predict_summands(model.network, dataset, model.config, model.target)
    return found | _baselines(run, _known(run, study, dataset, show), show)


def _known(run: Run, study: Study, dataset: TokenDataset, show: Show) -> BaselineValues:
    """Return what baselines may be told of the samples; say which values of covariates the run does not know."""
    background, plain_values = run.model.background, dataset.plain_values
    if background is None:
        return without_background(plain_values)
    known, notes = background.values(study.samples.table, plain_values, study.samples.origin)
    for note in notes:
        show.warning(note)
    return known


def _baselines(run: Run, known: BaselineValues, show: Show) -> dict[str, np.ndarray]:
    found = predict_saved(run.folder, run.config, known, len(run.model.target.classes))
    unsaved = [name for name in run.metrics.get("test", {}).get("baselines", {}) if name not in found]
    if found:
        if unsaved:
            show.line(f"  Not compared here, because the run could not save them: {_words(run, unsaved)}.")
        return found
    floor = _majority(run, known.features.shape[0])
    show.line(f"  The run holds no saved baselines, so only {_words(run, list(floor))} is compared.")
    return floor


def _words(run: Run, names: list[str]) -> str:
    return ", ".join(baseline_words(name, run.model.target.task) for name in names)


def _score(run: Run, study: Study, predictions: dict[str, np.ndarray], seen: str) -> dict[str, Any]:
    scored = evaluate_predictions(
        task=study.task,
        labels=study.labels,
        predictions=predictions,
        classes=run.model.target.classes,
        groups=study.groups,
        seed=run.config.training.seed,
        draws=run.config.evaluation.bootstrap,
        threshold=run.config.evaluation.threshold,
        model_words=results.model_words(run.config),
        strata=strata_of(run.config, study, np.arange(len(study.labels))),
        is_genotypes=study.samples.value_kind == "dosage",
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
            "leaky": bool(seen),
            "note": f"all samples of {study.samples.origin}" + (f"; {seen}" if seen else ""),
        },
        **scored,
    }


def _majority(run: Run, num_samples: int) -> dict[str, np.ndarray]:
    """Return what the train split's most frequent class (or mean) alone predicts: the floor of a run without saved baselines."""
    target = run.model.target
    if target.classes:
        shares = np.asarray(target.class_counts, dtype=np.float64)
        return {"majority": np.tile(shares / shares.sum(), (num_samples, 1))}
    return {"majority": np.full(num_samples, target.center)}
