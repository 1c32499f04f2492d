"""Fit one fold: tokenizer, network, rivals and baselines on the same train rows, predictions for the same test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from genoken.core.config import RunConfig
from genoken.core.errors import TrainingError
from genoken.core.files import read_json, write_json
from genoken.core.tables import write_csv, write_parquet
from genoken.data.dataset import TokenDataset
from genoken.models.network import Network
from genoken.training.fit import Fit, fit
from genoken.training.precision import choose_device, matmul_flops_per_second
from genoken.training.processes import is_first_process
from genoken.training.summands import weigh_summands
from genoken.training.task import SupervisedTask
from genoken.workflows.assemble import Prepared, ValidationScorer, prepare_fold
from genoken.workflows.baselines import fit_baselines, predict_baselines, write_baselines
from genoken.workflows.design import Job
from genoken.workflows.inputs import Study
from genoken.workflows.own_network import NetworkFactory, network_of
from genoken.workflows.rivals import rival_config, rival_name
from genoken.workflows.start import PretrainedStart
from genoken.workflows.store import FittedModel, read_model, write_model
from genoken.workflows.summands import predict_model, predict_summands

OUTPUTS = "outputs.parquet"
FACTS = "fit.json"

EpochReader = Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class FoldResult:
    """What one fold gave.

    Parameters
    ----------
    model
        With the best weights.
    predictions
        Predictor to probabilities (test samples, classes) or values (test samples,); ``model``, baselines, rivals, ablations.
    history
        One row per epoch.
    facts
        Best epoch, planned epochs, precision, attention backend, prediction speed.
    failure
        The error that ended training early, if any.
    """

    model: FittedModel
    predictions: dict[str, np.ndarray]
    history: pd.DataFrame
    facts: dict[str, Any]
    failure: TrainingError | None = None


def fit_fold(
    config: RunConfig,
    study: Study,
    words: np.ndarray,
    folder: Path,
    *,
    on_epoch: EpochReader | None,
    start: PretrainedStart | None = None,
    save_baselines: bool = False,
) -> FoldResult:
    """Fit one fold and write it into ``folder``; a fold that is already there whole is read instead.

    Where several processes train together, only the first predicts the test samples and writes.

    Parameters
    ----------
    config, study
        What to fit on what.
    words
        ``train``, ``val``, ``test`` or ``unused`` for each sample.
    folder
        Receives the model's files, ``history.csv``, ``outputs.parquet``, ``fit.json`` and ``checkpoints/``.
    on_epoch
        Called with each epoch's row.
    start
        A pretrained network to start from; ``None`` for none.
    save_baselines
        Whether ``folder`` also receives ``baselines/NAME.safetensors``: in a run of one split its model is the run's.
    """
    if (folder / FACTS).is_file():
        return _read(folder, study, network_of(config))
    rows = {part: np.flatnonzero(words == part) for part in ("train", "val", "test")}
    prepared = prepare_fold(config, study, rows["train"], start, val=rows["val"])
    fitted = _fit(config, prepared, rows["train"], rows["val"], folder, on_epoch=on_epoch)
    predictions: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {}
    if is_first_process():
        predictions, facts = _predictions(config, prepared, fitted, rows)
        baselines = fit_baselines(config, prepared, rows["train"], rows["val"])
        if save_baselines:
            write_baselines(folder, config, baselines)
        predictions |= predict_baselines(config, baselines, prepared.known.take(rows["test"]))
    for rival in config.evaluation.rivals:
        predictions[rival_name(rival)] = _rival(config, rival, study, rows, folder, start)
    facts |= {"best_epoch": fitted.best_epoch, "best_step": fitted.best_step}
    facts["failure"] = str(fitted.failure) if fitted.failure else None
    facts["matmul_flops_per_second"] = matmul_flops_per_second(choose_device(), fitted.precision.dtype)
    facts["planned_epochs"] = fitted.planned_epochs
    facts["batches"] = list(fitted.batches)
    facts["summand_weights"] = fitted.network.summand_weights.tolist() if fitted.network.linear_path is not None else None
    facts["precision"] = {"used": fitted.precision.name, "reason": fitted.precision.reason}
    facts["attention"] = {"backend": fitted.backend.backend, "reason": fitted.backend.reason}
    result = FoldResult(prepared.model, predictions, pd.DataFrame(fitted.history), facts, fitted.failure)
    if is_first_process():
        _write(folder, result)
    return result


def fit_final(
    job: Job,
    rows: np.ndarray,
    val: np.ndarray,
    epochs: int,
    *,
    planned_epochs: int,
    summand_weights: Sequence[float] | None,
    on_epoch: EpochReader | None,
) -> Fit[Network]:
    """Fit the final model of a cross-validation on all its samples, for as many epochs as the folds needed, and write it.

    ``val`` is part of ``rows``: its scores only go into the history, they choose nothing. The learning rate takes the course of
    ``planned_epochs``, and encoder and linear path weigh what they did in the folds. The settings that are written are the run's
    own. The baselines beside it are tuned on ``val`` while it is held out, then fitted on all rows, and written too.
    """
    config, folder = job.config, job.folder
    prepared = prepare_fold(config, job.study, rows, job.start, val=val)
    course = Course(epochs, planned_epochs, summand_weights)
    fitted = _fit_as_long(config, prepared, rows, val, folder, course, on_epoch=on_epoch)
    if is_first_process():
        write_model(folder, prepared.model)
        write_baselines(folder, config, fit_baselines(config, prepared, np.setdiff1d(rows, val), val, refit=True))
    return fitted


@dataclass(frozen=True)
class Course:
    """How a network is trained whose validation part chooses nothing.

    Parameters
    ----------
    epochs
        Epochs that it is trained for.
    planned_epochs
        Epochs over which the learning rate takes its course.
    summand_weights
        What encoder and linear path weigh; ``None`` without a linear path.
    """

    epochs: int
    planned_epochs: int
    summand_weights: Sequence[float] | None

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Course:
        """Return the course that a fold took up to its best epoch, from the content of its ``fit.json``."""
        return cls(facts["best_epoch"] + 1, facts["planned_epochs"], facts["summand_weights"])


def fit_as_long(config: RunConfig, study: Study, words: np.ndarray, folder: Path, course: Course) -> FittedModel:
    """Return the network fitted on the train part of a split for a given course; ``folder`` receives its checkpoints alone."""
    train, val = (np.flatnonzero(words == part) for part in ("train", "val"))
    prepared = prepare_fold(config, study, train, val=val)
    _fit_as_long(config, prepared, train, val, folder, course, on_epoch=None)
    return prepared.model


def _fit_as_long(
    config: RunConfig,
    prepared: Prepared,
    rows: np.ndarray,
    val: np.ndarray,
    folder: Path,
    course: Course,
    *,
    on_epoch: EpochReader | None,
) -> Fit[Network]:
    """Fit for as many epochs as the course has, whatever validation says."""
    planned = replace(config, training=replace(config.training, epochs=course.planned_epochs))
    fitted = _fit(planned, prepared, rows, val, folder, on_epoch=on_epoch, stop_after=course.epochs)
    if course.summand_weights is not None:
        fitted.network.summand_weights.copy_(torch.tensor(course.summand_weights))
    return fitted


def _fit(
    config: RunConfig,
    prepared: Prepared,
    train: np.ndarray,
    val: np.ndarray,
    folder: Path,
    *,
    on_epoch: EpochReader | None,
    stop_after: int = 0,
) -> Fit[Network]:
    val_part = prepared.dataset(val)
    return fit(
        prepared.model.network,
        prepared.dataset(train),
        val_part,
        task_of(config, prepared, len(train), val_part),
        config.training,
        folder=folder,
        on_epoch=on_epoch,
        stop_after=stop_after,
    )


def task_of(config: RunConfig, prepared: Prepared, num_train: int, val: TokenDataset) -> SupervisedTask:
    """Return what a fold's network is trained for: the objective, scored on the validation part."""
    assert val.labels is not None  # noqa: S101
    target = prepared.model.target
    return SupervisedTask(
        config.objective,
        target,
        config.training,
        num_train,
        val.labels,
        ValidationScorer(target.task, target.classes, config.evaluation.threshold),
        config.model.embedding.token_dropout,
    )


