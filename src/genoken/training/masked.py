"""Training on what was hidden: several masked objectives at once, and losses on train and evaluation taken alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from genoken.core.batch import Batch
from genoken.core.contracts import FeatureStatistics, TokenObjective
from genoken.core.errors import DataError
from genoken.core.layout import Layout
from genoken.core.random import generator
from genoken.data.dataset import Part
from genoken.data.pairs import EVALUATION, leave_out_unasked
from genoken.training.computing import computing
from genoken.training.task import StepLoss, consecutive

if TYPE_CHECKING:
    from genoken.models.token_network import TokenNetwork

SHOWN = ("cross_entropy", "correct", "top5", "squared_error", "negative_log_likelihood")
"""Measures of each target whose mean the history holds."""
_SAMPLES_COUNTED = 512
"""Samples that are counted at a time, and the fewest on which the expected number of targets rests."""
_TARGETS_COUNTED = 256
"""Targets of each objective on which their expected number rests, unless the whole train part has fewer."""


class MaskedTask:
    """Masked objectives, weighed.

    The loss of a batch is the sum over its samples of ``sum_o weight_o total_o / expected_o``, where ``total_o`` is the sum of the
    losses of an objective's targets in the sample and ``expected_o`` the mean number of its targets per sample, counted once on
    drawn train samples. It is the mean over targets up to how many there happen to be, and it is the same however samples are put
    into batches, accumulated or divided among processes.

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
    statistics
        Moments of the train values, for objectives that standardize.

    Raises
    ------
    DataError
        When an objective asks for nothing in the whole train part.
    """

    def __init__(
        self,
        objectives: Mapping[str, TokenObjective],
        layout: Layout,
        train: Part,
        *,
        num_held_out: int,
        num_epochs: int,
        seed: int,
        statistics: FeatureStatistics | None = None,
    ) -> None:
        self.objectives, self.layout, self.statistics = dict(objectives), layout, statistics
        self.num_held_out, self.num_epochs, self.seed = num_held_out, num_epochs, seed
        self.expected = self._count_targets(train)
        self.start_validation()

    def _count_targets(self, train: Part) -> dict[str, float]:
        """Return the mean number of targets per sample of each objective in the first epoch.

        Files are often sorted, so samples are counted in a drawn order, and on until the rarest targets are common enough.

        Raises
        ------
        DataError
            When an objective asks for nothing in the whole train part.
        """
        order = generator(self.seed, "targets counted").permutation(len(train))
        counts, seen = dict.fromkeys(self.objectives, 0), 0
        for places in consecutive(0, len(order), _SAMPLES_COUNTED):
            batch = self._hidden(train, order[places], 0)
            seen += len(places)
            counts = {name: count + len(batch.targets[f"{name}.places"]) for name, count in counts.items()}
            if min(counts.values()) >= _TARGETS_COUNTED:
                break
        for name, count in counts.items():
            if not count:
                raise DataError(
                    f"nothing is hidden: the objective '{name}' finds no token to ask for in the {len(train):,} train samples",
                    remedy="hide a larger share (objective's probability), or use samples that have what it asks for",
                )
        return {name: count / seen for name, count in counts.items()}

    def without_targets(self, part: Part) -> set[str]:
        """Return the objectives that ask for nothing in a whole part, with the fixed masks of evaluation."""
        lacking = set(self.objectives)
        for rows in consecutive(0, len(part), _SAMPLES_COUNTED):
            batch = self._hidden(part, rows, EVALUATION)
            lacking -= {name for name in lacking if len(batch.targets[f"{name}.places"])}
            if not lacking:
                break
        return lacking

    def training_batch(self, part: Part, rows: np.ndarray, epoch: int) -> Batch:
        """Return the batch of a training step, hidden by the epoch's draw."""
        return self._hidden(part, rows, epoch)

    def validation_batch(self, part: Part, rows: np.ndarray) -> Batch:
        """Return a batch hidden by the fixed draw of evaluation."""
        return self._hidden(part, rows, EVALUATION)

    def validation_plan(self, num_samples: int, size: int) -> list[np.ndarray]:
        """Return batches of ``size``, none of which holds both held-out and train samples."""
        return consecutive(0, self.num_held_out, size) + consecutive(self.num_held_out, num_samples, size)

    def _hidden(self, part: Part, rows: np.ndarray, epoch: int) -> Batch:
        batch = part.drawn(epoch).batch(rows)
        for objective in self.objectives.values():
            draw = objective.draw(self.seed, epoch, self.num_epochs)
            batch = objective.hide(batch, self.layout, draw, self.statistics)
        return leave_out_unasked(batch)

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
        """Collect the losses and each objective's measures, held-out and train samples apart."""
        outputs = network(batch)
        part = "" if int(batch.rows[0]) < self.num_held_out else "train_part_"
        for name, objective in self.objectives.items():
            term = objective.loss(outputs[name], batch, self.layout)
            self._add(f"{part}{name}_loss", float(term.total), term.count)
            for measure, values in objective.measure(outputs[name], batch, self.layout).items():
                if measure in SHOWN:
                    self._add(f"{part}{name}_{measure}", float(values.float().sum()), len(values))

    def _add(self, name: str, total: float, count: int) -> None:
        sums = self._sums.setdefault(name, [0.0, 0.0])
        sums[0] += total
        sums[1] += count

    def validation_metrics(self) -> dict[str, float]:
        """Return the means of all measures over targets; ``loss`` is the weighed mean of what the objectives minimize."""
        means = {name: total / count if count else math.nan for name, (total, count) in self._sums.items()}
        loss, of_train = (
            sum(objective.weight * means.get(f"{part}{name}_loss", math.nan) for name, objective in self.objectives.items())
            for part in ("", "train_part_")
        )
        return {"loss": loss, "objective": loss, "train_part_loss": of_train, **means}


def measured(
    network: TokenNetwork,
    task: MaskedTask,
    part: Part,
    *,
    batch_size: int,
    precision: str = "auto",
    attention: str = "auto",
) -> dict[str, dict[str, np.ndarray]]:
    """Return what each objective measures at every target of a part, with the fixed masks, without dropout.

    Parameters
    ----------
    network
        The network, which is on the CPU afterwards.
    task
        The objectives with their masks.
    part
        The samples.
    batch_size
        Samples per pass.
    precision, attention
        Number format and attention backend, as in training.

    Returns
    -------
    dict
        Objective to name to array of shape (targets,), in the order of the part's rows; ``row`` is each target's row.
    """
    collected: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in task.objectives}
    with computing(network, precision=precision, attention=attention) as device:
        for start in range(0, len(part), batch_size):
            rows = np.arange(start, min(start + batch_size, len(part)))
            batch = task.validation_batch(part, rows).to(device)
            outputs = network(batch)
            sample_of_token = np.repeat(np.arange(batch.num_samples), batch.lengths)
            for name, objective in task.objectives.items():
                values = dict(objective.measure(outputs[name], batch, task.layout))
                found = {measure: tensor.cpu().numpy() for measure, tensor in values.items()}
                found["row"] = rows[sample_of_token[batch.targets[f"{name}.places"].cpu().numpy()]]
                for measure, array in found.items():
                    collected[name].setdefault(measure, []).append(array)
    return {name: {measure: np.concatenate(parts) for measure, parts in found.items()} for name, found in collected.items()}
