"""The LightningModule: one training step and one validation step. No layer and no loss formula lives here."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, TypeAlias, cast

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from genoken.core.batch import Batch
from genoken.core.config import TrainingSettings
from genoken.core.errors import TrainingError
from genoken.core.random import seed_for
from genoken.models.network import Network, compile_blocks
from genoken.models.token_network import TokenNetwork
from genoken.training.optim import CourseOfRate, build_optimizer
from genoken.training.task import Task

Trained: TypeAlias = Network | TokenNetwork
"""Networks that can be trained: from packed tokens to what a task scores, with an encoder and, some of them, a linear path."""
LOWER_IS_BETTER = frozenset({"loss", "objective"})
"""Validation metrics that are better when they are lower; all others are better when they are higher."""


@dataclasses.dataclass
class EpochSums:
    """What has been seen in the current epoch.

    Parameters
    ----------
    loss
        Sum of the losses that the history notes.
    targets
        Number of targets in that sum.
    samples, tokens
        Their number.
    padded_tokens
        Tokens that the same batches would have had, padded to their longest sample.
    flops
        Operations of the encoder's matrix products.
    """

    loss: float = 0.0
    targets: int = 0
    samples: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    flops: int = 0


class TrainingModule(lightning.LightningModule):
    """Trains a network for a task.

    Parameters
    ----------
    network
        What is trained.
    task
        What for.
    settings
        How.
    """

    def __init__(self, network: Trained, task: Task[Any], settings: TrainingSettings) -> None:
        super().__init__()
        self.network = network
        self.task = task
        self.settings = settings
        self.schedule: CourseOfRate | None = None
        self.sums = EpochSums()
        self._resumed_sums = EpochSums()
        self._batch_sizes: list[int] = []
        self.validation_metrics: dict[str, float] = {}

    def configure_model(self) -> None:
        """Compile the blocks where wanted: here, because a compiled module does not travel to another process."""
        if self.settings.compile:
            compile_blocks(self.network)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return AdamW and the schedule over all optimizer steps of the run."""
        steps = self.settings.epochs * math.ceil(self.batches_per_epoch() / self.settings.accumulate)
        optimizer, self.schedule = build_optimizer(self.network, self.settings, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self.schedule, "interval": "step"}}

    def batches_per_epoch(self) -> int:
        """Return the number of batches of every epoch."""
        # Lightning's own estimate would set up the loader before a checkpoint's loader state is at hand, and lose that state.
        return int(self.trainer.datamodule.num_batches(self.trainer.world_size))  # type: ignore[attr-defined]

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Limit the norm of the gradient; the linear path's, which is convex and of another scale, is left out of it."""
        if self.settings.clip_norm:
            path = {id(parameter) for parameter in (self.network.linear_path or torch.nn.Identity()).parameters()}
            limited = [parameter for parameter in self.network.parameters() if id(parameter) not in path]
            torch.nn.utils.clip_grad_norm_(limited, self.settings.clip_norm)

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        """Seed dropout for this step: its draws depend on the seed, the process, the epoch and the batch alone."""
        torch.manual_seed(seed_for(self.settings.seed, "step", self.global_rank, self.current_epoch, batch_index))

    def begin_epoch(self, batch_sizes: list[int], first_batch: int) -> None:
        """Note the samples of each of the epoch's batches, over all processes, and reset the epoch's sums.

        Within an epoch that a checkpoint interrupted (``first_batch`` above 0) the sums go on from the checkpoint's.
        """
        self._batch_sizes = batch_sizes
        self.sums = self._resumed_sums if first_batch else EpochSums()

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return the loss whose gradient, summed over a window's batches and all processes, is that of the window's mean.

        Lightning divides by the window's length and averages over processes; both are undone here, and the sum of the samples'
        losses is divided once by the number of samples in the window. The last, partial window of an epoch is thereby exact.
        """
        loss = self.task.training_loss(self.network, batch)
        # All processes stop together: one that stopped alone would leave the others waiting for its gradients.
        if self._sum_over_processes([float(not torch.isfinite(loss.total))])[0]:
            raise self._not_finite(f"the loss is not finite in epoch {self.current_epoch + 1}, step {self.global_step + 1}")
        self.sums.loss += loss.noted
        self.sums.targets += loss.count
        self.sums.samples += batch.num_samples
        self.sums.tokens += batch.num_tokens
        self.sums.padded_tokens += batch.num_samples * max(batch.lengths)
        self.sums.flops += self.network.training_flops(batch)
        return loss.total * (self.settings.accumulate * self.trainer.world_size / self._window_samples(batch_index))

    @staticmethod
    def _not_finite(message: str) -> TrainingError:
        return TrainingError(message, remedy="lower --learning-rate, or use --precision fp32")

    def _sum_over_processes(self, values: list[float]) -> list[float]:
        if self.trainer.world_size == 1:
            return values
        local = torch.tensor(values, dtype=torch.float64, device=self.device)
        return cast("Tensor", self.trainer.strategy.reduce(local, reduce_op="sum")).tolist()

    def total_sums(self) -> EpochSums:
        """Return the current epoch's sums over all processes."""
        loss, *counts = self._sum_over_processes([float(value) for value in dataclasses.astuple(self.sums)])
        return EpochSums(loss, *(int(count) for count in counts))

    def _window_samples(self, batch_index: int) -> int:
        """Return the samples of the accumulation window that a batch belongs to, over all processes."""
        first = batch_index - batch_index % self.settings.accumulate
        return sum(self._batch_sizes[first : first + self.settings.accumulate])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the sums of the current epoch, over all processes."""
        checkpoint["epoch_sums"] = dataclasses.asdict(self.total_sums())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the sums of the epoch in which the checkpoint was written; with several processes, in the first one."""
        if self.global_rank == 0:
            self._resumed_sums = EpochSums(**checkpoint["epoch_sums"])

    def on_validation_epoch_start(self) -> None:
        """Reset what validation collects."""
        self.task.start_validation()

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Collect what the task needs of a batch."""
        self.task.validate(self.network, batch)

    def on_validation_epoch_end(self) -> None:
        """Score the whole validation part at once."""
        metrics = self.task.validation_metrics()
        if not math.isfinite(metrics["loss"]):
            # The last step of an epoch can spoil the weights; they must not be kept as the best.
            raise self._not_finite(f"the validation loss is not finite in epoch {self.current_epoch + 1}")
        self.validation_metrics = metrics
        self._lower_rate(metrics.get(self.settings.monitor, math.nan))

    def _lower_rate(self, monitored: float) -> None:
        """Tell the schedule how validation went; all processes have validated the same samples."""
        if self.schedule is not None:
            self.schedule.observe(monitored if self.settings.monitor in LOWER_IS_BETTER else -monitored)
