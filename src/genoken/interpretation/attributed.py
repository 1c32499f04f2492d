"""Attributions of the drawn samples, each by its own model, on one list of genes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from genoken.core.contracts import Attribution, TokenAttribution
from genoken.interpretation.draw import Draw, Part
from genoken.interpretation.pool import GeneUnion, PooledMatrix
from genoken.interpretation.shards import ONE_PROCESS, Shard
from genoken.interpretation.subject import Subject

_ROWS_PER_CALL = 8
"""Samples that an attribution gets at once, for progress."""


@dataclass(frozen=True)
class Attributed:
    """What a method found in the drawn samples.

    Parameters
    ----------
    parts, draw
        Which samples of which models.
    method
        The attribution.
    genes
        The genes of all models.
    scores
        Scores of the drawn samples over these genes.
    completeness_error
        See :class:`genoken.core.contracts.TokenAttribution`.
    """

    parts: Sequence[Part]
    draw: Draw
    method: Attribution
    genes: GeneUnion
    scores: PooledMatrix
    completeness_error: float | None


def attribute_draw(
    parts: Sequence[Part],
    draw: Draw,
    method: Attribution,
    on_samples: Callable[[int], None] | None = None,
    shard: Shard = ONE_PROCESS,
) -> Attributed:
    """Attribute each drawn sample by its own model; ``on_samples`` is told how many more this process has done."""
    genes = union_of(parts)
    calls = [call for model, part in enumerate(parts) for call in _calls(part.subject, draw, draw.of_model(model))]

    def attribute(positions: np.ndarray) -> TokenAttribution:
        subject = parts[draw.models[positions[0]]].subject
        found = method.attribute(subject, draw.rows[positions], draw.classes[positions])
        if on_samples is not None:
            on_samples(len(positions))
        return found

    found = shard.map(attribute, calls)
    spread = [genes.spread(part.scores, draw.models[call[0]]) for part, call in zip(found, calls, strict=True)]
    back = np.argsort(np.concatenate(calls), kind="stable")
    pooled = _joined(found, sp.vstack(spread, format="csr"))
    scores = PooledMatrix(pooled.scores[back], draw.models, genes.known)
    return Attributed(parts, draw, method, genes, scores, pooled.completeness_error)


def union_of(parts: Sequence[Part]) -> GeneUnion:
    """Return the genes of all models."""
    return GeneUnion.of([(part.subject.dataset.state.feature_ids, part.symbols) for part in parts])


def _calls(subject: Subject, draw: Draw, own: np.ndarray) -> list[np.ndarray]:
    """Return positions of a model's drawn samples in calls of at most :data:`_ROWS_PER_CALL`, those of similar length together."""
    order = own[np.argsort(subject.dataset.lengths()[draw.rows[own]], kind="stable")]
    return [order[start : start + _ROWS_PER_CALL] for start in range(0, len(order), _ROWS_PER_CALL)]


def _joined(found: Sequence[TokenAttribution], scores: sp.csr_matrix) -> TokenAttribution:
    """Return these scores with the errors of all results, one after the other."""
    errors = [part.errors for part in found if part.errors is not None]
    changes = [part.changes for part in found if part.changes is not None]
    return TokenAttribution(
        scores=scores,
        errors=np.concatenate(errors) if errors else None,
        changes=np.concatenate(changes) if changes else None,
    )
