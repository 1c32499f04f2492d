"""Gradients averaged over noisy copies of the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import Attribution, Explained, TokenAttribution

if TYPE_CHECKING:
    from torch import Tensor

    from genoken.core.batch import Batch

TOKENS_PER_PASS = 8_192
"""Tokens that go through the network at once, gradients kept."""


@settings
class SmoothGrad(Attribution):
    r"""The gradient averaged over noisy copies of a sample, times the input less the baseline.

    .. math:: a_g = (x_g - b_g) \frac1n \sum_{k=1}^{n} \left.\frac{\partial f}{\partial x_g}\right|_{x + \epsilon_k}, \qquad
        \epsilon_k \sim N(0, \sigma^2 (\max x - \min x)^2)

    Input and baseline are those of integrated gradients. The noise of a copy depends on the seed, the copy and the sample's row
    alone, so that samples explained together or apart have the same scores. The source averages the gradient itself; times the
    input less the baseline it is on the scale of the other methods. Its sum is not the change of the output.

    References
    ----------
    Smilkov et al., "SmoothGrad: removing noise by adding noise" (2017), arXiv:1706.03825.
    """

    signed: ClassVar[bool] = True
    note: ClassVar[str] = "Gradients averaged over noisy copies of a sample, times value: jumps of the gradient average out."
    note_without_numbers: ClassVar[str] = (
        "Gradients averaged over noisy copies of the tokens' vectors, times the difference from the vectors of hidden features."
    )
    note_for_variants: ClassVar[str] = (
        "Gradients averaged over noisy copies of a sample's genotypes, times the genotype's difference from the train mean."
    )

    draws: Annotated[int, Field(ge=1, le=1024)] = 16
    """Noisy copies of each sample."""
    noise: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Standard deviation of the noise, as a share of the distance from a sample's lowest to its highest input."""
    seed: int = 0
    """Seed of the noise."""

    def attribute(self, subject: Explained, rows: np.ndarray, classes: np.ndarray) -> TokenAttribution:
        """Return signed scores."""
        from genoken.interpretation.attributions._inputs import input_of
        from genoken.interpretation.attributions._scores import ScoreMatrix

        matrix = ScoreMatrix(len(rows), subject.layout)
        for positions in subject.passes(rows, TOKENS_PER_PASS):
            batch = subject.batch(rows[positions])
            taken = input_of(subject, batch)
            total = 0.0 * taken.observed
            for draw in range(self.draws):
                noisy = taken.observed + self._noise(taken.observed, batch, draw)
                total += taken.gradient(batch, noisy, classes[positions])
            matrix.put(positions, batch, taken.per_token(total / self.draws * (taken.observed - taken.baseline)))
        return TokenAttribution(scores=matrix.to_csr())

    def _noise(self, observed: Tensor, batch: Batch, draw: int) -> Tensor:
        """Return the noise of one copy of each sample, of the shape of its inputs."""
        import torch

        from genoken.core.random import generator

        parts = []
        for row, inputs in zip(batch.rows.tolist(), observed.split(batch.lengths), strict=True):
            drawn = generator(self.seed, "smoothgrad", draw, int(row)).standard_normal(tuple(inputs.shape), dtype=np.float32)
            parts.append(torch.from_numpy(drawn).to(inputs) * (self.noise * (inputs.max() - inputs.min())))
        return torch.cat(parts)
