"""Integrated gradients over the tokens' values, or their vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import Attribution, Explained, TokenAttribution

if TYPE_CHECKING:
    from torch import Tensor

    from genoken.core.batch import Batch

FIRST_STEPS = 6
"""Points on the path that are tried first."""
TOLERANCE = 1e-3
"""Completeness error from which on a sample is integrated again with twice the points; a tenth of what is reported as a warning."""
SMALLEST_CHANGE = 0.1
"""Change of the output below which the error is judged against this instead."""
STEPS_OF_VECTORS = 8
"""Factor on the most points where the path goes through the tokens' vectors."""
TOKENS_PER_PASS = 8_192
"""Tokens that go through the network at once, gradients kept."""


@settings
class IntegratedGradients(Attribution):
    r"""The gradient with respect to a token's value, averaged on the way from value 0 to the value, times the value.

    .. math:: a_g = x_g \int_0^1 \frac{\partial f(\alpha x)}{\partial x_g} d\alpha

    The baseline is the same sample with the same tokens, all with value 0: what is explained is how much is expressed, given which
    genes are tokens. A gene that is no token has the baseline's value and a score of 0. The scores of a sample sum to
    ``f(x) - f(0)`` (completeness); the linear path takes part, its constant cancels. The integral is a Gauss-Legendre sum, computed
    by Captum; a sample starts with 6 points, and the number is doubled up to ``steps`` while its sum misses by more than 0.1 %.

    Tokens without numbers, such as ranks and bins, have no value to be 0. There the path goes through the tokens' vectors, from
    those of hidden genes in the same places, and a token's score is the sum over its vector: what is explained is which genes are
    tokens, and with which bin or rank. Norms bend that path more, so it takes ``STEPS_OF_VECTORS`` times as many points at most.
    Genotypes are held against their train mean, the average person: scores then stay the same when the other allele is counted.

    References
    ----------
    Sundararajan et al., "Axiomatic attribution for deep networks" (2017), arXiv:1703.01365. Kokhlikyan et al., "Captum" (2020),
    arXiv:2009.07896.
    """

    signed: ClassVar[bool] = True
    note: ClassVar[str] = (
        "Integrated gradients over the values; the baseline is the same sample with the same tokens at value 0, "
        "so genes that are not expressed score 0."
    )
    note_without_numbers: ClassVar[str] = (
        "Integrated gradients over the tokens' vectors, because ranks and bins are no numbers; the baseline is the same sample "
        "with a hidden feature in each place, so what is no token scores 0."
    )
    note_for_variants: ClassVar[str] = (
        "Integrated gradients over the genotypes; the baseline is the average person of the train split, so that it does not "
        "matter which allele is counted."
    )

    steps: Annotated[int, Field(ge=1, le=4096)] = 32
    """Most points on the path."""

    def attribute(self, subject: Explained, rows: np.ndarray, classes: np.ndarray) -> TokenAttribution:
        """Return signed scores with the completeness error of each sample."""
        from genoken.interpretation.attributions._inputs import sample_sums
        from genoken.interpretation.attributions._scores import ScoreMatrix

        matrix = ScoreMatrix(len(rows), subject.layout)
        errors, changes = np.zeros(len(rows)), np.zeros(len(rows))
        most = self.steps if subject.layout.has_numbers else self.steps * STEPS_OF_VECTORS
        pending, steps = np.arange(len(rows)), min(FIRST_STEPS, most)
        while len(pending):
            for chosen in subject.passes(rows[pending], TOKENS_PER_PASS // steps):
                positions = pending[chosen]
                batch = subject.batch(rows[positions])
                scores = _integrate(subject, batch, classes[positions], steps)
                change = _change(subject, batch, classes[positions])
                matrix.put(positions, batch, scores)
                errors[positions] = np.abs(sample_sums(scores, batch) - change)
                changes[positions] = np.abs(change)
            misses = errors[pending] > TOLERANCE * np.maximum(changes[pending], SMALLEST_CHANGE)
            pending = pending[misses] if steps < most else pending[:0]
            steps = min(2 * steps, most)
        return TokenAttribution(scores=matrix.to_csr(), errors=errors, changes=changes)


def _integrate(subject: Explained, batch: Batch, classes: np.ndarray, steps: int) -> np.ndarray:
    """Return scores (tokens,) of a batch."""
    from captum.attr import IntegratedGradients as CaptumIntegratedGradients

    from genoken.interpretation.attributions._inputs import input_of, repeat_samples

    taken = input_of(subject, batch)
    repeated, order = repeat_samples(batch, steps)
    repeated_classes = np.repeat(classes, steps)

    def total_score(inputs: Tensor) -> Tensor:
        # Captum lays all points of the path one after the other; samples do not see each other, so the gradient of the sum over
        # samples and points holds the gradient of each.
        return taken.class_scores(repeated, inputs.index_select(0, order), repeated_classes).sum().unsqueeze(0)

    found = CaptumIntegratedGradients(total_score).attribute(
        taken.observed, baselines=taken.baseline, n_steps=steps, method="gausslegendre"
    )
    return taken.per_token(found)


def _change(subject: Explained, batch: Batch, classes: np.ndarray) -> np.ndarray:
    """Return ``f(sample) - f(baseline)`` of each sample."""
    import torch

    from genoken.interpretation.attributions._inputs import input_of

    taken = input_of(subject, batch)
    with torch.no_grad():
        full = subject.class_scores(batch, classes).double()
        return (full - taken.class_scores(batch, taken.baseline, classes).double()).cpu().numpy()
