"""The mean rank of a token over several methods."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from genoken.core.components import resolve, settings
from genoken.core.contracts import Attribution, Explained, TokenAttribution
from genoken.core.errors import ConfigError


@settings
class RankEnsemble(Attribution):
    """The mean over methods of a token's rank by magnitude within its sample, from 0 (lowest) to 1 (highest).

    Ranks make scores of different scales comparable; the sign is lost. Tied tokens share their mean rank. The completeness error is
    that of the members that have one (the largest). Attention takes part where the encoder has any.
    """

    signed: ClassVar[bool] = False
    note: ClassVar[str] = (
        "Mean rank by magnitude over several methods (attention among them where the encoder has any): the sign is lost, "
        "and a token is compared within its sample only."
    )

    members: tuple[str, ...] = ("integrated_gradients", "gradient", "attention")
    """Kinds of the methods, each with its default settings."""

    def attribute(self, subject: Explained, rows: np.ndarray, classes: np.ndarray) -> TokenAttribution:
        """Return mean ranks between 0 and 1.

        Raises
        ------
        ConfigError
            When there are no members, one of them is an ensemble or unknown, or attention is the only one and there is none.
        """
        if not self.members or "ensemble" in self.members:
            raise ConfigError(
                "an ensemble needs members that are no ensembles", remedy="for example integrated_gradients, attention"
            )
        others = tuple(kind for kind in self.members if kind != "attention")
        members = others if others and not (subject.has_attention or subject.has_pooling_weights) else self.members
        found = [resolve("attributions", kind)().attribute(subject, rows, classes) for kind in members]
        ranks = [ranks_within_samples(part.scores) for part in found]
        scores = found[0].scores.copy()
        scores.data = np.mean([part.data for part in ranks], axis=0)
        complete = [part for part in found if part.completeness_error is not None]
        worst = max(complete, key=lambda part: part.completeness_error or 0.0, default=None)
        return TokenAttribution(scores, *((worst.errors, worst.changes) if worst else (None, None)))


def ranks_within_samples(scores: sp.csr_matrix) -> sp.csr_matrix:
    """Return each stored score's rank by magnitude within its row, ``(rank - 1) / (tokens - 1)``; 1 for a token that is alone."""
    from scipy.stats import rankdata

    ranks = scores.copy()
    for start, end in zip(scores.indptr[:-1], scores.indptr[1:], strict=True):
        if end > start:
            ranks.data[start:end] = (rankdata(np.abs(scores.data[start:end])) - 1) / (end - start - 1) if end - start > 1 else 1.0
    return ranks
