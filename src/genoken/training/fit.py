"""Fit one network on one fold."""

from __future__ import annotations

import gc
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
from genoken.training.memory import is_out_of_memory
from genoken.training.module import TrainingModule
from genoken.training.optim import num_epochs
from genoken.training.precision import Precision, choose_device, choose_precision
from genoken.training.processes import (
    OUT_OF_MEMORY,
    check_launch,
    ended_together,
    is_one_of_several,
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
    batches
        Samples per batch and batches per optimizer step that were really used: smaller ones, and more, where memory ran out.
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
    batches: tuple[int, int]
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
    start = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
    compute = (device, precision)
    selection, history, failure = _attempt(network, train, val, task, settings, compute, folder, on_epoch, stop_after)
    while failure is OUT_OF_MEMORY and (smaller := _smaller(settings, folder)) is not None:
        settings = smaller
        network.cpu().load_state_dict(start)
        gc.collect()  # the trainer that failed and its tensors refer to each other
        if device.type == "cuda":
            torch.cuda.empty_cache()
        selection, history, failure = _attempt(network, train, val, task, settings, compute, folder, on_epoch, stop_after)
    if failure is not None:
        if not selection.best_weights:
            raise failure
        failure = TrainingError(failure.message, remedy=f"{failure.remedy}; the best weights so far are kept")
    network.cpu()
    load_weights(network, selection.best_weights)
    network.eval()
    batches = (settings.samples_per_batch, settings.accumulate)
    return Fit(
        network, history.rows, selection.best_epoch, selection.best_step, precision, backend, settings.epochs, batches, failure
    )


def _attempt(
    network: AnyNetwork,
    train: AnyPart,
    val: AnyPart,
    task: Task[AnyPart],
    settings: TrainingSettings,
    compute: tuple[torch.device, Precision],
    folder: Path,
    on_epoch: EpochReader | None,
    stop_after: int,
) -> tuple[WeightSelection, History, TrainingError | None]:
    """Train with batches of one size; return what was kept and noted, and what ended it early."""
    module = TrainingModule(network, task, settings)
    data = TokenDataModule(train, val, task, settings)
    every = 0 if stop_after else batches_between_validations(settings, data)
    selection = WeightSelection(settings.monitor, settings.patience, settings.average_decay, stop_after)
    spawned = starts_processes(settings)
    history = History(None if spawned else on_epoch)
    checkpoints = Checkpoints(folder / "checkpoints", settings.checkpoint_every, settings.keep_last, every)
    trainer = _trainer(settings, *compute, folder, [selection, history, checkpoints], every)
    failure = _run(trainer, module, data, latest_checkpoint(checkpoints.folder))
    if spawned:
        # What the callbacks gathered stayed in the processes; the checkpoint that follows each validation holds it.
        take_up(latest_checkpoint(checkpoints.folder), [selection, history])
        for row in history.rows:
            if on_epoch is not None:
                on_epoch(row)
    return selection, history, failure


def _smaller(settings: TrainingSettings, folder: Path) -> TrainingSettings | None:
    """Return settings with smaller batches to begin again with; ``None`` where that is not possible.

    Where checkpoints are there, training has gone well for so long that they are worth more, and processes that were started from
    outside are left waiting for the one that failed.
    """
    if latest_checkpoint(folder / "checkpoints") is not None or is_one_of_several():
        return None
    return with_smaller_batches(settings)


def with_smaller_batches(settings: TrainingSettings) -> TrainingSettings | None:
    """Return settings with batches half as large and twice as many of them per optimizer step; ``None`` where none are smaller.

    A step sees the same samples as before, so an odd size is divided by its smallest divisor instead.
    """
    size = settings.samples_per_batch
    parts = next((parts for parts in range(2, size + 1) if size % parts == 0), 0)
    if not parts:
        return None
    return replace(
        settings,
        batch_size=size // parts,
        accumulate=settings.accumulate * parts,
        tokens_per_batch=-(-settings.tokens_per_batch // parts),
        eval_batch_size=-(-settings.eval_batch_size // parts),
        limit_batches=settings.limit_batches * parts,
    )


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
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
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

    Samples are worked through from the longest to the shortest, so that a batch holds samples of similar length. Where memory runs
    out, batches are halved.

    Returns
    -------
    tuple
        Class probabilities (samples, classes) or predictions (samples,), float32; and states (samples, width), float32.
    """
    order = np.argsort(-dataset.lengths(), kind="stable")
    predictions: list[np.ndarray] = []
    states: list[np.ndarray] = []
    with computing(network, precision=precision, attention=attention, compile=compile) as device:
        start = 0
        while start < len(order):
            rows = order[start : start + batch_size]
            try:
                result = network(dataset.batch(rows).to(device))
            except RuntimeError as error:
                if not is_out_of_memory(error) or batch_size == 1:
                    raise
                batch_size = -(-batch_size // 2)
                continue
            predictions.append(objective.predict(result.outputs, target).float().cpu().numpy())
            states.append(result.states.float().cpu().numpy())
            start += len(rows)
            if on_batch is not None:
                on_batch({"samples": float(start)})
    back = np.argsort(order, kind="stable")
    return np.concatenate(predictions)[back], np.concatenate(states)[back]
