"""Regression on a numeric column."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import Objective, TargetState, Task
from genoken.core.layout import HeadSpec

if TYPE_CHECKING:
    from torch import Tensor

    from genoken.core.batch import Batch, LossTerm


@settings
class RegressObjective(Objective):
    """Squared or Huber error on the target, standardized by the train split's mean and standard deviation."""

    task: ClassVar[Task] = "regression"

    loss_kind: Literal["mse", "huber"] = "mse"
    """``mse``: squared error; ``huber``: squared up to ``huber_delta``, then linear."""
    huber_delta: Annotated[float, Field(gt=0)] = 1.0
    """Where the Huber loss turns linear, in standard deviations of the target."""

    def fit(self, labels: np.ndarray, label: str, classes: tuple[str, ...]) -> TargetState:
        """Note the mean and the standard deviation of the train targets (1 for a constant target)."""
        center, deviation = float(np.mean(labels)), float(np.std(labels))
        # The mean of equal numbers may differ from them by a rounding error, which is not a spread.
        constant = deviation <= 1e-12 * abs(center)
        return TargetState(task=self.task, label=label, center=center, scale=1.0 if constant else deviation)

    def head(self, state: TargetState) -> HeadSpec:
        """Return one output."""
        return HeadSpec(outputs=1)

    def prepare(self, batch: Batch, labels: np.ndarray, state: TargetState) -> Batch:
        """Write ``standardized``, float32 of shape (samples,)."""
        import torch

        standardized = (np.asarray(labels, dtype=np.float64) - state.center) / state.scale
        return dataclasses.replace(batch, targets={"standardized": torch.from_numpy(standardized.astype(np.float32))})

    def loss(self, outputs: Tensor, batch: Batch, state: TargetState) -> LossTerm:
        """Return the sum of the samples' losses and their number."""
        from torch.nn import functional

        from genoken.core.batch import LossTerm

        predicted, targets = outputs.squeeze(1), batch.targets["standardized"]
        if self.loss_kind == "huber":
            total = functional.huber_loss(predicted, targets, reduction="sum", delta=self.huber_delta)
        else:
            total = functional.mse_loss(predicted, targets, reduction="sum")
        return LossTerm(total=total, count=len(targets))

    def loss_per_nat(self, term: LossTerm) -> float:
        """Return twice the mean loss: that of normal errors with the variance that the batch shows.

        A squared error is ``2 σ²`` times a negative log-likelihood, and a Huber loss, which is half of it, ``σ²`` times.
        """
        return 2.0 * float(term.total.detach()) / term.count

    def predict(self, outputs: Tensor, state: TargetState) -> Tensor:
        """Return predictions of shape (samples,) in the target's own units."""
        return outputs.squeeze(1).float() * state.scale + state.center
