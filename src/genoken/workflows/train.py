"""Train: from a file to a run folder with a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genoken.core.config import RunConfig, build, dump_yaml, read_yaml
from genoken.core.errors import ConfigError, GenokenError, RunError, TrainingError
from genoken.core.feature_words import noun_of_samples
from genoken.core.files import sha256_of_file, write_json
from genoken.evaluation.verdict import SCRATCH, evaluate_predictions
from genoken.models.network import Network
from genoken.training.fit import Fit
from genoken.training.optim import num_epochs
from genoken.training.processes import is_first_process, is_one_of_several, wait_for_all
from genoken.workflows import results
from genoken.workflows.arrays import Arrays
from genoken.workflows.assemble import has_numbers, hides_order, resolve_config, without_needless_path
from genoken.workflows.batch_size import settle_batch_size, used_batches
from genoken.workflows.contrast import random_split, random_words
from genoken.workflows.design import Job, design, train_share_of, with_train_share
from genoken.workflows.encoder import IN_NO_BLOCK
from genoken.workflows.explain import write_explanations
from genoken.workflows.fold import FACTS, FoldResult, fit_final, fit_fold
from genoken.workflows.genotypes import LABEL
from genoken.workflows.grouping import strata_of
from genoken.workflows.inputs import examine
from genoken.workflows.own_network import NetworkFactory, network_of, with_network
from genoken.workflows.request import check_settings, default_folder, named_inputs, refuse_second_split
from genoken.workflows.run import Run, load_trained
from genoken.workflows.seen import TRAINED_ON, write_trained_on
from genoken.workflows.show import Show
from genoken.workflows.source import joined_paths, named_again, paths_of, read_inputs
from genoken.workflows.split_words import is_leaky, many_networks_note, split_note, split_summary
from genoken.workflows.start import PretrainedStart, read_start, read_start_again, refuse_without_start
from genoken.workflows.state import (
    STATE,
    begin_run,
    check_data,
    check_new_run,
    discard_unless_trained,
    disk_errors,
    finish,
    read_state,
)
from genoken.workflows.store import fold_hashes, fold_place, read_model
from genoken.workflows.typed import typed_command

if TYPE_CHECKING:
    from genoken.workflows.source import Input

__all__ = ["STATE", "train"]


def train(  # noqa: PLR0913 - the one call that a user makes
    data: Input | None = None,
    *,
    label: str = "",
    group: str = "",
    positive: str = "",
    train: Input | None = None,
    val: Input | None = None,
    test: Input | None = None,
    preset: str = "",
    config: str | Path | Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    start_from: str | Path | None = None,
    resume: str | Path | None = None,
    network: NetworkFactory | None = None,
    genotypes: np.ndarray | None = None,
    labels: Sequence[object] | np.ndarray | None = None,
    variants: pd.DataFrame | None = None,
    samples: pd.DataFrame | Sequence[str] | None = None,
    covariates: pd.DataFrame | np.ndarray | None = None,
    show: Show | None = None,
) -> Run:
    """Train a model, hold it against simple baselines on the same folds, explain it, and write a report.

    Parameters
    ----------
    data
        Path of a file or folder (h5ad, zarr, GCTX, GCT, 10x, PLINK, VCF), or an AnnData object; or a list of several, which are
        joined: genotypes by variant, with a column ``cohort`` of the files' names, others by gene, with a column ``file``.
    label
        Column of ``obs`` to predict: classes, or numbers for regression.
    group
        Column of ``obs`` that must not straddle the split, such as a donor. Empty: a column with a usual name is taken.
    positive
        One class to tell from all others.
    train, val, test
        Three files or objects with a split of their own, in place of ``data``.
    preset
        Name of a preset, such as ``gene_transformer``.
    config
        YAML file, or nested mapping, laid over the preset.
    settings
        Dotted paths to values, laid over both, for example ``{"training.epochs": 5}``.
    output
        Run folder; by default ``runs/NAME-LABEL``.
    overwrite
        Replace a run that is there.
    start_from
        Folder of a pretraining run. Its tokenizer, its vocabulary and the weights of its embedding and encoder are taken over, and
        so is its split, so that no test sample was pretrained on. The same network from scratch is trained beside it.
    resume
        Folder of an interrupted run to finish; everything else then comes from there (AnnData objects must be given again, and so
        must ``network``).
    network
        A network of your own in place of those of genoken: a class, or a function, of ``(num_features, channels, outputs)`` that
        makes a ``torch.nn.Module`` from numbers (samples, features, channels) to (samples, outputs). For tokenizers that emit every
        feature: ``genotype``, or ``continuous`` with ``tokens: all``. Its code is not written into the run folder; give it to
        :func:`genoken.load_run` again. With several processes it must be importable.
    genotypes
        Copies of each variant's counted allele, (samples, variants): 0, 1, 2 and -1 (or NaN) for missing calls, in place of
        ``data``; what :func:`genoken.genotypes` makes of them can be given as ``data`` too.
    labels
        One label per row of ``genotypes``; without them ``label`` names a column of ``samples``.
    variants
        One row per column of ``genotypes``, see :func:`genoken.genotypes`; by default variants are numbered.
    samples
        Ids of the rows of ``genotypes``, or a table of them indexed by id; by default samples are numbered.
    covariates
        Table or numbers (samples, covariates), which are added to ``data.covariates``; a table's columns keep their names.
    show
        Where sentences, tables and progress bars go; by default nowhere.

    Returns
    -------
    Run
        With ``.metrics``, ``.predict``, ``.embed``, ``.explain``.

    Raises
    ------
    GenokenError
        When a setting, the data or the folder cannot be used.
    """
    show = show or Show(quiet=True)
    arrays = Arrays(genotypes, labels, variants, samples, covariates)
    arrays.refuse_contradictions({"data": data, "train": train, "val": val, "test": test}, label)
    data = arrays.cohort() if data is None else data
    if overwrite and is_one_of_several():
        raise ConfigError("a process that torchrun or SLURM started replaces no run", where="--overwrite", remedy="remove it first")
    if resume is not None:
        return _resume(Path(resume), {"data": data, "train": train, "val": val, "test": test}, network, show)
    start = None if start_from is None else read_start(Path(start_from))
    resolved = with_network(_resolved(preset, config, dict(settings or {}), start), network)
    if network is not None and start is not None:
        raise ConfigError("a network of your own cannot start from a pretrained one", remedy="leave out network or start_from")
    phenotypes = joined_paths(resolved.data.phenotypes_file or None)
    label = LABEL if labels is not None else label
    named: dict[str, Any] = {"label": label, "group": group, "positive": positive, "phenotypes_file": phenotypes}
    named["covariates"] = (*resolved.data.covariates, *arrays.covariate_names())
    resolved = replace(resolved, data=replace(resolved.data, **{name: value for name, value in named.items() if value}))
    inputs = named_inputs(data, train, val, test)
    refuse_second_split(inputs, resolved)
    check_settings(resolved)
    folder = Path(output) if output else default_folder(inputs, resolved.data.label)
    if is_first_process():
        named_files = [path for value in inputs.values() for path in paths_of(value)]
        check_new_run(folder, [*named_files, str(start_from or "")], overwrite=overwrite)
    source = read_inputs(inputs, resolved.data)
    job = settle_batch_size(design(source, resolved, start, folder, show))
    if not is_first_process():
        return _follow(job)
    begin_run(
        folder,
        config=dump_yaml(job.config),
        inputs={part: joined_paths(value) for part, value in inputs.items()},
        files=source.files,
        command=typed_command("train"),
        overwrite=overwrite,
        start_from=None if start is None else start.origin,
    )
    try:
        return _holding(_work(job), inputs)
    except GenokenError:
        discard_unless_trained(folder)
        raise


def _resolved(
    preset: str, config: str | Path | Mapping[str, Any] | None, settings: Mapping[str, Any], start: PretrainedStart | None
) -> RunConfig:
    """Return the configuration with what is taken over from a pretrained network."""
    resolved = resolve_config(preset, config, settings, pretrained=None if start is None else start.settings())
    if start is None:
        refuse_without_start(resolved)
    else:
        start.refuse_contradictions(resolved)
    return without_needless_path(resolved)


def _resume(folder: Path, given: Mapping[str, Any], network: NetworkFactory | None, show: Show) -> Run:
    state = read_state(folder)
    if state["status"] == "finished":
        show.line(f"The run in {folder} is finished already.")
        return load_trained(folder, network)
    config = build(RunConfig, read_yaml(folder / "config.yaml"), where=str(folder / "config.yaml"))
    config = with_network(config, network, where=str(folder))
    inputs = {part: named_again(paths) or given.get(part) for part, paths in state["inputs"].items()}
    if not inputs or any(value is None for value in inputs.values()):
        raise RunError("the run was made from an object in memory", where=str(folder), remedy="give the same AnnData object again")
    check_settings(config)
    source = read_inputs(inputs, config.data)
    check_data(source.files, state["data"])
    start = read_start_again(state["start_from"]) if "start_from" in state else None
    job = design(source, config, start, folder, show)
    if not is_first_process():
        return _follow(job)
    show.line(f"Going on with the run in {folder}.")
    return _holding(_work(job), inputs)


def _holding(run: Run, inputs: Mapping[str, Any]) -> Run:
    """Return the run with the AnnData objects that it was made from, so that it can explain itself without being given them."""
    run.objects = {part: value for part, value in inputs.items() if not paths_of(value)}
    return run


def _follow(job: Job) -> Run:
    """Take part in the training of a run that another process writes; return the run once it is whole."""
    fitted = [_fold(job, index) for index in range(len(job.folds))]
    _fit_final(job, fitted)
    _fit_contrast(job)
    wait_for_all()
    return load_trained(job.folder, network_of(job.config))


def _work(job: Job) -> Run:
    """Fit all folds, then write everything that follows from them."""
    with disk_errors(job.folder):
        _announce(job)
        found = examine(job.source, job.config.data, group=job.study.group)
        write_json(job.folder / "check.json", found | {"training_memory_mb": results.memory_estimate_mb(job.config, job.study)})
        results.write_joined(job.folder, job.source.joined)
        results.write_split(job.folder, job.study, job.folds)
        if job.batch_choice is not None:
            write_json(job.folder / "batch_size.json", job.batch_choice)
        fitted = [_fold(job, index) for index in range(len(job.folds))]
        final = _final(job, fitted)
        run = _write_results(job, fitted, final)
        report = run.report()
        finish(job.folder)
    wait_for_all()
    results.show_verdict(job.show, run.metrics)
    job.show.line(f"Report: {report}")
    _raise_failures(job, fitted, final)
    return run


def _write_results(job: Job, fitted: list[FoldResult], final: FoldResult) -> Run:
    """Write everything but the report, and return the run, read back."""
    metrics, pooled = _score(job, fitted)
    metrics |= _contrast(job)
    embedded = _embedded_rows(job)
    results.write_embeddings(job.folder, job.study, final.model, pooled, embedded)
    results.write_gene_embeddings(job.folder, final.model)
    results.write_quality(job.folder, final.model.state)
    write_explanations(job.folder, job.study, job.folds, [found.model for found in fitted], show=job.show)
    history = pd.concat([found.history.assign(fold=index) for index, found in enumerate(fitted)])
    num_devices = job.config.training.devices * job.config.training.nodes
    speed = results.speed_of(history, [found.facts for found in fitted], num_devices=num_devices)
    results.write_history(job.folder, history)
    write_json(job.folder / "metrics.json", metrics | {"speed": speed})
    manifest = results.manifest(job.folder, final.model, final.facts, history, speed, files=job.source.files)
    trained_on = write_trained_on(job.folder, job.study.samples, final.model, job.folds)
    manifest["files"] |= fold_hashes(job.folder, len(job.folds)) | {TRAINED_ON: sha256_of_file(trained_on)}
    command = read_state(job.folder)["command"]
    manifest |= {"start_from": None if job.start is None else job.start.origin}
    write_json(job.folder / "manifest.json", manifest | {"command": command, "created": _now()})
    return load_trained(job.folder, network_of(job.config))


def _raise_failures(job: Job, fitted: list[FoldResult], final: FoldResult) -> None:
    """Raise when training ended early in a fold or in the final model, now that everything is written that could be."""
    found = {f"fold {index + 1}": fold.facts.get("failure") for index, fold in enumerate(fitted)}
    if len(fitted) == 1:
        found = {"": fitted[0].facts.get("failure")}
    else:
        found["the final model"] = str(final.failure) if final.failure else None
    for place, failure in found.items():
        if failure:
            raise TrainingError(f"training ended early{f' in {place}' if place else ''}: {failure}", where=str(job.folder))


def _announce(job: Job) -> None:
    study, show = job.study, job.show
    target = f"{len(study.classes)} classes of '{study.label}'" if study.classes else f"the number '{study.label}'"
    shape = f"{study.samples.num_samples:,} samples x {study.samples.num_features:,} {noun_of_samples(study.samples)}s"
    show.line(f"{study.samples.origin}: {shape}, {study.samples.value_kind} values; predicting {target}.")
    for note in study.notes:
        show.line(f"  {note}.")
    if job.start is not None:
        show.line(f"  Tokenizer and weights are taken over from {job.start.folder}.")
    if not has_numbers(job.config.tokenizer):
        show.line("  The tokens hold no numbers that a linear path could weigh, so the network has none.")
    if hides_order(job.config):
        show.warning("the network does not see the order of the ranks: model.embedding.position is none")
    show.line(f"Split: {split_note(job.config, study, job.folds)}.")
    if many := many_networks_note(job.config, study, job.folds):
        show.line(f"  {many}.")
    if is_leaky(study, job.folds):
        show.warning(f"groups of '{study.group}' are on both sides of the split: scores will be too optimistic")
    show.line(f"Run folder: {job.folder}. Memory while training: about {results.memory_estimate_mb(job.config, study):,.0f} MB.")


def _fold_folder(job: Job, index: int) -> Path:
    return job.folder if len(job.folds) == 1 else job.folder / fold_place(index)


def _fold(job: Job, index: int) -> FoldResult:
    folder = _fold_folder(job, index)
    name = "Training" if len(job.folds) == 1 else f"Fold {index + 1} of {len(job.folds)}"
    is_there = (folder / FACTS).is_file()
    batches = math.ceil(int((job.folds[index] == "train").sum()) / job.config.training.samples_per_batch)
    with job.show.bar(name, total=num_epochs(job.config.training, batches)) as bar:
        found = fit_fold(
            job.config,
            job.study,
            job.folds[index],
            folder,
            start=job.start,
            on_epoch=lambda row: bar.to(row["epoch"] + 1, results.epoch_note(row)),
            save_baselines=len(job.folds) == 1,
        )
    best = found.history[found.history["step"] == found.facts["best_step"]].iloc[0]
    done, note = "was done" if is_there else "done", results.epoch_note(best)
    job.show.line(f"{name}: {done}, best epoch {int(best['epoch']) + 1} of {found.history['epoch'].nunique()} ({note})")
    if smaller := used_batches(found.facts, job.config):
        job.show.warning(smaller)
    if left_out := results.quality_note(found.model.state):
        job.show.line(f"{name}: {left_out}.")
    if outside := found.model.state.facts.get(IN_NO_BLOCK):
        job.show.warning(f"{outside:,} variants are in no block, so that no token tells of them")
    return found


def _final(job: Job, fitted: list[FoldResult]) -> FoldResult:
    """Return the model that the run keeps: the only fold's, or one fitted on all samples of a cross-validation."""
    final = _fit_final(job, fitted)
    if final is None:
        return fitted[0]
    return replace(
        fitted[0], model=read_model(job.folder, network_of(job.config)), history=pd.DataFrame(final.history), failure=final.failure
    )


