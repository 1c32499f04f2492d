"""Training in several processes that are started from here: how they are started, ended, and what comes back from them."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import lightning
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from genoken.core.config import TrainingSettings
from genoken.core.errors import TrainingError
from genoken.training.checkpoint import read_checkpoint

OUT_OF_MEMORY = TrainingError(
    "the GPU ran out of memory",
    remedy="lower --batch-size (and raise --accumulate), set --tokens-per-batch, or add --gradient-checkpointing",
)


def starts_processes(settings: TrainingSettings) -> bool:
    """Return whether this process starts the others: several devices of one machine, and no torchrun or SLURM that did it."""
    is_one_of_many = TorchElasticEnvironment.detect() or SLURMEnvironment.detect()
    return settings.devices > 1 and settings.nodes == 1 and settings.strategy != "fsdp" and not is_one_of_many


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
