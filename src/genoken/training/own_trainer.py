"""A LightningModule for a ``lightning.Trainer`` that a user made: it takes over what that trainer says."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from genoken.core.config import TrainingSettings
from genoken.core.errors import ConfigError
from genoken.models.layers.attention import choose_backend
from genoken.models.network import set_gradient_checkpointing
from genoken.training.module import TrainingModule
from genoken.training.progress import history_name

if TYPE_CHECKING:
    from torch import Tensor

    from genoken.core.batch import Batch
    from genoken.models.token_network import TokenNetwork
    from genoken.training.masked import MaskedTask

_TYPES = {"16-mixed": torch.float16, "16-true": torch.float16, "bf16-mixed": torch.bfloat16, "bf16-true": torch.bfloat16}
"""Type in which each of Lightning's precisions computes; all others compute in float32."""


class OwnTrainerModule(TrainingModule):
    """Trains a network with masked objectives under any trainer.

    The trainer decides what it has words for: epochs (``max_epochs``, or ``max_steps``), over which the learning rate and the rate
    of hiding take their course; batches per step (``accumulate_grad_batches``); batches per epoch (``limit_train_batches``);
    precision, devices and strategy. The settings decide the rest: batch size, learning rate, weight decay, warm-up, schedule, the
    norm of the gradient, attention backend, seed. ``train_loss`` and what ``history.csv`` holds of validation, such as
    ``val_loss``, are logged for callbacks. Weights are not averaged, and the last ones stay unless a callback keeps others.

    Parameters
    ----------
    network
        What is trained.
    task
        The masked objectives.
    settings
        How.
    """

    task: MaskedTask

    def __init__(self, network: TokenNetwork, task: MaskedTask, settings: TrainingSettings) -> None:
        super().__init__(network, task, settings)
        self._asked = settings
        set_gradient_checkpointing(network, settings.gradient_checkpointing)

    def setup(self, stage: str) -> None:
        """Take over what the trainer says, before optimizer and loaders are made.

        Raises
        ------
        ConfigError
            When it has neither a number of epochs nor one of steps, accumulates other numbers of batches than the settings say, or
            comes without the data module.
        """
        if stage != "fit":
            return
        trainer = self.trainer
        data: Any = getattr(trainer, "datamodule", None)
        if data is None:
            raise ConfigError("the loaders were given without their data module", remedy="call trainer.fit(model, data)")
        if self._asked.accumulate not in (1, trainer.accumulate_grad_batches):
            raise ConfigError(
                f"'training.accumulate' is {self._asked.accumulate}, but the trainer accumulates {trainer.accumulate_grad_batches}",
                remedy=f"give the trainer accumulate_grad_batches={self._asked.accumulate}, or leave the setting out",
            )
        self.settings = replace(self._asked, accumulate=trainer.accumulate_grad_batches)
        epochs = trainer.max_epochs or 0
        if epochs < 1 and trainer.max_steps < 1:
            raise ConfigError("the trainer has no end", remedy="give it max_epochs or max_steps")
        if epochs < 1 or trainer.max_steps > 0:
            by_steps = math.ceil(trainer.max_steps / self._steps_per_epoch())
            epochs = by_steps if epochs < 1 else min(epochs, by_steps)
        self.settings = replace(self.settings, epochs=epochs)
        data.follow(self.settings)
        self.task.num_epochs = epochs
        dropout = max((layer.dropout for layer in self.network.attention_layers()), default=0.0)
        dtype = _TYPES.get(str(trainer.precision), torch.float32)
        backend = choose_backend(self.settings.attention, trainer.strategy.root_device, dtype, dropout)
        self.network.set_attention_backend(backend.backend)

    def batches_per_epoch(self) -> int:
        """Return the number of batches of every epoch, as far as the trainer does not limit them."""
        batches, limit = super().batches_per_epoch(), self.trainer.limit_train_batches
        return batches if limit is None else min(limit, batches) if isinstance(limit, int) else int(limit * batches)

    def _steps_per_epoch(self) -> int:
        return max(1, math.ceil(self.batches_per_epoch() / self.settings.accumulate))

    def begin_epoch(self, batch_sizes: list[int], first_batch: int) -> None:
        """Note the samples of the batches that the trainer will take; see :meth:`TrainingModule.begin_epoch`."""
        super().begin_epoch(batch_sizes[: self.batches_per_epoch()], first_batch)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return the loss, see :meth:`TrainingModule.training_step`, and log its mean over the batch's samples."""
        before = self.sums.loss
        loss = super().training_step(batch, batch_index)
        mean = (self.sums.loss - before) / batch.num_samples
        self.log("train_loss", mean, prog_bar=True, batch_size=batch.num_samples)
        return loss

    def on_validation_epoch_end(self) -> None:
        """Score the validation part and log the scores; a few batches that the trainer tries out first are not scored."""
        if self.trainer.sanity_checking:
            return
        super().on_validation_epoch_end()
        self.log_dict({history_name(name): float(value) for name, value in self.validation_metrics.items()})
