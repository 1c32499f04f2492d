"""Tables of the page: results to rows of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from genoken.reporting.blocks import Cell, Column, Table
from genoken.reporting.plots_genes import symbols
from genoken.reporting.wording import (
    interval,
    is_number,
    metric,
    metric_names,
    number,
    percent,
    plain,
    predictor,
    predictor_in_text,
    shorten,
)


def scores(predictors: Mapping[str, Mapping[str, Any]], digits: int = 3) -> Table:
    """Return one row per predictor and one column per metric, with intervals below the values; the best of a column stands out.

    Parameters
    ----------
    predictors
        Scores by predictor, as in ``metrics["test"]``.
    digits
        Decimals of the scores.
    """
    names = metric_names({name: None for row in predictors.values() for name in row})
    best = {name: _best([row.get(name) for row in predictors.values()], metric(name).higher_is_better) for name in names}
    rows = []
    for key, values in predictors.items():
        cells = [Cell(predictor(key), strong=key == "model")]
        for name in names:
            value = values.get(name)
            is_best = is_number(value) and best[name] is not None and number(value, digits) == number(best[name], digits)
            cells.append(Cell(number(value, digits), interval(values.get(f"{name}_interval"), digits), strong=is_best))
        rows.append(tuple(cells))
    columns = (Column(""), *(Column(metric(name).title, numeric=True, hint=metric(name).hint) for name in names))
    return Table(
        columns,
        tuple(rows),
        "Scores on the test samples, 95 % intervals below them; the best of each column is in bold. A dash: could not be computed.",
    )


def _best(values: Sequence[Any], higher_is_better: bool | None) -> float | None:
    numbers = [float(value) for value in values if is_number(value)]
    if len(numbers) < 2 or higher_is_better is None:
        return None
    return max(numbers) if higher_is_better else min(numbers)


def per_class(scores_by_class: Mapping[str, Mapping[str, Any]], classes: Sequence[str]) -> Table:
    """Return one row per class with the model's precision, recall and areas, the number of samples and the predicted rate."""
    shown = [name for name in classes if name in scores_by_class]
    present = {name for row in scores_by_class.values() for name in row}
    names = [name for name in ("f1", "precision", "recall", "average_precision", "roc_auc", "predicted_rate") if name in present]
    columns = (
        Column("Class"),
        Column("Samples", numeric=True),
        *(Column(metric(name).title, numeric=True, hint=metric(name).hint) for name in names),
    )
    rows = []
    for title in shown:
        values = scores_by_class[title]
        cells = [percent(values.get(name)) if name == "predicted_rate" else number(values.get(name)) for name in names]
        rows.append((Cell(shorten(title, 60)), Cell(number(values.get("support"))), *(Cell(text) for text in cells)))
    return Table(columns, tuple(rows), "Scores of the model, each class against the rest.")


