"""Training on what was hidden: several masked objectives at once, and losses on train and evaluation taken alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from genoken.core.batch import Batch
from genoken.core.contracts import MaskDraw, TokenObjective
from genoken.core.layout import Layout
from genoken.data.dataset import TokenDataset
from genoken.training.task import StepLoss

if TYPE_CHECKING:
    from genoken.models.token_network import TokenNetwork

EVALUATION = -1
"""Epoch whose masks evaluation uses."""
_SAMPLES_COUNTED = 512
"""Train samples on which the expected number of targets is counted."""


class MaskedTask:
    """Masked objectives, weighed.

    The loss of a batch is the sum over its samples of ``sum_o weight_o total_o / expected_o``, where ``total_o`` is the sum of the
    losses of an objective's targets in the sample and ``expected_o`` the mean number of its targets per sample, counted once on
    train. It is the mean over targets up to how many there happen to be, and it is the same however samples are put into batches,
    accumulated or divided among processes.

    Validation runs over two parts with the same fixed masks and without dropout: samples held out, and as many of the train
    samples. Their losses can be compared; a gap between them is what the network has memorized.

    Parameters
    ----------
    objectives
        By kind.
    layout
        What the tokenizer emits.
    train
        The train part, on which targets are counted.
    num_held_out
        Rows of the validation part below this are held out, the others are train samples.
    num_epochs
        Epochs over which the rate of hiding takes its course.
    seed
        Seed of the run.
    """

    def __init__(
        self,
        objectives: Mapping[str, TokenObjective],
        layout: Layout,
        train: TokenDataset,
        *,
        num_held_out: int,
        num_epochs: int,
        seed: int,
    ) -> None:
        self.objectives, self.layout = dict(objectives), layout
        self.num_held_out, self.num_epochs, self.seed = num_held_out, num_epochs, seed
        self.expected = self._count_targets(train)
        self.start_validation()

    def _count_targets(self, train: TokenDataset) -> dict[str, float]:
        """Return the mean number of targets per sample of each objective in the first epoch."""
        rows = np.arange(min(len(train), _SAMPLES_COUNTED))
        batch = self.training_batch(train, rows, 0)
        return {name: max(len(batch.targets[f"{name}.places"]) / len(rows), 1e-9) for name in self.objectives}

    def training_batch(self, part: TokenDataset, rows: np.ndarray, epoch: int) -> Batch:
        """Return the batch of a training step, hidden by the epoch's draw."""
        return self._hidden(part.batch(rows), epoch)

    def validation_batch(self, part: TokenDataset, rows: np.ndarray) -> Batch:
        """Return a batch hidden by the fixed draw of evaluation."""
        return self._hidden(part.batch(rows), EVALUATION)

    def _hidden(self, batch: Batch, epoch: int) -> Batch:
        for objective in self.objectives.values():
            batch = objective.hide(batch, self.layout, self._draw(objective, epoch))
        return batch

    def _draw(self, objective: TokenObjective, epoch: int) -> MaskDraw:
        if epoch == EVALUATION:
            return MaskDraw(self.seed, EVALUATION, objective.probability)
        return MaskDraw(self.seed, 0 if objective.static else epoch, objective.probability_at(epoch, self.num_epochs))

    def training_loss(self, network: nn.Module, batch: Batch) -> StepLoss:
        """Return the weighed loss of a training step."""
        total = self._weighed(network(batch), batch)
        return StepLoss(total, float(total.detach()), batch.num_samples)

    def _weighed(self, outputs: Mapping[str, Tensor], batch: Batch) -> Tensor:
        losses = [
            objective.loss(outputs[name], batch, self.layout).total * (objective.weight / self.expected[name])
            for name, objective in self.objectives.items()
        ]
        return torch.stack(losses).sum()

    def start_validation(self) -> None:
        """Forget what the last validation collected."""
        self._sums: dict[str, list[float]] = {}

    def validate(self, network: nn.Module, batch: Batch) -> None:
        """Collect the loss and each objective's measures, held-out and train samples apart."""
        outputs = network(batch)
        held_out = batch.rows < self.num_held_out
        sample_of_token = torch.repeat_interleave(torch.arange(batch.num_samples), torch.tensor(batch.lengths)).to(held_out.device)
        for name, objective in self.objectives.items():
            of_held_out = held_out[sample_of_token[batch.targets[f"{name}.places"]]]
            for measure, values in objective.measure(outputs[name], batch, self.layout).items():
                if values.is_floating_point() or values.dtype == torch.bool:
                    self._add(f"{name}.{measure}", values[of_held_out].float())
                    self._add(f"train_part.{name}.{measure}", values[~of_held_out].float())

    def _add(self, name: str, values: Tensor) -> None:
        sums = self._sums.setdefault(name, [0.0, 0.0])
        sums[0] += float(values.sum())
        sums[1] += len(values)

    def validation_metrics(self) -> dict[str, float]:
        """Return the means of all measures over targets, and ``loss``: the weighed mean of what each objective minimizes."""
        means = {name: total / count if count else float("nan") for name, (total, count) in self._sums.items()}
        found = {"loss": self._weighed_mean(means, ""), "objective": self._weighed_mean(means, "")}
        found["train_part_loss"] = self._weighed_mean(means, "train_part.")
        return found | {name.replace(".", "_"): mean for name, mean in means.items()}

    def _weighed_mean(self, means: Mapping[str, float], prefix: str) -> float:
        return sum(
            objective.weight * means.get(f"{prefix}{name}.loss", float("nan")) for name, objective in self.objectives.items()
        )


def measured(network: TokenNetwork, task: MaskedTask, part: TokenDataset, *, batch_size: int) -> dict[str, dict[str, np.ndarray]]:
    """Return what each objective measures at every target of a part, with the fixed masks, without dropout.

    Returns
    -------
    dict
        Objective to name to array of shape (targets,), in the order of the part's rows; ``row`` is each target's row.
    """
    collected: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in task.objectives}
    network.eval()
    with torch.inference_mode():
        for start in range(0, len(part), batch_size):
            rows = np.arange(start, min(start + batch_size, len(part)))
            batch = task.validation_batch(part, rows)
            outputs = network(batch)
            sample_of_token = np.repeat(np.arange(batch.num_samples), batch.lengths)
            for name, objective in task.objectives.items():
                values = dict(objective.measure(outputs[name], batch, task.layout))
                found = {measure: tensor.cpu().numpy() for measure, tensor in values.items()}
                found["row"] = rows[sample_of_token[batch.targets[f"{name}.places"].numpy()]]
                for measure, array in found.items():
                    collected[name].setdefault(measure, []).append(array)
    return {name: {measure: np.concatenate(parts) for measure, parts in found.items()} for name, found in collected.items()}
