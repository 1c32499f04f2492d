"""Optimizer, parameter groups and the course of the learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from genoken.core.config import TrainingSettings
from genoken.models.network import Network
from genoken.models.token_network import TokenNetwork

FINAL_SHARE = 0.01
"""Share of the highest learning rate at which the cosine ends."""


STEPS, LEAST_EPOCHS, MOST_EPOCHS = 400, 4, 20
"""Optimizer steps that ``epochs: 0`` aims at, and its limits in epochs."""


def num_epochs(settings: TrainingSettings, num_batches: int) -> int:
    """Return the number of epochs: the one asked for, or as many as make about ``STEPS`` optimizer steps."""
    if settings.epochs:
        return settings.epochs
    steps_per_epoch = math.ceil(num_batches / settings.accumulate)
    return min(max(math.ceil(STEPS / steps_per_epoch), LEAST_EPOCHS), MOST_EPOCHS)


def learning_rate_factor(step: int, total_steps: int, warmup: float, schedule: str) -> float:
    """Return the share of the highest learning rate at optimizer step ``step`` (from 0).

    Rises linearly over the first ``warmup * total_steps`` steps, then falls as half a cosine to ``FINAL_SHARE`` at the last, or
    stays (``constant``; ``plateau``, which validation lowers).
    """
    warmup_steps = max(1, math.ceil(warmup * total_steps)) if warmup > 0 else 0
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule != "cosine":
        return 1.0
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - 1 - warmup_steps))
    return FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * progress))


def parameter_groups(network: Network | TokenNetwork, settings: TrainingSettings) -> list[dict[str, object]]:
    """Return AdamW's groups: matrices decay; biases, norms and feature vectors do not; the linear path has settings of its own.

    With ``layer_decay`` below 1, what stands under ``n`` blocks learns at ``learning_rate * layer_decay ** n``: the head and the
    uppermost block at the full rate, the embedding slowest. What is frozen is in no group.
    """
    path = {id(parameter) for parameter in network.linear_path.parameters()} if network.linear_path is not None else set()
    tables = {id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)}
    above = _blocks_above(network)
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        if id(parameter) not in path and parameter.requires_grad:
            is_decayed = parameter.ndim > 1 and id(parameter) not in tables
            rate = settings.learning_rate * settings.layer_decay ** above.get(id(parameter), 0)
            members.setdefault((rate, settings.weight_decay if is_decayed else 0.0), []).append(parameter)
    ordered = sorted(members.items(), key=lambda item: (-item[0][0], -item[0][1]))
    groups: list[dict[str, object]] = [
        {"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in ordered
    ]
    path_parameters = () if network.linear_path is None else network.linear_path.parameters()
    own = [parameter for parameter in path_parameters if parameter.requires_grad]
    if own:
        # The path's shrinkage is a ridge penalty in the loss, as in logistic regression, not a decay.
        groups.append({"params": own, "lr": settings.linear_path_learning_rate, "weight_decay": 0.0})
    return groups


def _blocks_above(network: Network | TokenNetwork) -> dict[int, int]:
    """Return how many blocks are above each parameter, by its ``id``; parameters behind the blocks are left out."""
    blocks = list(getattr(network.encoder, "blocks", []))
    above = {id(parameter): len(blocks) for parameter in network.embedding.parameters()}
    for index, block in enumerate(blocks):
        above |= {id(parameter): len(blocks) - 1 - index for parameter in block.parameters()}
    return above


class CourseOfRate(torch.optim.lr_scheduler.LRScheduler):
    """The learning rate of every group at every optimizer step: its highest, times the course, times what validation left of it.

    Every ``plateau_patience`` validations in a row that improve nothing multiply the rate by ``plateau_factor``, down to
    ``FINAL_SHARE``, where the schedule is ``plateau``; otherwise the course is decided beforehand. All of it is part of the
    checkpoint.

    Parameters
    ----------
    optimizer
        Whose rates are set.
    settings
        Schedule, warm-up, patience, factor.
    total_steps
        Optimizer steps of the run.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, settings: TrainingSettings, total_steps: int) -> None:
        self.course = settings.schedule
        self.warmup, self.total_steps = settings.warmup, total_steps
        self.patience, self.factor = settings.plateau_patience, settings.plateau_factor
        self.share = 1.0
        self.best = math.nan
        self.waited = 0
        super().__init__(optimizer)

    def get_lr(self) -> list[float | torch.Tensor]:
        """Return the rate of each group for the coming step."""
        factor = self.share * learning_rate_factor(self.last_epoch, self.total_steps, self.warmup, self.course)
        return [rate * factor for rate in self.base_lrs]

    def observe(self, loss: float) -> None:
        """Take notice of a validation: of what is to be as low as possible. NaN is no improvement."""
        if self.course != "plateau":
            return
        if math.isnan(self.best) or loss < self.best:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited == self.patience:
            self.share, self.waited = max(self.share * self.factor, FINAL_SHARE), 0


def build_optimizer(
    network: Network | TokenNetwork, settings: TrainingSettings, total_steps: int
) -> tuple[torch.optim.Optimizer, CourseOfRate]:
    """Return a fused AdamW and its schedule over ``total_steps`` optimizer steps."""
    optimizer = torch.optim.AdamW(parameter_groups(network, settings), betas=(0.9, 0.98), fused=True)
    return optimizer, CourseOfRate(optimizer, settings, total_steps)
