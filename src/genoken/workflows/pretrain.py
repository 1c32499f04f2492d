"""Pretrain: from files without labels to a run folder with a network, and what it knows that no trivial rule does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from genoken.core.components import kind_of
from genoken.core.config import PretrainConfig, build, component_from_dict, dump_yaml, merge, override, read_yaml
from genoken.core.errors import ConfigError, DataError, GenokenError, RunError, TrainingError, suggestion
from genoken.core.random import generator
from genoken.core.samples import Samples
from genoken.data.dataset import TokenDataset
from genoken.models.embeddings import EmbeddingStart, svd_start
from genoken.models.token_network import TokenNetwork
from genoken.training.fit import Fit, fit, planned
from genoken.training.masked import MaskedTask
from genoken.vocabulary.align import align
from genoken.vocabulary.phenotypes import PhenotypeVocabulary
from genoken.workflows import pretraining_results
from genoken.workflows.assemble import preset_content
from genoken.workflows.encoder import Encoder, room_for_phenotypes
from genoken.workflows.files import expand_files
from genoken.workflows.gaussian_start import gaussian_start
from genoken.workflows.inputs import Source
from genoken.workflows.pretrained import (
    PretrainedModel,
    new_network,
    objectives_of,
    read_pretrained,
    statistics_of,
    write_pretrained,
)
from genoken.workflows.pretrained_run import PretrainedRun, load_pretrained
from genoken.workflows.pretraining_parts import read_and_divide
from genoken.workflows.seen import write_known_samples
from genoken.workflows.show import Show
from genoken.workflows.state import begin_run, check_data, discard_unless_trained, disk_errors, finish, read_state
from genoken.workflows.typed import typed_command

if TYPE_CHECKING:
    from anndata import AnnData

Files = str | Path | Sequence[str | Path]
"""One name or several, with ``*`` and ``{0..43}``."""


@dataclass(frozen=True)
class _Job:
    """A pretraining run that is being made."""

    config: PretrainConfig
    source: Source
    words: np.ndarray
    folder: Path
    start_from: Path | None
    show: Show


@dataclass(frozen=True)
class _Prepared:
    """What is learned before the weights, and the samples as tokens."""

    model: PretrainedModel
    dataset: TokenDataset
    rows: dict[str, np.ndarray]

    def part(self, name: str) -> TokenDataset:
        """Return the samples of one part."""
        return self.dataset.take(self.rows[name])


def pretrain(  # noqa: PLR0913 - the one call that a user makes
    data: Files | AnnData | None = None,
    *,
    evaluate_on: Files | None = None,
    group: str = "",
    phenotypes: Sequence[str] = (),
    preset: str = "",
    config: str | Path | Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
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
        Names of files, with patterns such as ``shard_{0..43}.h5ad``, or an AnnData object.
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
        Dotted paths to values, laid over both.
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
    if resume is not None:
        return _resume(Path(resume), data, show)
    resolved = resolve_pretraining(preset, config, dict(settings or {}))
    columns = tuple(phenotypes) or resolved.data.phenotypes
    resolved = replace(resolved, data=replace(resolved.data, group=group or resolved.data.group, phenotypes=columns))
    if data is None:
        raise ConfigError("no file to pretrain on is named", remedy="for example: genoken pretrain cells_*.h5ad")
    paths = _paths(data, evaluate_on)
    source, words = read_and_divide(data, paths, resolved)
    resolved = _settled(resolved, source.samples)
    folder = Path(output) if output else Path("runs") / f"pretrained-{paths['data'][0].stem if paths['data'] else 'anndata'}"
    inputs = {"data": _joined(paths["data"]), "eval": _joined(paths["eval"]), "from": str(start_from or "")}
    begin_run(
        folder,
        config=dump_yaml(resolved),
        inputs=inputs,
        files=source.files,
        command=typed_command("pretrain"),
        overwrite=overwrite,
    )
    try:
        return _work(_Job(resolved, source, words, folder, Path(start_from) if start_from else None, show))
    except GenokenError:
        discard_unless_trained(folder)
        raise


def resolve_pretraining(preset: str, config: str | Path | Mapping[str, Any] | None, settings: Mapping[str, Any]) -> PretrainConfig:
    """Lay defaults, a preset, a configuration and single settings over each other, in this order.

    Raises
    ------
    ConfigError
        When the preset does not exist, or any name or value is wrong.
    """
    content, where = preset_content(preset, pretraining=True)
    if config is not None:
        if not isinstance(config, Mapping):
            where = str(config)
        content = merge(content, config if isinstance(config, Mapping) else read_yaml(Path(config)))
    found: PretrainConfig = build(PretrainConfig, override(content, settings), where=where)
    kinds = list(objectives_of(found))
    if len(kinds) != len(found.objectives):
        raise ConfigError("an objective is named twice", where=where, remedy="name each once, with its weight")
    return found


def _paths(data: Files | AnnData, evaluate_on: Files | None) -> dict[str, list[Path]]:
    return {"data": _expanded(data), "eval": _expanded(evaluate_on)}


def _expanded(names: Files | AnnData | None) -> list[Path]:
    if isinstance(names, (str, Path)):
        return expand_files([names])
    return expand_files(names) if isinstance(names, (list, tuple)) and names else []


def _joined(paths: Sequence[Path]) -> str:
    return "\n".join(str(path.resolve()) for path in paths)


def _settled(config: PretrainConfig, samples: Samples) -> PretrainConfig:
    """Return the configuration with what was left to the data: the objectives."""
    data = config.data
    missing = [name for name in data.phenotypes if name not in samples.table]
    if missing:
        near = suggestion(missing[0], [str(name) for name in samples.table], "columns")
        raise DataError(f"no file has the phenotype '{missing[0]}' in obs", where=samples.origin, remedy=near)
    objectives = config.objectives
    if not objectives:
        tokenizer: Any = config.tokenizer
        has_no_value = kind_of(tokenizer) == "rank" and tokenizer.order == "rank_order"
        kind = "masked_feature" if has_no_value else "masked_value"
        chosen = [kind, *(["phenotype"] if data.phenotypes else [])]
        objectives = tuple(component_from_dict("objectives", name) for name in chosen)
    return replace(config, objectives=objectives)


def _resume(folder: Path, data: Any, show: Show) -> PretrainedRun:
    state = read_state(folder, pretraining=True)
    if state["status"] == "finished":
        show.line(f"The run in {folder} is finished already.")
        return load_pretrained(folder)
    config = build(PretrainConfig, read_yaml(folder / "config.yaml"), where=str(folder / "config.yaml"))
    paths = {part: [Path(name) for name in state["inputs"][part].split("\n") if name] for part in ("data", "eval")}
    if not paths["data"] and data is None:
        raise RunError("the run was made from an object in memory", where=str(folder), remedy="give the same AnnData object again")
    source, words = read_and_divide(data, paths, config)
    check_data(source.files, state["data"])
    show.line(f"Going on with the run in {folder}.")
    start_from = Path(state["inputs"]["from"]) if state["inputs"]["from"] else None
    return _work(_Job(config, source, words, folder, start_from, show))


def _work(job: _Job) -> PretrainedRun:
    """Train, then write everything that follows from it."""
    with disk_errors(job.folder):
        prepared = _prepare(job)
        _announce(job, prepared)
        pretraining_results.write_split(job.folder, job.source.samples, job.words, job.config.data.group)
        write_known_samples(job.folder, job.source.samples, prepared.model, job.words, earlier=job.start_from)
        fitted = _fit(job, prepared)
        write_pretrained(job.folder, prepared.model)
        run = pretraining_results.write_results(
            job.folder,
            prepared.model,
            prepared.dataset,
            prepared.rows,
            job.source,
            fitted,
            task=_task(job, prepared),
            show=job.show,
        )
        finish(job.folder)
    job.show.line()
    job.show.strong(run.metrics["verdict"])
    job.show.line(f"Report: {job.folder / 'report.html'}")
    if fitted.failure:
        raise TrainingError(f"training ended early: {fitted.failure}", where=str(job.folder))
    return run


def _prepare(job: _Job) -> _Prepared:
    """Fit tokenizer and phenotypes on the train part, and start the network, or take both from an earlier run."""
    samples, config = job.source.samples, job.config
    rows = {part: np.flatnonzero(job.words == part) for part in ("train", "val", "test")}
    train = samples.take(rows["train"])
    if job.start_from is not None:
        return _continued(job, rows)
    phenotypes = None
    if config.data.phenotype_map:
        phenotypes = PhenotypeVocabulary.read(Path(config.data.phenotype_map))
    elif config.data.phenotypes:
        phenotypes = PhenotypeVocabulary.fit(train.table, config.data.phenotypes, where=samples.origin)
    encoder, found = Encoder.of_samples(room_for_phenotypes(config.tokenizer, phenotypes), train, phenotypes)
    if found.missing:  # a vocabulary from a file
        job.show.line(f"  {found.line}.")
    dataset = encoder.dataset(samples, found.columns)
    units = None if not config.data.group else train.table[config.data.group].astype(str).to_numpy()
    network = new_network(config, dataset, _start(config, dataset.take(rows["train"]), units))
    return _Prepared(PretrainedModel(config, encoder.state, encoder.symbols, phenotypes, network), dataset, rows)


def _start(config: PretrainConfig, train: TokenDataset, units: np.ndarray | None) -> EmbeddingStart:
    features = None
    if config.model.embedding.init == "svd":
        width = config.model.width // 2 if config.model.embedding.combine == "concatenate" else config.model.width
        features = svd_start(sp.csr_matrix(train.prepared), width, config.training.seed)
    start = EmbeddingStart.from_state(train.state.per_feature, features)
    return replace(start, gaussian=gaussian_start(config, train, units) if config.model.linear_path else None)


def _continued(job: _Job, rows: dict[str, np.ndarray]) -> _Prepared:
    """Return the vocabulary and the weights of an earlier run, with this one's objectives where they are the same."""
    assert job.start_from is not None  # noqa: S101
    earlier, samples = read_pretrained(job.start_from), job.source.samples
    for name in ("tokenizer", "model"):
        if getattr(earlier.config, name) != getattr(job.config, name):
            raise ConfigError(
                f"the earlier run has another '{name}'", where=str(job.start_from), remedy=f"give this one the same {name} settings"
            )
    found = align(
        earlier.state.feature_ids,
        samples.features,
        minimum_coverage=job.config.data.min_coverage,
        where=samples.origin,
        symbols=earlier.symbols,
    )
    job.show.line(f"  {found.line}.")
    dataset = earlier.dataset(samples, found.columns)
    network = new_network(job.config, dataset, EmbeddingStart.from_state(earlier.state.per_feature))
    network.load_state_dict(earlier.network.state_dict(), strict=False)
    return _Prepared(replace(earlier, config=job.config, network=network), dataset, rows)


