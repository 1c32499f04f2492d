"""Which weights are kept: a moving average if wanted, the best by a validation metric, and when to stop."""

from __future__ import annotations

import math
from typing import Any

import lightning
import torch
from torch import Tensor

from genoken.training.module import LOWER_IS_BETTER, TrainingModule


class WeightSelection(lightning.Callback):
    """Averages the weights, validates with the average, keeps the best, and stops when nothing improves any more.

    After optimizer step ``t`` (from 1), ``average = d average + (1 - d) weights`` with ``d = min(decay, (1 + t) / (10 + t))``, so
    that the first steps do not weigh on the average. Validation sees the average. All of it is part of the checkpoint.

    Parameters
    ----------
    monitor
        Name of the validation metric; ``loss`` and ``objective`` are better when lower, all others when higher.
    patience
        Epochs without improvement after which training stops; 0: never.
    decay
        ``d`` above; 0 for no averaging.
    stop_after
        Epochs after which training ends and the last weights are kept; 0: validation decides.
    """

    def __init__(self, monitor: str, patience: int, decay: float, stop_after: int = 0) -> None:
        self.monitor, self.patience, self.decay, self.stop_after = monitor, patience, decay, stop_after
        self.best_value = math.nan
        self.best_epoch = -1
        self.best_step = -1
        self.best_weights: dict[str, Tensor] = {}
        self.best_metrics: dict[str, float] = {}
        self._average: dict[str, Tensor] = {}
        self._own: dict[str, Tensor] = {}
        self._steps = 0
        self._last_epoch = -1

    def on_fit_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Start the average at the weights, unless a checkpoint brought one; train no more where it had been decided to stop."""
        assert isinstance(module, TrainingModule)  # noqa: S101
        if self.decay and not self._average:
            self._average = _copy(module.network)
        if self._last_epoch >= 0 and self._is_over(self._last_epoch):
            trainer.should_stop = True
        device = module.device
        self._average = {name: tensor.to(device) for name, tensor in self._average.items()}

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Update the average after an optimizer step."""
        assert isinstance(module, TrainingModule)  # noqa: S101
        if not self.decay or trainer.global_step == self._steps:
            return
        self._steps = trainer.global_step
        decay = min(self.decay, (1 + self._steps) / (10 + self._steps))
        # What is frozen is left out, so that no rounding touches it.
        weights = {name: weight for name, weight in module.network.named_parameters() if weight.requires_grad}
        names = list(weights)
        with torch.no_grad():
            torch._foreach_lerp_([self._average[name] for name in names], [weights[name].detach() for name in names], 1 - decay)

    def on_validation_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Put the average in the place of the weights."""
        assert isinstance(module, TrainingModule)  # noqa: S101
        if self.decay:
            self._own = _copy(module.network)
            load_weights(module.network, self._average)

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Keep the validated weights if they are the best, put the own weights back, and stop when patience is over."""
        assert isinstance(module, TrainingModule)  # noqa: S101
        if trainer.sanity_checking:
            return
        value = module.validation_metrics.get(self.monitor, math.nan)
        if self._improves(value):
            self.best_value, self.best_epoch, self.best_step = value, trainer.current_epoch, trainer.global_step
            self.best_weights = {name: tensor.cpu() for name, tensor in _copy(module.network).items()}
            self.best_metrics = dict(module.validation_metrics)
        if self._own:
            load_weights(module.network, self._own)
            self._own = {}
        self._last_epoch = trainer.current_epoch
        if self._is_over(self._last_epoch):
            trainer.should_stop = True

    def _is_over(self, epoch: int) -> bool:
        if self.stop_after:
            return epoch + 1 >= self.stop_after
        return bool(self.patience) and epoch - self.best_epoch >= self.patience

    def _improves(self, value: float) -> bool:
        if self.best_epoch < 0 or self.stop_after:
            return True
        if not math.isfinite(value):
            return False
        if not math.isfinite(self.best_value):
            return True
        return value < self.best_value if self.monitor in LOWER_IS_BETTER else value > self.best_value

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {
            "best_value": self.best_value,
            "best_epoch": self.best_epoch,
            "best_step": self.best_step,
            "best_weights": self.best_weights,
            "best_metrics": self.best_metrics,
            "average": self._average,
            "steps": self._steps,
            "last_epoch": self._last_epoch,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up where a checkpoint left."""
        self.best_value = state_dict["best_value"]
        self.best_epoch = state_dict["best_epoch"]
        self.best_step = state_dict["best_step"]
        self.best_weights = state_dict["best_weights"]
        self.best_metrics = state_dict["best_metrics"]
        self._average = state_dict["average"]
        self._steps = state_dict["steps"]
        self._last_epoch = state_dict["last_epoch"]


def _copy(network: torch.nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in network.named_parameters()}


def load_weights(network: torch.nn.Module, weights: dict[str, Tensor]) -> None:
    """Copy weights into a network; every parameter must be there.

    Raises
    ------
    KeyError
        When a parameter is missing.
    """
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(weights[name])
