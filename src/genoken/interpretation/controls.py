"""What says whether to believe an explanation: the content of ``controls.json``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from genoken.core.components import kind_of
from genoken.core.random import generator
from genoken.interpretation.aggregate import Aggregate
from genoken.interpretation.attention_weights import attention_matrix
from genoken.interpretation.attributed import Attributed
from genoken.interpretation.draw import SAMPLES_PER_CLASS, draw_controls
from genoken.interpretation.faithfulness import Controlled, deletion_curve, randomized_weights_correlation
from genoken.interpretation.gene_table import leading_genes
from genoken.interpretation.pool import model_agreement

ATTENTION_SAMPLES = 128
"""Samples over which attention between genes is averaged."""
ATTENTION_GENES = 30
"""Genes between which attention is shown."""
COMPLETENESS_LIMIT = 0.01
"""Relative completeness error from which on a warning is given."""


def controls_of(found: Attributed, ranking: pd.DataFrame, *, aggregate: Aggregate, seed: int) -> dict[str, Any]:
    """Return the controls of an attribution; ``docs/run-folder.md`` explains their keys.

    Parameters
    ----------
    found
        The attribution.
    ranking
        The table of all genes.
    aggregate
        How the samples of a class are put together.
    seed
        Seed of every draw.
    """
    method, chosen = found.method, draw_controls(found.draw, seed)
    controlled = _controlled(found, chosen)
    has_attention = any(part.subject.has_attention for part in found.parts)
    return {
        "method": kind_of(method),
        "completeness_error": found.completeness_error,
        "deletion": deletion_curve(controlled, signed=method.signed, seed=seed),
        "randomized_weights_correlation": randomized_weights_correlation(controlled, method, aggregate=aggregate, seed=seed),
        "fold_agreement": model_agreement(found.scores, found.draw.classes, aggregate),
        "attention": _attention(found, ranking, seed) if has_attention else None,
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


def _attention(found: Attributed, ranking: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Return the mean attention between the leading genes, over samples of all models."""
    drawn = np.arange(len(found.draw))
    if len(drawn) > ATTENTION_SAMPLES:
        drawn = np.sort(generator(seed, "attention").choice(drawn, ATTENTION_SAMPLES, replace=False))
    place = {name: index for index, name in enumerate(found.genes.feature_ids)}
    leading = [place[name] for name in leading_genes(ranking, ATTENTION_GENES)]
    sums, counts = np.zeros((len(leading),) * 2), np.zeros((len(leading),) * 2)
    for model, part in enumerate(found.parts):
        own = {gene: feature for feature, gene in enumerate(found.genes.columns[model])}
        known = np.array([index for index, gene in enumerate(leading) if gene in own], dtype=np.int64)
        features = np.array([own[leading[index]] for index in known], dtype=np.int64)
        rows = found.draw.rows[drawn[found.draw.models[drawn] == model]]
        means, samples = attention_matrix(part.subject, rows, features)
        sums[np.ix_(known, known)] += np.nan_to_num(means) * samples
        counts[np.ix_(known, known)] += samples
    matrix = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return {"genes": [found.genes.symbols[gene] for gene in leading], "matrix": matrix.tolist()}


def _notes(found: Attributed, num_controls: int) -> list[str]:
    """Return what must be known to read the explanation."""
    draw, subject = found.draw, found.parts[0].subject
    explained = "the output" if subject.target.task == "regression" else "the logit of each sample's class"
    if subject.target.task == "classification":
        explained += " (its label)" if subject.dataset.labels is not None else " (the predicted one, as there are no labels)"
    notes = [found.method.note, f"What is explained is {explained}; importance is not proof of a cause.", *_model_notes(found)]
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
    partly = int((~found.genes.known.all(axis=0)).sum())
    if partly:
        notes.append(
            f"{partly:,} of {len(found.genes.feature_ids):,} genes are in the vocabularies of some folds only; "
            "their importance is that in the samples of these folds."
        )
    return notes