def _task(job: _Job, prepared: _Prepared) -> MaskedTask:
    train = prepared.part("train")
    return MaskedTask(
        objectives_of(job.config),
        prepared.dataset.layout,
        train,
        num_held_out=len(prepared.rows["val"]),
        num_epochs=planned(job.config.training, train).epochs,
        seed=job.config.training.seed,
        statistics=statistics_of(prepared.model.state),
    )


def _fit(job: _Job, prepared: _Prepared) -> Fit[TokenNetwork]:
    train, task = prepared.part("train"), _task(job, prepared)
    for part in ("train", "val", "test"):
        _refuse_without_targets(task, prepared.part(part), part, job.source.samples.origin)
    probe = prepared.rows["train"][_probe(len(prepared.rows["train"]), len(prepared.rows["val"]), job.config.training.seed)]
    val = prepared.dataset.take(np.concatenate([prepared.rows["val"], probe]))
    with job.show.bar("Pretraining", total=task.num_epochs) as bar:
        return fit(
            prepared.model.network,
            train,
            val,
            task,
            job.config.training,
            folder=job.folder,
            on_epoch=lambda row: bar.to(row["epoch"] + 1, pretraining_results.epoch_note(row)),
        )


def _refuse_without_targets(task: MaskedTask, part: TokenDataset, name: str, where: str) -> None:
    """Refuse a part in which one of the objectives asks for nothing: there would be no loss to learn from, or to judge by."""
    for kind in sorted(task.without_targets(part)):
        raise DataError(
            f"nothing is hidden: the objective '{kind}' finds no token to ask for in the {len(part):,} {name} samples",
            where=where,
            remedy="hide a larger share (objective's probability), or hold out more samples (data.test, data.val)",
        )