def _fit_final(job: Job, fitted: list[FoldResult]) -> Fit[Network] | None:
    """Fit a model on all samples of a cross-validation, for as long as the folds needed; nothing for a single split."""
    if len(fitted) == 1:
        return None
    epochs = int(np.median([found.facts["best_epoch"] for found in fitted])) + 1
    # The learning rate takes the course that it took in the folds, although there are more samples and so more steps per epoch.
    planned = int(np.median([found.facts["planned_epochs"] for found in fitted]))
    weights = [found.facts["summand_weights"] for found in fitted]
    val = np.flatnonzero(job.folds[0] == "val")
    used = np.flatnonzero((job.folds != "unused").any(axis=0))
    rows = np.union1d(train_share_of(np.setdiff1d(used, val), job.study, job.config), val)
    with job.show.bar("Final model", total=epochs) as bar:
        final = fit_final(
            job,
            rows,
            val,
            epochs,
            planned_epochs=planned,
            summand_weights=None if weights[0] is None else np.mean(weights, axis=0),
            on_epoch=lambda row: bar.to(row["epoch"] + 1, results.epoch_note(row)),
        )
    which = "all" if len(rows) == len(used) else f"{len(rows):,} of all"
    job.show.line(f"Final model: fitted on {which} {len(used):,} samples for {epochs} epochs (the folds' median)")
    return final


