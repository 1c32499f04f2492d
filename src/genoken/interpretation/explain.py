"""Which genes a network's outputs rest on, with the controls that say whether to believe it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.components import kind_of, kinds, resolve
from genoken.core.contracts import Attribution, TokenAttribution
from genoken.core.errors import ConfigError, DataError, suggestion
from genoken.core.files import write_json, write_text
from genoken.core.random import generator
from genoken.interpretation.aggregate import Aggregate, gene_table, leading_genes, top_rows, value_correlations
from genoken.interpretation.attention_weights import attention_matrix
from genoken.interpretation.export import export_rnk
from genoken.interpretation.faithfulness import deletion_curve, randomized_weights_correlation
from genoken.interpretation.subject import Subject

SAMPLES_PER_CLASS = 200
"""Most samples of a class or group that are explained."""
CONTROL_SAMPLES = 32
"""Samples on which the deletion curve and the randomized weights are computed, about."""
ATTENTION_SAMPLES = 128
"""Samples over which attention between genes is averaged."""
ATTENTION_GENES = 30
"""Genes between which attention is shown."""
COMPLETENESS_LIMIT = 0.01
"""Relative completeness error from which on a warning is given."""
_ROWS_PER_CALL = 32
"""Samples that an attribution gets at once, for progress."""


@dataclass(frozen=True)
class Explanation:
    """What was found.

    Parameters
    ----------
    genes
        The top genes of each class: ``class, feature_id, symbol, rank, importance, stability, method, correlation``.
    ranking
        The same for all genes of the vocabulary.
    controls
        Content of ``controls.json``.
    """

    genes: pd.DataFrame
    ranking: pd.DataFrame
    controls: dict[str, Any]


@dataclass(frozen=True)
class _Draw:
    """The samples that are explained: rows, class of interest, and index of the table's class or group."""

    rows: np.ndarray
    classes: np.ndarray
    members: np.ndarray
    names: tuple[str, ...]
    num_offered: int


