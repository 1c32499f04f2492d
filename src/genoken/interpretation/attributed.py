"""Attributions of the drawn samples, each by its own model, on one list of genes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from genoken.core.contracts import Attribution, TokenAttribution
from genoken.interpretation.draw import Draw, Part
from genoken.interpretation.pool import GeneUnion, PooledMatrix
from genoken.interpretation.subject import Subject

_ROWS_PER_CALL = 32
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
    parts: Sequence[Part], draw: Draw, method: Attribution, on_samples: Callable[[int], None] | None = None
) -> Attributed:
    """Attribute each drawn sample by its own model; ``on_samples`` is told how many more are done."""
    genes = union_of(parts)
    scores, whole = [], []
    for model, part in enumerate(parts):
        own = draw.of_model(model)
        if len(own):
            found = _attribute(part.subject, method, draw.rows[own], draw.classes[own], on_samples)
            scores.append(genes.spread(found.scores, model))
            whole.append(found)
    pooled = _joined(whole, sp.vstack(scores, format="csr"))
    return Attributed(parts, draw, method, genes, PooledMatrix(pooled.scores, draw.models, genes.known), pooled.completeness_error)


def union_of(parts: Sequence[Part]) -> GeneUnion:
    """Return the genes of all models."""
    return GeneUnion.of([(part.subject.dataset.state.feature_ids, part.symbols) for part in parts])


def _attribute(
    subject: Subject, method: Attribution, rows: np.ndarray, classes: np.ndarray, on_samples: Callable[[int], None] | None
) -> TokenAttribution:
    """Attribute in calls of samples of similar length, and return the calls' results as one, in the order of ``rows``."""
    order = np.argsort(subject.dataset.lengths()[rows], kind="stable")
    calls = []
    for start in range(0, len(rows), _ROWS_PER_CALL):
        chosen = order[start : start + _ROWS_PER_CALL]
        calls.append(method.attribute(subject, rows[chosen], classes[chosen]))
        if on_samples is not None:
            on_samples(len(chosen))
    found = _joined(calls, sp.vstack([call.scores for call in calls], format="csr"))
    back = np.argsort(order)
    return TokenAttribution(
        scores=found.scores[back],
        errors=None if found.errors is None else found.errors[back],
        changes=None if found.changes is None else found.changes[back],
    )


def _joined(found: Sequence[TokenAttribution], scores: sp.csr_matrix) -> TokenAttribution:
    """Return these scores with the errors of all results, one after the other."""
    errors = [part.errors for part in found if part.errors is not None]
    changes = [part.changes for part in found if part.changes is not None]
    return TokenAttribution(
        scores=scores,
        errors=np.concatenate(errors) if errors else None,
        changes=np.concatenate(changes) if changes else None,
    )