def _score(job: Job, fitted: list[FoldResult]) -> tuple[dict[str, Any], results.Pooled]:
    """Pool the test predictions of all folds, score them, and write them."""
    pooled = results.pool(job.study, job.folds, [found.predictions for found in fitted])
    results.write_predictions(job.folder, job.study, pooled, job.config.evaluation.threshold)
    scored = _evaluate(job, pooled)
    metrics = {
        "task": job.study.task,
        "label": job.study.label,
        "classes": list(job.study.classes),
        "positive": job.study.positive or None,
        "split": split_summary(job.config, job.study, job.folds),
        "verdict": scored["verdict"] + results.trial_note(job.config),
        "test": scored["test"],
        "ablation": scored["ablation"],
        "ablation_difference": scored["ablation_difference"],
        **({SCRATCH: scored[SCRATCH], "scratch_difference": scored["scratch_difference"]} if SCRATCH in scored else {}),
        "leakage": {"findings": results.audit(job.study, job.folds)},
    }
    return metrics, pooled


def _evaluate(job: Job, pooled: results.Pooled) -> dict[str, Any]:
    groups = None if job.study.groups is None else job.study.groups[pooled.rows]
    return evaluate_predictions(
        task=job.study.task,
        labels=job.study.labels[pooled.rows],
        predictions=pooled.predictions,
        classes=job.study.classes,
        groups=groups,
        folds=pooled.folds,
        seed=job.config.training.seed,
        draws=job.config.evaluation.bootstrap,
        threshold=job.config.evaluation.threshold,
        model_words=results.model_words(job.config),
        strata=strata_of(job.config, job.study, pooled.rows),
        is_genotypes=job.study.samples.value_kind == "dosage",
    )


