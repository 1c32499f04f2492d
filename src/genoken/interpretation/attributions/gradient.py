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
    completeness error is given. Where tokens hold no numbers, the gradient is taken of the token's vector, and multiplied with its
    difference from the vector of a hidden token: the first-order effect of hiding it. Genotypes are held against their train mean.

    References
    ----------
    Shrikumar et al., "Not just a black box" (2016), arXiv:1605.01713.
    """

    signed: ClassVar[bool] = True
    note: ClassVar[str] = "Gradient times value: a first-order estimate of what happens when a gene's value is set to 0."
    note_without_numbers: ClassVar[str] = (
        "Gradient times vector: a first-order estimate of what happens when a feature's token is replaced by that of a hidden one."
    )
    note_for_variants: ClassVar[str] = (
        "Gradient times the genotype's difference from the train mean: a first-order estimate of what happens when a variant's "
        "genotype is set to that of the average person."
    )

    def attribute(self, subject: Explained, rows: np.ndarray, classes: np.ndarray) -> TokenAttribution:
        """Return signed scores."""
        from genoken.interpretation.attributions._inputs import input_of
        from genoken.interpretation.attributions._scores import ScoreMatrix

        matrix = ScoreMatrix(len(rows), subject.layout)
        for positions in subject.passes(rows, TOKENS_PER_PASS):
            batch = subject.batch(rows[positions])
            taken = input_of(subject, batch)
            gradient = taken.gradient(batch, taken.observed, classes[positions])
            matrix.put(positions, batch, taken.per_token(gradient * (taken.observed - taken.baseline)))
        return TokenAttribution(scores=matrix.to_csr())