def _probe(num_train: int, count: int, seed: int) -> np.ndarray:
    """Return train samples on which the loss is taken just as on those held out."""
    return np.sort(generator(seed, "train_part").choice(num_train, min(count, num_train), replace=False))


def _announce(job: _Job, prepared: _Prepared) -> None:
    samples, show = job.source.samples, job.show
    shape = f"{samples.num_samples:,} samples x {samples.num_features:,} features"
    show.line(f"{samples.origin}: {shape}, {samples.value_kind} values.")
    for note in samples.notes:
        show.line(f"  {note}.")
    parts = " / ".join(f"{len(rows):,} {part}" for part, rows in prepared.rows.items())
    unit = f"whole values of '{job.config.data.group}'" if job.config.data.group else "single samples"
    show.line(f"Held out by {unit}: {parts}.")
    lengths = prepared.dataset.lengths()
    show.line(
        f"{len(prepared.model.state.feature_ids):,} features in the vocabulary, "
        f"{np.median(lengths):,.0f} tokens per sample (median)."
    )
    num_special = 1 + (0 if prepared.model.phenotypes is None else len(prepared.model.phenotypes.columns) + 1)
    bare = int((lengths <= num_special).sum())
    if bare:
        show.line(f"  {bare:,} samples have no token of a feature, so that none can be hidden in them.")
    truncated = pretraining_results.share_truncated(prepared.dataset, job.config.training.seed)
    if truncated:
        show.line(f"  {truncated:.1%} of the tokens of features are beyond max_tokens and cut off.")
    if prepared.model.phenotypes is not None:
        for column, values in prepared.model.phenotypes.count_new(samples.table).items():
            if values:
                count = sum(values.values())
                show.line(f"  {count:,} samples have a '{column}' that the train samples lack; it counts as unknown.")
    show.line(f"Run folder: {job.folder}.")
