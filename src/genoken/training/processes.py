"""Training in several processes that are started from here: how they are started, ended, and what comes back from them."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import lightning
import torch
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from genoken.core.config import TrainingSettings
from genoken.core.errors import ConfigError, TrainingError
from genoken.training.checkpoint import read_checkpoint

OUT_OF_MEMORY = TrainingError(
    "the GPU ran out of memory",
    remedy="lower --batch-size (and raise --accumulate), set --tokens-per-batch, or add --gradient-checkpointing",
)


def starts_processes(settings: TrainingSettings) -> bool:
    """Return whether this process starts the others: several devices of one machine, and no torchrun or SLURM that did it."""
    return settings.devices > 1 and settings.nodes == 1 and _launcher() is None


def _launcher() -> TorchElasticEnvironment | SLURMEnvironment | None:
    """Return what torchrun or SLURM says of the processes that it started; ``None`` where this process was started alone."""
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    return SLURMEnvironment() if SLURMEnvironment.detect() else None


def check_launch(settings: TrainingSettings) -> None:
    """Refuse settings that do not fit the processes that are there.

    Raises
    ------
    ConfigError
        When several nodes are named but nothing started processes on them, or other processes were started than are named.
    """
    launcher, wanted = _launcher(), settings.devices * settings.nodes
    if launcher is None and settings.nodes > 1:
        raise ConfigError(
            "nobody started the processes of several nodes",
            where=f"--nodes {settings.nodes}",
            remedy="start genoken by torchrun or by SLURM's srun on each node",
        )
    if launcher is not None and launcher.world_size() != wanted:
        raise ConfigError(
            f"{launcher.world_size()} processes were started, but --devices times --nodes is {wanted}",
            remedy="start one process per device",
        )


def is_one_of_several() -> bool:
    """Return whether torchrun or SLURM started this process together with others."""
    launcher = _launcher()
    return launcher is not None and launcher.world_size() > 1


def place_among_processes() -> tuple[int, int]:
    """Return the number of this process, from 0, and how many torchrun or SLURM started; 0 of 1 where it was started alone."""
    launcher = _launcher()
    return (0, 1) if launcher is None else (launcher.global_rank(), launcher.world_size())


def is_first_process() -> bool:
    """Return whether this process writes the run: the only one, or the first of those that torchrun or SLURM started."""
    launcher = _launcher()
    return launcher is None or launcher.global_rank() == 0


def wait_for_all() -> None:
    """Return when all processes that train together have come here; at once where there is only one."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()


def lightning_strategy(settings: TrainingSettings) -> str:
    """Return Lightning's name for the strategy; its plain ``ddp`` would run the whole command again in each process."""
    return "ddp_spawn" if starts_processes(settings) else settings.strategy


def take_up(checkpoint: Path | None, callbacks: Sequence[lightning.Callback]) -> None:
    """Give callbacks the state that they had in the first process when the checkpoint was written; nothing without one."""
    states = read_checkpoint(checkpoint)["callbacks"] if checkpoint else {}
    for callback in callbacks:
        if callback.state_key in states:
            callback.load_state_dict(states[callback.state_key])


@contextlib.contextmanager
def ended_together(trainer: lightning.Trainer) -> Iterator[None]:
    """Leave no process behind when the block fails, and raise a failure of training in one of them as what it was.

    Raises
    ------
    TrainingError
        When a process raised one, ran out of memory, or ended by itself.
    """
    try:
        yield
    except ProcessRaisedException as error:
        raise _failure(error) or error from error
    except ProcessExitedException as error:
        raise TrainingError(f"a training process ended ({error})", remedy="go on from the last checkpoint with --resume") from error
    except BaseException:
        launcher = trainer.strategy.launcher
        if isinstance(launcher, _MultiProcessingLauncher):
            launcher.kill(signal.SIGKILL)  # checkpoints are whole or absent, so nothing is lost but the work since the last one
        raise


def _failure(error: ProcessRaisedException) -> TrainingError | None:
    """Return the failure that the last line of a process's traceback tells of, or ``None`` for a defect."""
    line = str(error).strip().splitlines()[-1]
    kind, _, text = line.partition(": ")
    if kind.endswith("OutOfMemoryError"):
        return OUT_OF_MEMORY
    if kind == f"{TrainingError.__module__}.{TrainingError.__qualname__}":
        message, _, remedy = text.partition(" — ")
        return TrainingError(message, remedy=remedy)
    return None
