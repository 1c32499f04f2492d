"""Classification: binary with one logit, multi-class with one logit per class."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import Objective, TargetState, Task
from genoken.core.errors import ConfigError
from genoken.core.layout import HeadSpec

if TYPE_CHECKING:
    from torch import Tensor

    from genoken.core.batch import Batch, LossTerm

SMALLEST_MISSING_PROBABILITY = 1e-7
"""Floor of ``1 - p`` in the focal loss: about the resolution of 32-bit numbers near 1."""


Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]


@settings
class ClassifyObjective(Objective):
    """Cross-entropy or focal loss over classes.

    Two classes use one logit and binary cross-entropy, more use one logit per class and the softmax. Class ``c`` weighs
    ``(n / n_c) ** class_weight_power``, scaled so that the mean weight over the train samples is 1 (for two classes the ratio of
    the two weights is ``pos_weight``). With label smoothing a sample weighs what its true class weighs, and its loss is
    ``-(1 - s) log p_true - s mean_c log p_c``; torch's ``CrossEntropyLoss`` weighs the smoothed part class by class instead.

    References
    ----------
    Lin et al., "Focal loss for dense object detection" (2017), arXiv:1708.02002. Szegedy et al., "Rethinking the Inception
    architecture" (2016), arXiv:1512.00567, for label smoothing.
    """

    task: ClassVar[Task] = "classification"

    loss_kind: Literal["cross_entropy", "focal"] = "cross_entropy"
    """``cross_entropy``: ``-log p`` of the true class; ``focal``: ``-alpha_c (1 - p) ** gamma log p``."""
    class_weight_power: Annotated[float, Field(ge=0, le=1)] = 0.5
    """0: all samples weigh the same; 1: all classes weigh the same; 0.5 in between."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the target that is spread evenly over all classes (cross-entropy only)."""
    focal_gamma: Annotated[float, Field(ge=0)] = 2.0
    """How much the focal loss turns away from samples that are right already."""
    focal_alpha: Share | tuple[Weight, ...] = ()
    """Weight of each class in the focal loss, in class order; for two classes also one number, the second's weight, and one
    minus it the first's; empty: the class weights."""

    def fit(self, labels: np.ndarray, label: str, classes: tuple[str, ...]) -> TargetState:
        """Count the train samples of each class.

        Raises
        ------
        ConfigError
            When ``focal_alpha`` does not have one weight per class.
        """
        weights = self._alpha()
        if weights and len(weights) != len(classes):
            raise ConfigError(
                f"'objective.focal_alpha' has {len(weights)} weights for {len(classes)} classes",
                remedy="give one weight per class, in the order " + ", ".join(classes),
            )
        counts = np.bincount(labels, minlength=len(classes))
        return TargetState(task=self.task, label=label, classes=classes, class_counts=tuple(int(count) for count in counts))

    def head(self, state: TargetState) -> HeadSpec:
        """Return one output for two classes, else one per class."""
        return HeadSpec(outputs=1 if len(state.classes) == 2 else len(state.classes))

    def prepare(self, batch: Batch, labels: np.ndarray, state: TargetState) -> Batch:
        """Write ``classes``, int64 of shape (samples,)."""
        import torch

        return dataclasses.replace(batch, targets={"classes": torch.from_numpy(np.asarray(labels, dtype=np.int64))})

    def loss(self, outputs: Tensor, batch: Batch, state: TargetState) -> LossTerm:
        """Return the sum of weighted losses and the number of samples."""
        import torch

        from genoken.core.batch import LossTerm

        targets = batch.targets["classes"]
        log_probabilities = _log_probabilities(outputs)
        weights = torch.tensor(self.class_weights(state), dtype=outputs.dtype, device=outputs.device)[targets]
        picked = log_probabilities.gather(1, targets.unsqueeze(1)).squeeze(1)
        if self.loss_kind == "focal":
            # Where p rounds to 1, powers below 1 have an infinite slope; the floor keeps gradients finite there.
            missing = (-picked.expm1()).clamp(min=SMALLEST_MISSING_PROBABILITY)
            losses = -weights * missing.pow(self.focal_gamma) * picked
        else:
            smoothing = self.label_smoothing
            losses = -weights * ((1 - smoothing) * picked + smoothing * log_probabilities.mean(dim=1))
        return LossTerm(total=losses.sum(), count=len(targets))

    def predict(self, outputs: Tensor, state: TargetState) -> Tensor:
        """Return probabilities of shape (samples, classes)."""
        return _log_probabilities(outputs).exp()

    def class_weights(self, state: TargetState) -> tuple[float, ...]:
        """Return the weight of each class."""
        if self.loss_kind == "focal" and self._alpha():
            return self._alpha()
        counts = np.asarray(state.class_counts, dtype=np.float64)
        weights = (counts.sum() / np.maximum(counts, 1)) ** self.class_weight_power
        return tuple(float(weight) for weight in weights * counts.sum() / (weights * counts).sum())

    def _alpha(self) -> tuple[float, ...]:
        """Return the focal loss's weight of each class; nothing where the class weights take its place."""
        alpha = self.focal_alpha
        return alpha if isinstance(alpha, tuple) else (1.0 - alpha, alpha)


def _log_probabilities(outputs: Tensor) -> Tensor:
    """Return log-probabilities (samples, classes) from one logit (of class 1 against class 0) or one logit per class."""
    import torch
    from torch.nn import functional

    outputs = outputs.float()
    if outputs.shape[1] == 1:
        return torch.cat([functional.logsigmoid(-outputs), functional.logsigmoid(outputs)], dim=1)
    return outputs.log_softmax(dim=1)
