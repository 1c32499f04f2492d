"""What changes when a variant's genotype is another one: measured by running the network, variant by variant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from genoken.core.components import settings
from genoken.core.contracts import Attribution, Explained, TokenAttribution
from genoken.core.errors import ConfigError
from genoken.core.genotypes import Population

if TYPE_CHECKING:
    from genoken.core.batch import Batch

TOKENS_PER_PASS = 65_536
"""Tokens that go through the network at once, without gradients."""


@settings
class AlleleFlip(Attribution):
    r"""The output less what it is, on average, with another genotype at one variant and everything else as it is.

    .. math:: a_j = f(x) - \sum_g w_{jg} f(x \text{ with genotype } g \text{ at } j)

    No gradient and no path: each altered sample runs through the network, so that steps and interactions count as they are. It
    takes up to ``samples * variants * genotypes`` runs. Where the output is linear in the dosage with slope :math:`\beta_j`,
    ``population`` gives :math:`\beta_j (x_j - 2 p_j)`, and so does ``missing`` where tokens hold the dosage alone.
    """

    signed: ClassVar[bool] = True
    note: ClassVar[str] = (
        "Change of the output when the genotype of one variant is another: exact for one variant, blind to variants that stand in "
        "for each other."
    )

    to: Literal["population", "others", "missing"] = "population"
    """The other genotype: those of the train samples in their shares, the sample's own among them; the same without its own; or a
    missing call."""

    def attribute(self, subject: Explained, rows: np.ndarray, classes: np.ndarray) -> TokenAttribution:
        """Return signed scores; one sample's altered copies are in memory at a time.

        Raises
        ------
        ConfigError
            When the features are no variants.
        """
        import torch

        from genoken.interpretation.attributions._scores import ScoreMatrix

        population = subject.population
        if population is None:
            raise ConfigError(
                "the method 'allele_flip' needs genotypes, and these features are no variants",
                remedy="use --method integrated_gradients, gradient, smoothgrad or ensemble",
            )
        if self.to == "missing":
            population = Population((float("nan"),), np.ones((subject.layout.num_features, 1)))
        others = [subject.uniform_batch(value) for value in population.values]
        matrix = ScoreMatrix(len(rows), subject.layout)
        with torch.no_grad():
            for position, row in enumerate(rows):
                batch = subject.batch(np.array([row]))
                scores = self._scores(subject, batch, int(classes[position]), others, population.shares)
                matrix.put(np.array([position]), batch, np.concatenate([np.zeros(batch.num_tokens - len(scores)), scores]))
        return TokenAttribution(scores=matrix.to_csr())

    def _scores(self, subject: Explained, batch: Batch, code: int, others: list[Batch], shares: np.ndarray) -> np.ndarray:
        """Return the score of each variant of one sample; its tokens are the last of the sample's."""
        own = float(subject.class_scores(batch, np.array([code])))
        is_own = np.stack([_same_tokens(batch, other)[-len(shares) :] for other in others], axis=1)
        weights = np.where(is_own, 0.0, shares) if self.to == "others" else shares
        total = weights.sum(axis=1, keepdims=True)
        weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        changes = np.zeros_like(weights)
        for genotype, other in enumerate(others):
            wanted = np.flatnonzero(~is_own[:, genotype] & (weights[:, genotype] > 0))
            changes[wanted, genotype] = own - _altered_outputs(subject, batch, other, wanted, code)
        return (weights * changes).sum(axis=1)


def _same_tokens(batch: Batch, other: Batch) -> np.ndarray:
    """Return which tokens of two samples are the same, bool (tokens,)."""
    import torch

    equal = [channel == other.channels[name] for name, channel in batch.channels.items()]
    return torch.stack(equal).all(dim=0).cpu().numpy()


def _altered_outputs(subject: Explained, batch: Batch, other: Batch, variants: np.ndarray, code: int) -> np.ndarray:
    """Return the output of copies of a sample, float64 (variants,), each with the other sample's token of one variant."""
    import torch

    from genoken.interpretation.attributions._inputs import repeat_samples

    first = batch.num_tokens - subject.layout.num_features
    at_once = max(1, TOKENS_PER_PASS // batch.num_tokens)
    outputs = [np.zeros(0)]
    for start in range(0, len(variants), at_once):
        chosen = torch.from_numpy(first + variants[start : start + at_once]).to(batch.offsets.device)
        copies, _ = repeat_samples(batch, len(chosen))
        places = torch.arange(len(chosen), device=chosen.device) * batch.num_tokens + chosen
        channels = {name: channel.index_copy(0, places, other.channels[name][chosen]) for name, channel in copies.channels.items()}
        scores = subject.class_scores(replace(copies, channels=channels), np.full(len(chosen), code))
        outputs.append(scores.double().cpu().numpy())
    return np.concatenate(outputs)