def _predictions(
    config: RunConfig, prepared: Prepared, fitted: Fit[Network], rows: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Weigh the network's summands, then return what it and each of them predict for the test samples, and at what speed."""
    import time

    test = rows["test"]
    dataset, target = prepared.dataset(test), prepared.model.target
    if config.training.weigh_summands:
        weigh_summands(fitted.network, prepared.dataset(rows["val"]), config.objective, target)
    began = time.perf_counter()
    predictions = {"model": predict_model(fitted.network, dataset, config, target)}
    facts = {"predict_samples_per_second": len(test) / max(time.perf_counter() - began, 1e-9)}
    return predictions | predict_summands(fitted.network, dataset, config, target), facts


def _rival(
    config: RunConfig, rival: str, study: Study, rows: dict[str, np.ndarray], folder: Path, start: PretrainedStart | None
) -> np.ndarray:
    """Train another network by the same machinery on the same fold, and return its test predictions."""
    changed = rival_config(config, rival)
    prepared = prepare_fold(changed, study, rows["train"], start, val=rows["val"], from_scratch=True)
    fitted = _fit(changed, prepared, rows["train"], rows["val"], folder / "rivals" / rival, on_epoch=None)
    return _predictions(changed, prepared, fitted, rows)[0]["model"]


def _write(folder: Path, result: FoldResult) -> None:
    write_model(folder, result.model)
    write_csv(folder / "history.csv", result.history)
    columns = {}
    for name, predicted in result.predictions.items():
        for index, column in enumerate(np.atleast_2d(predicted.T)):
            columns[f"{name}|{index}"] = column
    write_parquet(folder / OUTPUTS, pd.DataFrame(columns))
    write_json(folder / FACTS, result.facts)  # last: its presence says that the fold is whole


def _read(folder: Path, study: Study, network: NetworkFactory | None) -> FoldResult:
    table = pd.read_parquet(folder / OUTPUTS)
    predictions: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(str(column).rsplit("|", 1)[0] for column in table):
        columns = [column for column in table if str(column).rsplit("|", 1)[0] == name]
        values = table[columns].to_numpy()
        predictions[name] = values if study.classes else values[:, 0]
    # pandas' usual reader is off by one unit in the last place
    history = pd.read_csv(folder / "history.csv", float_precision="round_trip")
    return FoldResult(read_model(folder, network), predictions, history, read_json(folder / FACTS))
