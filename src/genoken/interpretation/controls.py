"""What says whether to believe an explanation: the content of ``controls.json``."""

from __future__ import annotations

from typing import Any

import numpy as np

from genoken.core.components import kind_of
from genoken.core.feature_words import noun_of_state
from genoken.interpretation.aggregate import Aggregate
from genoken.interpretation.attributed import Attributed
from genoken.interpretation.draw import SAMPLES_PER_CLASS, draw_controls
from genoken.interpretation.faithfulness import Controlled, deletion_curve, randomized_weights_correlation
from genoken.interpretation.gene_attention import PooledAttention
from genoken.interpretation.pool import model_agreement

COMPLETENESS_LIMIT = 0.01
"""Relative completeness error from which on a warning is given."""


def controls_of(found: Attributed, attention: PooledAttention | None, *, aggregate: Aggregate, seed: int) -> dict[str, Any]:
    """Return the controls of an attribution; ``docs/run-folder.md`` explains their keys.

    Parameters
    ----------
    found
        The attribution.
    attention
        Attention between the leading genes, where the models have any.
    aggregate
        How the samples of a class are put together.
    seed
        Seed of every draw.
    """
    method, chosen = found.method, draw_controls(found.draw, seed)
    controlled = _controlled(found, chosen)
    return {
        "method": kind_of(method),
        "completeness_error": found.completeness_error,
        "deletion": deletion_curve(controlled, signed=method.signed, seed=seed),
        "randomized_weights_correlation": randomized_weights_correlation(controlled, method, aggregate=aggregate, seed=seed),
        "fold_agreement": model_agreement(found.scores, found.draw.classes, aggregate),
        "attention": None if attention is None else _matrix(attention),
        "notes": _notes(found, len(chosen)),
    }


def _controlled(found: Attributed, chosen: np.ndarray) -> list[Controlled]:
    """Return the chosen samples with their scores, each under its own model."""
    controlled = []
    for model, part in enumerate(found.parts):
        own = chosen[found.draw.models[chosen] == model]
        if len(own):
            scores = found.genes.gather(found.scores.matrix[own], model)
            controlled.append(Controlled(part.subject, found.draw.rows[own], found.draw.classes[own], scores))
    return controlled


def _matrix(attention: PooledAttention) -> dict[str, Any]:
    """Return the mean attention between the leading genes, over samples, layers and heads."""
    return {"genes": list(attention.symbols), "matrix": attention.mean_matrix().tolist()}


def _notes(found: Attributed, num_controls: int) -> list[str]:
    """Return what must be known to read the explanation."""
    draw, subject = found.draw, found.parts[0].subject
    explained = "the output" if subject.target.task == "regression" else "the logit of each sample's class"
    if subject.target.task == "classification":
        explained += " (its label)" if subject.dataset.labels is not None else " (the predicted one, as there are no labels)"
    method = found.method
    note = (method.note if subject.layout.has_numbers else method.note_without_numbers) or method.note
    if subject.population is not None:
        note = method.note_for_variants or note
    notes = [note, f"What is explained is {explained}; importance is not proof of a cause.", *_model_notes(found)]
    if len(draw) < draw.num_offered:
        share = f"{len(draw):,} of {draw.num_offered:,} samples"
        notes.append(f"{share} are explained: at most {SAMPLES_PER_CLASS} per class, drawn by the seed.")
    notes.append(f"The deletion curve and the randomized weights rest on {num_controls:,} of them.")
    if len(np.unique(draw.members)) < len(draw.names):
        missing = [name for code, name in enumerate(draw.names) if code not in draw.members]
        notes.append(f"No sample of: {', '.join(missing)}.")
    error = found.completeness_error
    if error is not None and error >= COMPLETENESS_LIMIT:
        notes.append(
            f"Warning: the importances miss the change of the output by {error:.1%}; integrated gradients need more steps."
        )
    return notes


def _model_notes(found: Attributed) -> list[str]:
    """Return what follows from explaining several models."""
    count = len(found.parts)
    if count == 1:
        return []
    notes = [f"Each sample is explained by the model of the fold that tested it, which never saw it ({count} models)."]
    noun = noun_of_state(found.parts[0].subject.dataset.state)
    partly = int((~found.genes.known.all(axis=0)).sum())
    if partly:
        notes.append(
            f"{partly:,} of {len(found.genes.feature_ids):,} {noun}s are in the vocabularies of some folds only; "
            "their importance is that in the samples of these folds."
        )
    return notes