def _contrast(job: Job) -> dict[str, Any]:
    """Score everything again on random samples, where that was asked for and groups make it a contrast."""
    fitted = _fit_contrast(job)
    if fitted is None:
        return {}
    random, found = fitted
    pooled = results.pool(job.study, random.folds, [fold.predictions for fold in found])
    return {"contrast": {"random_split": _evaluate(random, pooled)["test"]}}


def _fit_contrast(job: Job) -> tuple[Job, list[FoldResult]] | None:
    """Fit everything again on random samples; nothing where that was not asked for or there is no group."""
    if job.config.evaluation.contrast == "none" or job.study.groups is None or is_leaky(job.study, job.folds):
        return None
    try:
        split = random_split(job.folds)
        words = random_words(split, job.study, job.folds, job.config.training.seed)
        if len(words) > 1:  # a single split has lost its unused train samples by now
            words = with_train_share(words, job.study, job.config)
    except GenokenError as error:  # what is trained by now must not be lost over it
        job.show.warning(f"no contrast with random samples: {error}")
        return None
    config = replace(job.config, split=split, training=replace(job.config.training, logger="none"))
    random = replace(job, config=config, folds=words, folder=job.folder / "contrast")
    job.show.line("Contrast: the same with random samples held out instead of whole groups.")
    return random, [_fold(random, index) for index in range(len(words))]


def _embedded_rows(job: Job) -> np.ndarray:
    """Return the rows whose states are exported: the test samples, or all of a cross-validation."""
    return np.flatnonzero((job.folds == "test").any(axis=0))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