def explain_subject(
    subject: Subject,
    *,
    rows: np.ndarray,
    symbols: Sequence[str],
    seed: int,
    method: str | Attribution = "integrated_gradients",
    aggregate: Aggregate = "mean",
    groups: np.ndarray | None = None,
    top: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> Explanation:
    """Attribute the output for each sample's own class to its genes, and check the attribution.

    A sample's class of interest is its label where the data set has labels, else the predicted class. At most 200 samples per
    class (or group), drawn by ``seed``, are explained.

    Parameters
    ----------
    subject
        The network and its samples.
    rows
        Samples to explain.
    symbols
        Symbol of each feature of the vocabulary.
    seed
        Seed of every draw.
    method
        Kind of an attribution, or one with settings of its own.
    aggregate
        How the samples of a class are put together: ``mean``, ``max`` (largest magnitude) or ``median``.
    groups
        Group name of each of ``rows``; then the table is per group instead of per class.
    top
        Genes per class in :attr:`Explanation.genes`; 0 for all.
    on_progress
        Called with the share that is done, from 0 to 1.

    Returns
    -------
    Explanation
        Genes and controls.

    Raises
    ------
    DataError
        When there is no sample.
    ConfigError
        When the method is unknown, or the network lacks what it needs.
    """
    attribution = _attribution(method)
    draw = _draw_samples(subject, np.asarray(rows, dtype=np.int64), groups, seed)
    progress = _Progress(on_progress, 1.6 * len(draw.rows))
    found = _attribute(subject, attribution, draw.rows, draw.classes, progress)
    correlations = value_correlations(subject.dataset.prepared[draw.rows], _targets(subject, draw, grouped=groups is not None))
    ranking = gene_table(
        found.scores,
        draw.members,
        draw.names,
        correlations,
        feature_ids=subject.dataset.state.feature_ids,
        symbols=symbols,
        aggregate=aggregate,
        method=kind_of(attribution),
        seed=seed,
    )
    controls = _controls(subject, attribution, draw, found, ranking, symbols, aggregate=aggregate, seed=seed)
    progress.finish()
    return Explanation(top_rows(ranking, top), ranking, controls)


def export_explanation(explanation: Explanation, folder: Path) -> None:
    """Write ``genes.tsv``, one ``.rnk`` file per class with all genes, and ``controls.json``; each is whole or absent."""
    folder = Path(folder)
    write_text(folder / "genes.tsv", explanation.genes.to_csv(sep="\t", index=False, lineterminator="\n"))
    export_rnk(explanation.ranking, folder)
    write_json(folder / "controls.json", explanation.controls)


class _Progress:
    """Counts samples towards a total."""

    def __init__(self, on_progress: Callable[[float], None] | None, total: float) -> None:
        self._report, self._total, self._done = on_progress, max(total, 1.0), 0

    def advance(self, samples: int) -> None:
        """Note that some more samples are done."""
        self._done += samples
        if self._report is not None:
            self._report(min(self._done / self._total, 1.0))

    def finish(self) -> None:
        """Note that all is done."""
        if self._report is not None:
            self._report(1.0)


def _attribution(method: str | Attribution) -> Attribution:
    if isinstance(method, Attribution):
        return method
    if method not in kinds("attributions"):
        raise ConfigError(f"there is no method '{method}'", remedy=suggestion(method, kinds("attributions"), "methods"))
    return resolve("attributions", method)()


def _draw_samples(subject: Subject, rows: np.ndarray, groups: np.ndarray | None, seed: int) -> _Draw:
    if len(rows) == 0:
        raise DataError("there is no sample to explain")
    classes = subject.classes_of_interest(rows)
    if groups is not None:
        names, members = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    elif subject.target.task == "classification":
        names, members = np.asarray(subject.target.classes), classes
    else:
        names, members = np.asarray([subject.target.label]), classes
    chosen = draw_per_class(members, SAMPLES_PER_CLASS, seed)
    return _Draw(rows[chosen], classes[chosen], members[chosen], tuple(str(name) for name in names), len(rows))


def draw_per_class(members: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return ascending positions of at most ``count`` samples of each class, drawn by ``seed``; all of a class that has no more."""
    chosen = []
    for code in np.unique(members):
        own = np.flatnonzero(members == code)
        chosen.append(own if len(own) <= count else generator(seed, "explain", int(code)).choice(own, count, replace=False))
    return np.sort(np.concatenate([*chosen, np.zeros(0, dtype=np.int64)]))


def _attribute(
    subject: Subject, attribution: Attribution, rows: np.ndarray, classes: np.ndarray, progress: _Progress
) -> TokenAttribution:
    """Attribute in calls of samples of similar length, and return the parts as one, in the order of ``rows``."""
    order = np.argsort(subject.dataset.lengths()[rows], kind="stable")
    parts = []
    for start in range(0, len(rows), _ROWS_PER_CALL):
        chosen = order[start : start + _ROWS_PER_CALL]
        parts.append(attribution.attribute(subject, rows[chosen], classes[chosen]))
        progress.advance(len(chosen))
    back = np.argsort(order)
    errors = [part.errors for part in parts if part.errors is not None]
    changes = [part.changes for part in parts if part.changes is not None]
    return TokenAttribution(
        scores=sp.vstack([part.scores for part in parts], format="csr")[back],
        errors=np.concatenate(errors)[back] if errors else None,
        changes=np.concatenate(changes)[back] if changes else None,
    )


def _targets(subject: Subject, draw: _Draw, *, grouped: bool) -> np.ndarray:
    """Return what the genes' values are correlated with, shape (samples, names): indicators, or the regression's target."""
    if subject.target.task == "regression" and not grouped:
        labels = subject.dataset.labels
        return (subject.predictions(draw.rows) if labels is None else np.asarray(labels, dtype=np.float64)[draw.rows])[:, None]
    return (draw.members[:, None] == np.arange(len(draw.names))).astype(np.float64)


def _controls(
    subject: Subject,
    attribution: Attribution,
    draw: _Draw,
    found: TokenAttribution,
    ranking: pd.DataFrame,
    symbols: Sequence[str],
    *,
    aggregate: Aggregate,
    seed: int,
) -> dict[str, Any]:
    per_class = max(1, CONTROL_SAMPLES // len(np.unique(draw.classes)))
    chosen = draw_per_class(draw.classes, per_class, seed)
    rows, classes, scores = draw.rows[chosen], draw.classes[chosen], found.scores[chosen]
    correlation = randomized_weights_correlation(subject, attribution, rows, scores, classes, aggregate=aggregate, seed=seed)
    return {
        "method": kind_of(attribution),
        "completeness_error": found.completeness_error,
        "deletion": deletion_curve(subject, rows, scores, classes, signed=attribution.signed, seed=seed),
        "randomized_weights_correlation": correlation,
        "attention": _attention(subject, draw.rows, ranking, symbols, seed) if subject.has_attention else None,
        "notes": _notes(subject, attribution, draw, found, len(rows)),
    }


def _attention(subject: Subject, rows: np.ndarray, ranking: pd.DataFrame, symbols: Sequence[str], seed: int) -> dict[str, Any]:
    if len(rows) > ATTENTION_SAMPLES:
        rows = np.sort(generator(seed, "attention").choice(rows, ATTENTION_SAMPLES, replace=False))
    position = {name: index for index, name in enumerate(subject.dataset.state.feature_ids)}
    features = np.array([position[name] for name in leading_genes(ranking, ATTENTION_GENES)], dtype=np.int64)
    matrix, _ = attention_matrix(subject, rows, features)
    return {"genes": [symbols[feature] for feature in features], "matrix": matrix.tolist()}


def _notes(subject: Subject, attribution: Attribution, draw: _Draw, found: TokenAttribution, num_controls: int) -> list[str]:
    notes = [attribution.note]
    explained = "the output" if subject.target.task == "regression" else "the logit of each sample's class"
    if subject.target.task == "classification":
        explained += " (its label)" if subject.dataset.labels is not None else " (the predicted one, as there are no labels)"
    notes.append(f"What is explained is {explained}; importance is not proof of a cause.")
    if len(draw.rows) < draw.num_offered:
        share = f"{len(draw.rows):,} of {draw.num_offered:,} samples"
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
