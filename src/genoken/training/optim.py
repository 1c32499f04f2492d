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

    Rises linearly over the first ``warmup * total_steps`` steps, then stays (``constant``) or falls as half a cosine to
    ``FINAL_SHARE`` at the last step.
    """
    warmup_steps = max(1, math.ceil(warmup * total_steps)) if warmup > 0 else 0
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule == "constant":
        return 1.0
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - 1 - warmup_steps))
    return FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * progress))


def parameter_groups(network: Network | TokenNetwork, settings: TrainingSettings) -> list[dict[str, object]]:
    """Return AdamW's groups: matrices decay; biases, norms and feature vectors do not; the linear path has settings of its own."""
    path = {id(parameter) for parameter in network.linear_path.parameters()} if network.linear_path is not None else set()
    tables = {id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)}
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for parameter in network.parameters():
        if id(parameter) not in path:
            (decayed if parameter.ndim > 1 and id(parameter) not in tables else free).append(parameter)
    groups: list[dict[str, object]] = [
        {"params": decayed, "lr": settings.learning_rate, "weight_decay": settings.weight_decay},
        {"params": free, "lr": settings.learning_rate, "weight_decay": 0.0},
    ]
    if network.linear_path is not None:
        # The path's shrinkage is a ridge penalty in the loss, as in logistic regression, not a decay.
        own = list(network.linear_path.parameters())
        groups.append({"params": own, "lr": settings.linear_path_learning_rate, "weight_decay": 0.0})
    return [group for group in groups if group["params"]]


def build_optimizer(
    network: Network | TokenNetwork, settings: TrainingSettings, total_steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    """Return a fused AdamW and its schedule over ``total_steps`` optimizer steps."""
    optimizer = torch.optim.AdamW(parameter_groups(network, settings), betas=(0.9, 0.98), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(step, total_steps, settings.warmup, settings.schedule)
    )
    return optimizer, schedule
