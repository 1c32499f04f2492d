"""Gradient times input."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from genoken.core.components import settings
from genoken.core.contracts import Attribution, Explained, TokenAttribution

TOKENS_PER_PASS = 8_192
"""Tokens that go through the network at once, gradients kept."""


@settings
class GradientTimesInput(Attribution):
    """The gradient of the output with respect to a token's value, times the value: the first-order effect of setting it to 0.

    Exact where the output is linear in the values, as on the linear path; elsewhere its sum is not the change of the output, and no
    completeness error is given.

    References
    ----------
    Shrikumar et al., "Not just a black box" (2016), arXiv:1605.01713.
    """

    signed: ClassVar[bool] = True
    note: ClassVar[str] = "Gradient times value: a first-order estimate of what happens when a gene's value is set to 0."

    def attribute(self, subject: Explained, rows: np.ndarray, classes: np.ndarray) -> TokenAttribution:
        """Return signed scores."""
        import torch

        from genoken.interpretation.attributions._scores import ScoreMatrix
        from genoken.interpretation.attributions._values import value_name, with_channels

        name = value_name(subject.layout)
        matrix = ScoreMatrix(len(rows), subject.layout)
        for positions in subject.passes(rows, TOKENS_PER_PASS):
            batch = subject.batch(rows[positions])
            values = batch.channels[name].float().detach().clone().requires_grad_()
            with torch.enable_grad():
                total = subject.class_scores(with_channels(batch, {name: values}), classes[positions]).sum()
                (gradient,) = torch.autograd.grad(total, values)
            matrix.put(positions, batch, (gradient * values).detach().double().cpu().numpy())
        return TokenAttribution(scores=matrix.to_csr())
