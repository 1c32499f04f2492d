"""Fit one network on one fold."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import lightning
import numpy as np
import torch
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.profilers import Profiler, SimpleProfiler

from genoken.core.config import TrainingSettings
from genoken.core.contracts import Objective, TargetState
from genoken.core.errors import MissingExtraError, TrainingError
from genoken.data.dataset import AnyPart, Part, TokenDataset
from genoken.data.order import cut_batches
from genoken.models.layers.attention import BackendChoice, choose_backend
from genoken.models.network import Network, set_gradient_checkpointing
from genoken.models.token_network import TokenNetwork
from genoken.training.checkpoint import SafeCheckpointIO, latest_checkpoint
from genoken.training.computing import computing
from genoken.training.datamodule import TokenDataModule
from genoken.training.module import TrainingModule
from genoken.training.optim import num_epochs
from genoken.training.precision import Precision, choose_device, choose_precision
from genoken.training.processes import (
    OUT_OF_MEMORY,
    check_launch,
    ended_together,
    lightning_strategy,
    starts_processes,
    take_up,
)
from genoken.training.progress import Checkpoints, EpochReader, History
from genoken.training.selection import WeightSelection, load_weights
from genoken.training.task import Task

AnyNetwork = TypeVar("AnyNetwork", Network, TokenNetwork)


@dataclass(frozen=True)
class Fit(Generic[AnyNetwork]):
    """A fitted network.

    Parameters
    ----------
    network
        With the best weights in place.
    history
        One row per epoch.
    best_epoch, best_step
        The epoch (from 0) and the optimizer step whose weights were kept.
    precision, backend
        What was really used, and why.
    planned_epochs
        Epochs over which the learning rate takes its course.
    failure
        The error that ended training early with the best weights so far kept; ``None`` if there was none.
    """

    network: AnyNetwork
    history: list[dict[str, float]]
    best_epoch: int
    best_step: int
    precision: Precision
    backend: BackendChoice
    planned_epochs: int
    failure: TrainingError | None = None


def choose_compute(network: AnyNetwork, settings: TrainingSettings) -> tuple[torch.device, Precision, BackendChoice]:
    """Return device, precision and attention backend with which a network is trained here.

    Raises
    ------
    ConfigError
        When the precision or the backend that is asked for cannot be used.
    """
    device = choose_device()
    precision = choose_precision(settings.precision, device)
    attention_dropout = max((layer.dropout for layer in network.attention_layers()), default=0.0)
    return device, precision, choose_backend(settings.attention, device, precision.dtype, attention_dropout)


def fit(
    network: AnyNetwork,
    train: AnyPart,
    val: AnyPart,
    task: Task[AnyPart],
    settings: TrainingSettings,
    *,
    folder: Path,
    on_epoch: EpochReader | None = None,
    stop_after: int = 0,
) -> Fit[AnyNetwork]:
    """Train a network and put the best weights in place; goes on from the newest checkpoint in ``folder`` if there is one.

    Parameters
    ----------
    network
        Freshly started.
    train, val
        The two parts.
    task
        What is learned.
    settings
        How.
    folder
        Receives ``checkpoints/`` and the logger's files.
    on_epoch
        Called with each epoch's row; with all of them after training where several processes are started from here.
    stop_after
        Epochs after which training ends and the last weights are kept, whatever validation says; the learning rate takes the course
        of all ``settings.epochs``. 0: validation decides.

    Raises
    ------
    TrainingError
        When the loss is not finite, or memory runs out, before any epoch was validated.
    ConfigError
        When other processes were started than the settings name.
    """
    check_launch(settings)
    # Lightning's notes on devices, tips and limits would stand between a user and the verdict.
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    device, precision, backend = choose_compute(network, settings)
    network.set_attention_backend(backend.backend)
    set_gradient_checkpointing(network, settings.gradient_checkpointing)
    settings = planned(settings, train)
    module = TrainingModule(network, task, settings)
    data = TokenDataModule(train, val, task, settings)
    every = 0 if stop_after else batches_between_validations(settings, data)
    selection = WeightSelection(settings.monitor, settings.patience, settings.average_decay, stop_after)
    spawned = starts_processes(settings)
    history = History(None if spawned else on_epoch)
    checkpoints = Checkpoints(folder / "checkpoints", settings.checkpoint_every, settings.keep_last, every)
    trainer = _trainer(settings, device, precision, folder, [selection, history, checkpoints], every)
    failure = _run(trainer, module, data, latest_checkpoint(checkpoints.folder))
    if spawned:
        # What the callbacks gathered stayed in the processes; the checkpoint that follows each validation holds it.
        take_up(latest_checkpoint(checkpoints.folder), [selection, history])
        for row in history.rows:
            if on_epoch is not None:
                on_epoch(row)
    if failure is not None:
        if not selection.best_weights:
            raise failure
        failure = TrainingError(failure.message, remedy=f"{failure.remedy}; the best weights so far are kept")
    network.cpu()
    load_weights(network, selection.best_weights)
    network.eval()
    return Fit(network, history.rows, selection.best_epoch, selection.best_step, precision, backend, settings.epochs, failure)


def planned(settings: TrainingSettings, train: Part) -> TrainingSettings:
    """Return the settings with the number of epochs that ``epochs: 0`` stands for on these samples."""
    batches = cut_batches(
        np.arange(len(train)), train.lengths(), batch_size=settings.samples_per_batch, tokens_per_batch=settings.tokens_per_batch
    )
    num_batches = min(len(batches), settings.limit_batches or len(batches))
    return replace(settings, epochs=num_epochs(settings, num_batches))


def batches_between_validations(settings: TrainingSettings, data: TokenDataModule[AnyPart]) -> int:
    """Return after how many batches validation follows, at least once in a run; 0: after each epoch."""
    if not settings.evaluate_every:
        return 0
    in_run = settings.epochs * data.num_batches(settings.devices * settings.nodes)
    return max(1, min(settings.evaluate_every * settings.accumulate, in_run))


def _run(
    trainer: lightning.Trainer, module: TrainingModule, data: TokenDataModule[AnyPart], checkpoint: Path | None
) -> TrainingError | None:
    try:
        with warnings.catch_warnings():
            # Lightning advises on worker processes and progress bars that do not apply to loaders made of threads.
            warnings.filterwarnings("ignore", module="lightning")
            warnings.filterwarnings("ignore", message=".*isinstance.treespec.*")
            with ended_together(trainer):
                trainer.fit(module, datamodule=data, ckpt_path=str(checkpoint) if checkpoint else None)
    except TrainingError as error:
        return error
    except torch.cuda.OutOfMemoryError:
        return OUT_OF_MEMORY
    return None


def _trainer(
    settings: TrainingSettings,
    device: torch.device,
    precision: Precision,
    folder: Path,
    callbacks: list[lightning.Callback],
    every: int,
) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator=device.type,
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy=lightning_strategy(settings),
        precision=precision.lightning,  # type: ignore[arg-type]
        max_epochs=settings.epochs,
        val_check_interval=every or 1.0,
        check_val_every_n_epoch=None if every else 1,
        accumulate_grad_batches=settings.accumulate,
        callbacks=callbacks,
        logger=_logger(settings, folder),
        plugins=[SafeCheckpointIO()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        deterministic=precision.name == "fp32" and not torch.cuda.is_available(),
        benchmark=False,
        profiler=_profiler(settings, folder),
        default_root_dir=folder,
        log_every_n_steps=1,
    )


def _profiler(settings: TrainingSettings, folder: Path) -> Profiler | None:
    if not settings.profile:
        return None
    return SimpleProfiler(dirpath=folder, filename="profile", extended=True)


def _logger(settings: TrainingSettings, folder: Path) -> Logger | bool:
    if settings.logger == "none":
        return False
    if settings.logger == "csv":
        return CSVLogger(save_dir=folder, name="logs", version="")
    if settings.logger == "tensorboard":
        return TensorBoardLogger(save_dir=folder, name="logs", version="")
    try:
        from lightning.pytorch.loggers import WandbLogger

        return WandbLogger(save_dir=folder, project="genoken")
    except ModuleNotFoundError as error:
        raise MissingExtraError("wandb", "track") from error


def predict(
    network: Network,
    dataset: TokenDataset,
    objective: Objective,
    target: TargetState,
    *,
    batch_size: int,
    precision: str = "auto",
    attention: str = "auto",
    compile: bool = False,  # noqa: A002 - the option's public name
    on_batch: EpochReader | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions and pooled states of a data set.

    Samples are worked through from the longest to the shortest, so that a batch holds samples of similar length.

    Returns
    -------
    tuple
        Class probabilities (samples, classes) or predictions (samples,), float32; and states (samples, width), float32.
    """
    order = np.argsort(-dataset.lengths(), kind="stable")
    predictions: list[np.ndarray] = []
    states: list[np.ndarray] = []
    with computing(network, precision=precision, attention=attention, compile=compile) as device:
        for start in range(0, len(order), batch_size):
            batch = dataset.batch(order[start : start + batch_size]).to(device)
            result = network(batch)
            predictions.append(objective.predict(result.outputs, target).float().cpu().numpy())
            states.append(result.states.float().cpu().numpy())
            if on_batch is not None:
                on_batch({"samples": float(min(start + batch_size, len(order)))})
    back = np.argsort(order, kind="stable")
    return np.concatenate(predictions)[back], np.concatenate(states)[back]