def matrices(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return what the input doctor found in each matrix of the file, the one that was used marked."""
    columns = (Column("Matrix"), Column("Holds"), Column("How it was recognized"), Column("Non-zero", numeric=True), Column("Used"))
    cells = [
        (
            Cell(plain(row.get("name", "")), strong=bool(row.get("used"))),
            Cell(plain(row.get("kind", ""))),
            Cell(plain(row.get("evidence", ""))),
            Cell(percent(row.get("density"))),
            Cell("✓ yes" if row.get("used") else "no"),
        )
        for row in rows
    ]
    return Table(columns, tuple(cells))


def joined(rows: pd.DataFrame) -> Table:
    """Return what became of the variants of each of several files; outcomes that do not occur are left out."""
    columns = (Column("File"), Column("Variants", numeric=True), Column("Outcome"), Column("What it means"))
    cells = [
        (
            Cell(shorten(row.file, 60)),
            Cell(number(row.variants)),
            Cell(plain(row.outcome).replace("_", " "), strong=row.outcome == "kept"),
            Cell(plain(row.meaning)),
        )
        for row in rows[rows["variants"] > 0].itertuples()
    ]
    return Table(columns, tuple(cells), "Positions and alleles are those of the first file.")


def quality(rows: pd.DataFrame) -> Table:
    """Return how many variants each rule left out, and how many are used."""
    columns = (Column("Rule"), Column("Asked for"), Column("Variants", numeric=True))
    cells = [
        (Cell(plain(row.rule), strong=row.rule == "kept"), Cell(plain(row.threshold)), Cell(number(row.variants)))
        for row in rows.itertuples()
    ]
    note = "A variant counts under the first rule that it fails; the network sees those that are kept."
    return Table(columns, tuple(cells), note)


def parts(samples: Mapping[str, Any], groups: Mapping[str, Any] | None) -> Table:
    """Return the number of samples, and of groups where there are any, in training, validation and test."""
    columns = (Column("Part"), Column("Samples", numeric=True), *((Column("Groups", numeric=True),) if groups else ()))
    rows = []
    for key, title in (("train", "Training"), ("val", "Validation"), ("test", "Test")):
        rows.append((Cell(title), Cell(number(samples.get(key))), *((Cell(number(groups.get(key))),) if groups else ())))
    return Table(columns, tuple(rows))


def disagreement(model: pd.DataFrame, other: pd.DataFrame, name: str) -> Table:
    """Return how often model and baseline are right or wrong on the same samples.

    Parameters
    ----------
    model, other
        Predictions with ``sample_id``, ``label`` and ``predicted``; samples that one of them lacks are left out.
    name
        The baseline.
    """
    both = model.drop_duplicates("sample_id").merge(other.drop_duplicates("sample_id"), on="sample_id", suffixes=("", "_other"))
    mine = (both["label"].astype(str) == both["predicted"].astype(str)).to_numpy()
    theirs = (both["label"].astype(str) == both["predicted_other"].astype(str)).to_numpy()
    cases = (
        ("Both right", mine & theirs),
        ("Only the model right", mine & ~theirs),
        (f"Only {predictor_in_text(name)} right", ~mine & theirs),
        ("Both wrong", ~mine & ~theirs),
    )
    rows = tuple(
        (Cell(title), Cell(number(int(mask.sum()))), Cell(percent(float(mask.mean()) if len(mask) else None)))
        for title, mask in cases
    )
    caption = "On the same test samples. Samples on which both are wrong are often mislabeled, or hard in themselves."
    return Table((Column("Case"), Column("Samples", numeric=True), Column("Share", numeric=True)), rows, caption)


def confident_mistakes(predictions: pd.DataFrame, count: int = 15) -> Table | None:
    """Return the wrong predictions with the highest probability; ``None`` when there is none or there are no probabilities.

    Parameters
    ----------
    predictions
        ``predictions.parquet`` of a classification run.
    count
        Rows at most.
    """
    probabilities = [name for name in predictions.columns if name.startswith("probability_")]
    wrong = predictions[predictions["label"].astype(str) != predictions["predicted"].astype(str)]
    if not probabilities or wrong.empty:
        return None
    wrong = (
        wrong.assign(_confidence=wrong[probabilities].max(axis=1))
        .sort_values("_confidence", ascending=False, kind="stable")
        .head(count)
    )
    rows = tuple(
        (
            Cell(shorten(row["sample_id"], 48)),
            Cell(shorten(row["label"], 40)),
            Cell(shorten(row["predicted"], 40)),
            Cell(number(float(row["_confidence"]))),
        )
        for row in wrong.to_dict("records")
    )
    columns = (Column("Sample"), Column("Label"), Column("Predicted"), Column("Probability", numeric=True))
    return Table(
        columns,
        rows,
        "Wrong, and sure of it: look here first for swapped or doubtful labels.",
        summary=f"The {len(rows)} most confident mistakes",
    )


def genes(rows: pd.DataFrame, noun: str = "gene") -> Table:
    """Return the top genes of one class with their controls.

    Parameters
    ----------
    rows
        Rows of ``explanations/genes.tsv``, best first.
    noun
        What a feature is called.
    """
    cells: list[tuple[Cell, ...]] = []
    for place, (row, symbol) in enumerate(zip(rows.to_dict("records"), symbols(rows), strict=True), start=1):
        rank = row.get("rank")
        cells.append(
            (
                Cell(str(int(rank)) if is_number(rank) else str(place)),
                Cell(symbol, strong=True),
                Cell(plain(row["feature_id"])),
                Cell(number(row["importance"], 4)),
                Cell(number(row.get("stability"))),
                Cell(number(row.get("correlation"))),
            )
        )
    columns = (
        Column("Rank", numeric=True),
        Column(noun.capitalize()),
        Column("Identifier"),
        Column("Importance", numeric=True),
        Column(
            "Stability",
            numeric=True,
            hint="Spearman correlation of the importances of two random halves of the samples; near 1 is stable.",
        ),
        Column("Correlation", numeric=True, hint=f"Correlation of the {noun}'s values with the class: the simple control."),
    )
    return Table(columns, tuple(cells))


def neighbors(
    gene_embeddings: pd.DataFrame, values: np.ndarray, wanted: Sequence[str], count: int = 5, noun: str = "gene"
) -> Table | None:
    """Return the nearest genes of some genes in the learned table, by cosine similarity.

    Parameters
    ----------
    gene_embeddings
        ``gene_embeddings.parquet``.
    values
        Its vectors, of shape (features, width).
    wanted
        ``feature_id`` of the genes; unknown ones are left out.
    count
        Neighbors per gene.
    noun
        What a feature is called.
    """
    position = {str(name): row for row, name in enumerate(gene_embeddings["feature_id"])}
    rows = [position[name] for name in wanted if name in position]
    if not rows or len(values) <= count or values.shape[1] == 0:
        return None
    unit = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    similarity = unit[rows] @ unit.T
    similarity[np.arange(len(rows)), rows] = -np.inf
    names = symbols(gene_embeddings)
    cells: list[tuple[Cell, ...]] = []
    for row, near in zip(rows, np.argsort(-similarity, axis=1, kind="stable")[:, :count], strict=True):
        listed = ", ".join(f"{names[other]} ({similarity[len(cells), other]:.2f})" for other in near)
        cells.append((Cell(names[row], strong=True), Cell(listed)))
    caption = (
        f"{noun.capitalize()}s whose learned vectors point the same way (cosine similarity in parentheses); with few samples most "
        "of this is chance."
    )
    columns = (Column(noun.capitalize()), Column(f"Nearest {noun}s"))
    return Table(columns, tuple(cells), caption, summary=f"Neighbors of the top {noun}s in the learned table")


def pairs(content: Mapping[str, Any], columns: tuple[str, str], *, summary: str = "") -> Table:
    """Return a table of two columns, keys and values as text."""
    rows = tuple((Cell(plain(key)), Cell(number(value) if is_number(value) else plain(value))) for key, value in content.items())
    return Table((Column(columns[0]), Column(columns[1])), rows, summary=summary)
