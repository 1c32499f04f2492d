"""Pretrain: from files without labels to a run folder with a network, and what it knows that no trivial rule does."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genoken.core.config import PretrainConfig, build, dump_yaml, read_yaml
from genoken.core.errors import ConfigError, GenokenError, RunError, TrainingError
from genoken.core.samples import Samples
from genoken.data.pairs import CellPairs
from genoken.evaluation.next_cell_verdict import leak_sentence
from genoken.workflows import pretraining_results
from genoken.workflows.held_out_words import parts_in_words
from genoken.workflows.next_cell import Controls, trained_on_controls
from genoken.workflows.next_cell_folder import folder_named
from genoken.workflows.preparation import divided, prepare, requested
from genoken.workflows.prepared import Prepared
from genoken.workflows.pretrained import write_pretrained
from genoken.workflows.pretrained_run import PretrainedRun, load_pretrained
from genoken.workflows.pretraining_data import Files, Reading, cache_of, files_of, read_pretraining
from genoken.workflows.pretraining_fit import task_of, train_prepared
from genoken.workflows.pretraining_parts import Division
from genoken.workflows.pretraining_request import Hiding, check_phenotypes
from genoken.workflows.results import write_joined
from genoken.workflows.seen import write_known_samples
from genoken.workflows.show import Show
from genoken.workflows.start import PretrainedStart, read_start, read_start_again
from genoken.workflows.state import (
    begin_run,
    check_data,
    check_new_run,
    discard_unless_trained,
    disk_errors,
    finish,
    forget_replaced,
    read_state,
)
from genoken.workflows.typed import typed_command

if TYPE_CHECKING:
    from anndata import AnnData


_NO_CONTROLS = (
    "Whether the direction of time was learned was not checked: the network goes on from one that had successors, "
    "and so would controls."
)


@dataclass(frozen=True)
class _Job:
    """A pretraining run that is being made."""

    config: PretrainConfig
    division: Division
    folder: Path
    start: PretrainedStart | None
    show: Show

    @property
    def samples(self) -> Samples:
        """All samples of the run."""
        return self.division.source.samples


def pretrain(  # noqa: PLR0913 - the one call that a user makes
    data: Files | AnnData | None = None,
    *,
    evaluate_on: Files | None = None,
    group: str = "",
    phenotypes: Sequence[str] = (),
    preset: str = "",
    config: str | Path | Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    mask_probability: float | None = None,
    mask_share: float | None = None,
    random_share: float | None = None,
    start_from: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: str | Path | None = None,
    show: Show | None = None,
) -> PretrainedRun:
    """Pretrain a network on hidden tokens, hold it against trivial floors on samples held out, and write a report.

    Parameters
    ----------
    data
        Names of files, with patterns such as ``shard_{0..43}.h5ad``, or an AnnData object; or one folder of next-cell data,
        ``{train,val,test}/{data.h5ad,neighbors.json,medians.json,geneformer.vocab}``, whose parts stay as they are.
    evaluate_on
        Files to report on in place of samples held out.
    group
        Column of ``obs`` whose values are held out whole, such as a donor or a compound.
    phenotypes
        Columns of ``obs`` that become tokens in front of the features.
    preset
        Name of a preset, such as ``l1000_rank``.
    config
        YAML file, or nested mapping, laid over the preset.
    settings
        Dotted paths to values, laid over both. Objectives that are named keep the options that they have there.
    mask_probability
        Share of the features' tokens to hide, for every objective that hides features; ``None``: as they are.
    mask_share, random_share
        Shares of the hidden tokens that are masked, and replaced by others, for the same objectives; the rest is kept as it is.
    start_from
        An earlier pretraining run, whose vocabulary and weights this one goes on with.
    output
        Run folder; by default ``runs/pretrained-NAME``.
    overwrite
        Replace a run that is there.
    resume
        Folder of an interrupted run to finish; everything else then comes from there (an AnnData object must be given again).
    show
        Where sentences and progress bars go; by default nowhere.

    Raises
    ------
    GenokenError
        When a setting, the data or the folder cannot be used.
    """
    show = show or Show(quiet=True)
    data = None if isinstance(data, (list, tuple)) and not data else data
    if resume is not None:
        return _resume(Path(resume), data, show)
    start = None if start_from is None else read_start(Path(start_from))
    resolved = requested(
        data,
        group=group,
        phenotypes=phenotypes,
        preset=preset,
        config=config,
        settings=dict(settings or {}),
        hiding=Hiding(mask_probability, mask_share, random_share),
        start=start,
    )
    if data is None:
        raise ConfigError("no file to pretrain on is named", remedy="for example: genoken pretrain cells_*.h5ad")
    paths = files_of(data, evaluate_on)
    folder = Path(output) if output else Path("runs") / f"pretrained-{_stem(data, paths['data'])}"
    check_new_run(folder, [*map(str, paths["data"]), *map(str, paths["eval"]), str(start_from or "")], overwrite=overwrite)
    reading = read_pretraining(data, paths, resolved.data)
    check_phenotypes(resolved, reading.source.samples)
    inputs = {part: _joined(named) for part, named in paths.items()}
    begin_run(
        folder,
        config=dump_yaml(resolved),
        inputs=inputs,
        files=reading.source.files,
        command=typed_command("pretrain"),
        overwrite=overwrite,
        start_from=None if start is None else start.origin,
        keep_replaced=True,
    )
    try:
        return _work(resolved, reading, data, start, folder=folder, show=show)
    except GenokenError:
        discard_unless_trained(folder)
        raise


def _stem(data: Files | AnnData, paths: Sequence[Path]) -> str:
    """Return the name of what is pretrained on, without its ending."""
    return folder.name if (folder := folder_named(data)) is not None else paths[0].stem if paths else "anndata"


def _joined(paths: Sequence[Path]) -> str:
    return "\n".join(str(path.resolve()) for path in paths)


def _resume(folder: Path, data: Any, show: Show) -> PretrainedRun:
    state = read_state(folder, pretraining=True)
    if state["status"] == "finished":
        show.line(f"The run in {folder} is finished already.")
        return load_pretrained(folder)
    config = build(PretrainConfig, read_yaml(folder / "config.yaml"), where=str(folder / "config.yaml"))
    paths = {part: [Path(name) for name in state["inputs"].get(part, "").split("\n") if name] for part in ("data", "val", "eval")}
    if not paths["data"] and data is None:
        raise RunError("the run was made from an object in memory", where=str(folder), remedy="give the same AnnData object again")
    start = read_start_again(state["start_from"]) if "start_from" in state else None
    reading = read_pretraining(data, paths, config.data)
    check_data(reading.source.files, state["data"])
    show.line(f"Going on with the run in {folder}.")
    return _work(config, reading, data, start, folder=folder, show=show)


def _work(
    config: PretrainConfig, reading: Reading, data: Any, start: PretrainedStart | None, *, folder: Path, show: Show
) -> PretrainedRun:
    """Divide the samples, train, then write everything that follows from it."""
    with disk_errors(folder):
        with cache_of(folder) as cache:
            if reading.joint is not None:
                show.line(f"The values would take {reading.gigabytes:,.1f} GB of memory and are kept on disk during the run.")
            division = divided(reading, config, data, start, cache=cache, show=show)
            run, failure = _pretrained(_Job(config, division, folder, start, show))
        finish(folder)
    show.line()
    show.strong(run.metrics["verdict"])
    show.line(f"Report: {folder / 'report.html'}")
    if failure:
        raise TrainingError(f"training ended early: {failure}", where=str(folder))
    return run


def _pretrained(job: _Job) -> tuple[PretrainedRun, TrainingError | None]:
    """Train and write the run; return with it what ended training early, if anything did."""
    prepared = prepare(job.division, job.config, job.start, job.show)
    _announce(job, prepared)
    write_joined(job.folder, job.division.source.joined)
    pretraining_results.write_split(job.folder, job.samples, job.division.words, job.config.data.group)
    earlier = None if job.start is None else job.start.folder
    write_known_samples(job.folder, job.samples, prepared.model, job.division.words, earlier=earlier)
    start = copy.deepcopy(prepared.model.network)
    task, train = task_of(prepared, where=job.samples.origin)
    forget_replaced(job.folder)
    fitted = train_prepared(prepared, task, train, folder=job.folder, show=job.show)
    del train
    write_pretrained(job.folder, prepared.model)
    controls = Controls(start, {})
    if job.start is not None and job.start.model.config.successors.key:
        controls = Controls(start, {}, _NO_CONTROLS)  # they would begin from weights that have learned from true successors
    elif not fitted.failure:
        controls = trained_on_controls(prepared, start, job.division, task, folder=job.folder, show=job.show)
    run = pretraining_results.write_results(
        job.folder, prepared, job.division.source, fitted, task=task, controls=controls, show=job.show
    )
    return run, fitted.failure


def _announce(job: _Job, prepared: Prepared) -> None:
    samples, show = job.samples, job.show
    shape = f"{samples.num_samples:,} samples x {samples.num_features:,} features"
    show.line(f"{samples.origin}: {shape}, {samples.value_kind} values.")
    for note in samples.notes:
        show.line(f"  {note}.")
    parts = " / ".join(f"{len(rows):,} {part}" for part, rows in prepared.rows.items())
    files = pretraining_results.part_files(job.folder)
    show.line(f"{parts_in_words(job.config.data.group, files['eval'], files['val'])}: {parts}.")
    lengths = prepared.dataset.lengths()
    show.line(
        f"{len(prepared.model.state.feature_ids):,} features in the vocabulary, "
        f"{np.median(lengths):,.0f} tokens per sample (median)."
    )
    num_special = 1 + (0 if prepared.model.phenotypes is None else len(prepared.model.phenotypes.columns) + 1)
    bare = int((lengths <= num_special).sum())
    if bare:
        show.line(f"  {bare:,} samples have no token of a feature, so that none can be hidden in them.")
    if prepared.pairs is not None:
        _announce_pairs(prepared, prepared.pairs, show)
    truncated = pretraining_results.share_truncated(prepared.whole, job.config.training.seed)
    if truncated:
        show.line(f"  {truncated:.1%} of the tokens of features are beyond max_tokens and cut off.")
    if prepared.model.phenotypes is not None:
        for column, values in prepared.model.phenotypes.count_new(samples.table).items():
            if values:
                count = sum(values.values())
                show.line(f"  {count:,} samples have a '{column}' that the train samples lack; it counts as unknown.")
    show.line(f"Run folder: {job.folder}.")


def _announce_pairs(prepared: Prepared, pairs: CellPairs, show: Show) -> None:
    parts = " / ".join(f"{len(items):,} {part}" for part, items in prepared.items.items())
    noun = (
        "pairs of a cell and a successor" if pairs.following is not None else "cells with successors, of which each epoch draws one"
    )
    show.line(f"{parts} {noun}; {pairs.successors.num_edges:,} edges.")
    if prepared.edges_across_parts:
        show.line(f"  {prepared.edges_across_parts:,} edges lead from one part of the split to another and are left out.")
    without = prepared.dataset.prepared.shape[0] - len(np.unique(pairs.current))
    if without:
        show.line(f"  {without:,} cells have no successor within their part and are left out.")
    if pairs.settings.attention == "full":
        show.warning(leak_sentence("full"))
