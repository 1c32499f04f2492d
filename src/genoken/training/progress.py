"""What a run notes about each epoch, what it shows while it trains, and the checkpoints it leaves behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch

from genoken.training.checkpoint import checkpoint_path
from genoken.training.memory import memory_mb, peak_memory_mb
from genoken.training.module import TrainingModule

MEASURED = ("seconds", "samples_per_second", "tokens_per_second", "flops_per_second", "loader_wait", "peak_memory_mb", "memory_mb")
"""Columns of ``history.csv`` that tell of the machine: all others are the same whenever a command is run again."""

EpochReader = Callable[[dict[str, float]], None]
"""Called with each epoch's row of ``history.csv``."""


class History(lightning.Callback):
    """Notes one row per validation: losses, validation metrics, learning rate, speed, memory.

    Where several validations fall into an epoch, losses and speeds are those of the epoch so far.

    Parameters
    ----------
    on_epoch
        Called with each new row, for progress bars.
    """

    def __init__(self, on_epoch: EpochReader | None = None) -> None:
        self.rows: list[dict[str, float]] = []
        self._on_epoch = on_epoch
        self._began = 0.0
        self._trained = 0.0
        self._waited = 0.0
        self._held = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Start the clock of the epoch."""
        self._began = time.perf_counter()
        self._waited = _seconds_waited(trainer)
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def on_validation_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Stop the clock of training, which the speeds go by."""
        self._trained = time.perf_counter()
        self._held = memory_mb()

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Note the epoch so far, over all processes."""
        assert isinstance(module, TrainingModule)  # noqa: S101
        if trainer.sanity_checking:
            return
        seconds = max(self._trained - self._began, 1e-9)
        sums = module.total_sums()
        row: dict[str, float] = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "train_loss": sums.loss / max(sums.targets, 1),
            **{history_name(name): value for name, value in module.validation_metrics.items()},
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": time.perf_counter() - self._began,
            "samples_per_second": sums.samples / seconds,
            "tokens_per_second": sums.tokens / seconds,
            "flops_per_second": sums.flops / seconds,
            "fill": 1.0,
            "padded_fill": sums.tokens / max(sums.padded_tokens, 1),
            "loader_wait": (_seconds_waited(trainer) - self._waited) / seconds,
            "peak_memory_mb": peak_memory_mb(),
            "memory_mb": self._held,
        }
        self.rows.append(row)
        for logger in trainer.loggers:
            logger.log_metrics({name: float(value) for name, value in row.items()}, step=trainer.global_step)
        if self._on_epoch is not None:
            self._on_epoch(row)
        self._began += time.perf_counter() - self._trained  # an epoch that goes on is not charged for its validations

    def state_dict(self) -> dict[str, Any]:
        """Return the rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the rows of a checkpoint."""
        self.rows = list(state_dict["rows"])


class Checkpoints(lightning.Callback):
    """Leaves a checkpoint behind after every epoch, or every so many optimizer steps, and removes all but the last few.

    Parameters
    ----------
    folder
        Where they go.
    every_steps
        Optimizer steps between them; 0: one per epoch, after validation.
    keep
        How many stay.
    validation_every
        Batches after which validation follows; 0: at the end of each epoch.
    """

    def __init__(self, folder: Path, every_steps: int, keep: int, validation_every: int = 0) -> None:
        self.folder, self.every_steps, self.keep, self.validation_every = Path(folder), every_steps, keep, validation_every
        self._last_step = -1
        self._waits = False

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Count the step of the checkpoint that training goes on from as saved; remove what a killed process left half-written."""
        # Saved once more within the next accumulation window, it would lose the gradients gathered so far.
        self._last_step = trainer.global_step
        if trainer.is_global_zero:
            for leftover in self.folder.glob(".step-*"):
                leftover.unlink(missing_ok=True)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Save after an optimizer step whose number is a multiple of ``every_steps``."""
        step = trainer.global_step
        is_last = batch_index + 1 == trainer.num_training_batches
        if not self.every_steps or step in (0, self._last_step) or step % self.every_steps or is_last:
            return
        # A checkpoint waits for the validation that follows, which belongs to the same state.
        batches = trainer.current_epoch * trainer.num_training_batches + batch_index + 1
        self._waits = bool(self.validation_every) and batches % self.validation_every == 0
        if not self._waits:
            self._save(trainer)

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Save what waited for this validation."""
        if self._waits:
            self._waits = False
            self._save(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Save after an epoch and its validation."""
        self._save(trainer)

    def _save(self, trainer: lightning.Trainer) -> None:
        self._last_step = trainer.global_step
        trainer.save_checkpoint(checkpoint_path(self.folder, self._last_step))
        if trainer.is_global_zero:
            for old in sorted(self.folder.glob("step-*"))[: -self.keep]:
                trainer.strategy.remove_checkpoint(old)


def history_name(metric: str) -> str:
    """Return the history's name of a validation metric; those that are taken on train samples say so themselves."""
    return metric if metric.startswith("train_part_") else f"val_{metric}"


def _seconds_waited(trainer: lightning.Trainer) -> float:
    loader = trainer.datamodule.loader  # type: ignore[attr-defined]
    return loader.seconds_waited if loader is not None else 0.0
