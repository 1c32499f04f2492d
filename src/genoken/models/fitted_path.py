"""The linear path of a supervised network where it was fitted beforehand, and is not learned by steps."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genoken.core.batch import Batch
from genoken.core.layout import Layout
from genoken.models.embeddings import EmbeddingStart, FeatureBag
from genoken.models.path_start import PathStart


class FittedPath(FeatureBag):
    """The bag with the weights of :class:`PathStart`, which stay as they are.

    In training a sample gets what the fit that has not seen it says, otherwise what the whole fit says. Only the latter is written;
    it reads back as a plain bag.

    Parameters
    ----------
    layout
        What the tokenizer emits.
    path
        The fits; rows of a training batch are places in the train part that they are about.
    start
        Moments of the train split.
    """

    fold_weight: Tensor
    fold_bias: Tensor
    fold_of_sample: Tensor

    def __init__(self, layout: Layout, path: PathStart, start: EmbeddingStart) -> None:
        super().__init__(layout, len(path.intercept), start, zero_start=True)
        weight, bias = self._standardized(path.weights, path.intercept)
        with torch.no_grad():
            self.weight.copy_(weight)
            self.bias.copy_(bias)
        self.requires_grad_(requires_grad=False)
        self.num_folds = len(path.fold_weights)
        found = [self._standardized(*fit) for fit in zip(path.fold_weights, path.fold_intercepts, strict=True)]
        if found:
            self.register_buffer("fold_weight", torch.cat([weight for weight, _ in found], dim=1), persistent=False)
            self.register_buffer("fold_bias", torch.cat([bias for _, bias in found]), persistent=False)
            self.register_buffer("fold_of_sample", torch.from_numpy(path.fold_of_sample), persistent=False)

    def _standardized(self, weights: np.ndarray, intercept: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return weights on standardized values, and the bias beside them."""
        own = weights / self.scale.double().numpy()[:, None]
        bias = intercept + self.shift.double().numpy() @ own
        return torch.tensor(own, dtype=torch.float32), torch.tensor(bias, dtype=torch.float32)

    def forward(self, batch: Batch) -> Tensor:
        """Return sums of shape (samples, outputs), in float32."""
        if not (self.training and self.num_folds):
            return super().forward(batch)
        sums = self.sums(batch, self.fold_weight, self.fold_bias).unflatten(1, (self.num_folds, -1))
        return sums[torch.arange(len(sums), device=sums.device), self.fold_of_sample[batch.rows]]
