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
from genoken.core.contracts import Attribution
from genoken.core.errors import ConfigError, suggestion
from genoken.core.feature_words import noun_of_columns
from genoken.core.files import write_json, write_text
from genoken.core.tables import write_parquet
from genoken.interpretation.aggregate import Aggregate
from genoken.interpretation.attributed import Attributed, attribute_draw
from genoken.interpretation.controls import controls_of
from genoken.interpretation.draw import Part, draw_samples
from genoken.interpretation.export import export_rnk
from genoken.interpretation.gene_attention import ATTENTION_GENES, PooledAttention, pool_attention
from genoken.interpretation.gene_table import gene_table, leading_genes, shared_scores, top_rows
from genoken.interpretation.places import places_of
from genoken.interpretation.pool import PooledMatrix
from genoken.interpretation.shards import ONE_PROCESS, Shard


@dataclass(frozen=True)
class Explanation:
    """What was found.

    Parameters
    ----------
    genes
        The top genes of each class: ``class, feature_id, symbol, rank, importance, stability, method, correlation``; of variants
        and blocks also where they are.
    ranking
        The same for all genes of the vocabulary.
    controls
        Content of ``controls.json``.
    attention
        Attention between the leading genes, of each head of each layer and by rollout; ``None`` for models without attention.
    """

    genes: pd.DataFrame
    ranking: pd.DataFrame
    controls: dict[str, Any]
    attention: PooledAttention | None = None


def explain_parts(
    parts: Sequence[Part],
    *,
    seed: int,
    method: str | Attribution = "integrated_gradients",
    aggregate: Aggregate = "mean",
    top: int = 0,
    on_progress: Callable[[float], None] | None = None,
    shard: Shard = ONE_PROCESS,
) -> Explanation:
    """Attribute the output for each sample's own class to its genes, and check the attribution.

    A sample's class of interest is its label where the data set has labels, else the predicted class. At most 200 samples per
    class (or group) over all parts, drawn by ``seed``, are explained. With several parts each sample is explained by the model of
    its part, and genes are matched by their identifiers; a gene has no score in the samples of a model that does not know it.

    Parameters
    ----------
    parts
        Models with the samples on which each is explained: one, or those of the folds of a cross-validation. They have one target.
    seed
        Seed of every draw.
    method
        Kind of an attribution, or one with settings of its own.
    aggregate
        How the samples of a class are put together: ``mean``, ``max`` (largest magnitude) or ``median``.
    top
        Genes per class in :attr:`Explanation.genes`; 0 for all.
    on_progress
        Called with the share that is done, from 0 to 1.
    shard
        Which of several processes this is; each attributes some of the samples, and all return the same.

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
    draw = draw_samples(parts, seed)
    progress = _Progress(on_progress, 1.6 * len(draw) / shard.count)
    found = attribute_draw(parts, draw, attribution, progress.advance, shard)
    values = _values(found)
    ranking = gene_table(
        found.scores,
        draw.members,
        draw.names,
        values.correlations(_targets(found)),
        found.genes,
        aggregate=aggregate,
        method=kind_of(attribution),
        seed=seed,
        varies=values.varies(),
    )
    places = places_of([part.subject.dataset.state for part in parts])
    if places is not None:
        ranking = ranking.join(places, on="feature_id")
    attention = None
    if all(part.subject.has_attention for part in parts):
        attention = pool_attention(parts, draw, found.genes, leading_genes(ranking, ATTENTION_GENES), seed)
    controls = controls_of(found, attention, aggregate=aggregate, seed=seed)
    controls["notes"] += _notes(ranking, values)
    progress.finish()
    return Explanation(top_rows(ranking, top), ranking, controls, attention)


def export_explanation(explanation: Explanation, folder: Path) -> None:
    """Write ``genes.tsv``, ``controls.json``, where there is attention ``attention.parquet``, and ``.rnk`` files of genes alone."""
    folder = Path(folder)
    write_text(folder / "genes.tsv", explanation.genes.to_csv(sep="\t", index=False, lineterminator="\n"))
    if noun_of_columns(explanation.ranking.columns) == "gene":
        export_rnk(explanation.ranking, folder)
    if explanation.attention is not None:
        write_parquet(folder / "attention.parquet", explanation.attention.table())
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


def _notes(ranking: pd.DataFrame, values: PooledMatrix) -> list[str]:
    """Return what must be known to read the ranking itself: features that stand last, and scores that several have."""
    noun, constant, notes = noun_of_columns(ranking.columns), int((~values.varies()).sum()), []
    if constant and noun != "gene":  # most genes that are the same in all samples are absent there, and score 0
        notes.append(f"{constant:,} {noun}s are the same in all explained samples, and stand behind those that vary.")
    first = ranking[ranking["class"] == ranking["class"].iloc[0]] if len(ranking) else ranking
    shared = shared_scores(first["importance"].to_numpy(), noun)
    return [*notes, shared] if shared and noun != "gene" else notes


def _values(found: Attributed) -> PooledMatrix:
    """Return the numbers of the features in the drawn samples."""
    parts = [
        found.genes.spread(part.subject.dataset.feature_values[found.draw.rows[found.draw.of_model(model)]], model)
        for model, part in enumerate(found.parts)
    ]
    return PooledMatrix(sp.vstack(parts, format="csr"), found.draw.models, found.genes.known)


def _targets(found: Attributed) -> np.ndarray:
    """Return what the genes' values are correlated with, shape (samples, names): indicators, or the regression's target."""
    draw, parts = found.draw, found.parts
    if parts[0].subject.target.task == "regression" and parts[0].groups is None:
        return np.concatenate([_numbers(part, draw.rows[draw.of_model(model)]) for model, part in enumerate(parts)])[:, None]
    return (draw.members[:, None] == np.arange(len(draw.names))).astype(np.float64)


def _numbers(part: Part, rows: np.ndarray) -> np.ndarray:
    """Return the targets of a regression, or the predictions where there are none."""
    labels = part.subject.dataset.labels
    return part.subject.predictions(rows) if labels is None else np.asarray(labels, dtype=np.float64)[rows]
