"""What a network is trained for: how its batches are made, what its loss is, how it is validated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from genoken.core.batch import Batch, LossTerm
from genoken.core.config import TrainingSettings
from genoken.core.contracts import Objective, TargetState
from genoken.core.grid_contracts import Penalized
from genoken.data.dataset import Part, TokenDataset
from genoken.models.network import Network, Outputs

AnyPart_contra = TypeVar("AnyPart_contra", bound=Part, contravariant=True)
"""What a task makes batches of."""
Scorer = Callable[[np.ndarray, np.ndarray], dict[str, float]]
"""From labels and predictions (as :meth:`Objective.predict` returns them) to metrics."""


@dataclass(frozen=True)
class StepLoss:
    """The loss of one batch.

    Parameters
    ----------
    total
        Sum over the batch's samples of what is minimized, a scalar tensor.
    noted
        Sum of what the history calls the train loss.
    count
        Number that ``noted`` is divided by.
    """

    total: Tensor
    noted: float
    count: int


def consecutive(first: int, last: int, size: int) -> list[np.ndarray]:
    """Return the rows from ``first`` to before ``last`` in batches of ``size``."""
    rows = np.arange(first, last)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


class Task(Protocol[AnyPart_contra]):
    """What a network is trained for."""

    def training_batch(self, part: AnyPart_contra, rows: np.ndarray, epoch: int) -> Batch:
        """Return the batch of a training step with its targets."""

    def validation_batch(self, part: AnyPart_contra, rows: np.ndarray) -> Batch:
        """Return a batch of validation with its targets, the same in every epoch."""

    def validation_plan(self, num_samples: int, size: int) -> list[np.ndarray]:
        """Return the rows of each batch of a validation part of ``num_samples`` samples, in order."""

    def training_loss(self, network: nn.Module, batch: Batch) -> StepLoss:
        """Return the loss of a training step."""

    def start_validation(self) -> None:
        """Forget what the last validation collected."""

    def validate(self, network: nn.Module, batch: Batch) -> None:
        """Collect what validation needs of a batch."""

    def validation_metrics(self) -> dict[str, float]:
        """Return the metrics of what was collected, ``loss`` and ``objective`` among them."""


class SupervisedTask:
    """One target per sample.

    The loss is the objective's, plus those of encoder and linear path taken alone, plus the penalties of encoder and linear path.

    Parameters
    ----------
    objective, target
        What is learned.
    settings
        Weight of the summands' own losses, strength of the penalty, seed.
    num_train_samples
        Size of the train split, for the penalties.
    labels
        Validation labels, in row order.
    scorer
        Metrics of the validation predictions.
    token_dropout
        Share of tokens hidden from the encoder in training.
    """

    def __init__(
        self,
        objective: Objective,
        target: TargetState,
        settings: TrainingSettings,
        num_train_samples: int,
        labels: np.ndarray,
        scorer: Scorer,
        token_dropout: float = 0.0,
    ) -> None:
        self.objective, self.target, self.settings = objective, target, settings
        self.num_train_samples = num_train_samples
        self.labels, self.scorer = labels, scorer
        self.token_dropout = token_dropout
        self.start_validation()

    def training_batch(self, part: TokenDataset, rows: np.ndarray, epoch: int) -> Batch:
        """Return the batch of a training step with its targets, some of its tokens hidden from the encoder."""
        batch = part.training_batch(rows, token_dropout=self.token_dropout, seed=self.settings.seed, epoch=epoch)
        return self._with_targets(batch, part, rows)

    def validation_batch(self, part: TokenDataset, rows: np.ndarray) -> Batch:
        """Return all tokens of these rows with their targets."""
        return self._with_targets(part.batch(rows), part, rows)

    def validation_plan(self, num_samples: int, size: int) -> list[np.ndarray]:
        """Return consecutive batches of ``size``."""
        return consecutive(0, num_samples, size)

    def _with_targets(self, batch: Batch, part: TokenDataset, rows: np.ndarray) -> Batch:
        assert part.labels is not None  # noqa: S101
        return self.objective.prepare(batch, part.labels[rows], self.target)

    def training_loss(self, network: nn.Module, batch: Batch) -> StepLoss:
        """Return the loss of a training step, penalty and the summands' own losses included."""
        result = network(batch)
        term = self.objective.loss(result.outputs, batch, self.target)
        penalties = self._ridge(network) + self._encoder_penalty(network, term)
        total = term.total + self._summand_losses(result, batch) + penalties * batch.num_samples
        return StepLoss(total, float(term.total.detach()), term.count)

    def _summand_losses(self, result: Outputs, batch: Batch) -> Tensor | float:
        """Return the weighted sum of the losses of encoder and linear path taken alone; 0 without a linear path.

        Without them the path, which learns faster, would leave nothing for the encoder to learn.
        """
        own = sum(self.objective.loss(summand, batch, self.target).total for summand in result.alone)
        return self.settings.summand_loss * own

    def _ridge(self, network: nn.Module) -> Tensor | float:
        """Return the linear path's penalty ``|w|^2 / (2 C n)``."""
        path = network.linear_path if isinstance(network, Network) else None
        if path is None or not path.weight.requires_grad:
            return 0.0
        return path.weight.square().sum() / (2 * self.settings.linear_path_strength * self.num_train_samples)

    def _encoder_penalty(self, network: nn.Module, term: LossTerm) -> Tensor | float:
        """Return what the encoder's weights cost, per sample and in units of the loss; 0 where they cost nothing."""
        encoder = network.encoder if isinstance(network, Network) else None
        if not isinstance(encoder, Penalized):
            return 0.0
        return encoder.penalty() * (self.objective.loss_per_nat(term) / self.num_train_samples)

    def start_validation(self) -> None:
        """Forget what the last validation collected."""
        self._predictions: list[Tensor] = []
        self._loss, self._count, self._with_summands = 0.0, 0, 0.0

    def validate(self, network: nn.Module, batch: Batch) -> None:
        """Collect predictions and the loss."""
        result = network(batch)
        term = self.objective.loss(result.outputs, batch, self.target)
        self._loss += float(term.total)
        self._count += term.count
        self._with_summands += float(term.total + self._summand_losses(result, batch))
        self._predictions.append(self.objective.predict(result.outputs, self.target).float().cpu())

    def validation_metrics(self) -> dict[str, float]:
        """Score the whole validation part at once; metrics only where the loss is finite."""
        predictions = torch.cat(self._predictions).numpy()
        loss = self._loss / max(self._count, 1)
        if not math.isfinite(loss):
            return {"loss": loss}
        objective = self._with_summands / max(self._count, 1)
        return {"loss": loss, "objective": objective, **self.scorer(self.labels[: len(predictions)], predictions)}
