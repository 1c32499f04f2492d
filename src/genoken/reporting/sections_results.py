"""Sections on the results: the first screen, all scores, classes, and numeric labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from genoken.reporting import plots_classification, plots_regression, plots_scores, tables
from genoken.reporting.blocks import Block, Finding, Heading, KeyNumber, Missing, Panel, Paragraph, Section
from genoken.reporting.load import RunFolder, section
from genoken.reporting.sections_ancestry import beyond_ancestry, plausibility_banner
from genoken.reporting.sections_data import leaky_banner
from genoken.reporting.wording import (
    count,
    interval,
    is_number,
    metric,
    metric_names,
    number,
    percent,
    plain,
    predictor,
    shorten,
    signed,
    split_words,
)


@dataclass(frozen=True)
class Headline:
    """The first screen: verdict (its first sentence, and more), banners, three numbers, a small chart and what was done."""

    label: str
    verdict: str
    more: str
    banners: tuple[Finding, ...]
    numbers: tuple[KeyNumber, ...]
    chart: Panel | None
    done: str
    question: str


def headline(run: RunFolder) -> Headline:
    """Return what the first screen says."""
    facts = section(run.metrics, "split")
    name = run.primary_metric
    several = name is not None and len(run.predictors) > 1
    chart = plots_scores.comparison(run.predictors, [name], "headline") if several and name is not None else None
    warning = plausibility_banner(run)
    verdict = plain(run.metrics.get("verdict") or "No verdict was computed.")
    first, more = first_sentence(verdict if warning is None else verdict.replace(warning.detail, "").strip())
    return Headline(
        label=plain(run.metrics.get("label") or "label"),
        verdict=first,
        more=more,
        banners=(*([leaky_banner(facts)] if facts.get("leaky") else []), *([] if warning is None else [warning])),
        numbers=_numbers(run, name),
        chart=chart,
        done=_done(run, facts),
        question=f"Can {plain(run.metrics.get('label') or 'label')} be predicted?",
    )


def first_sentence(text: str) -> tuple[str, str]:
    """Return a verdict's first sentence, which is the page's title, and the rest of it."""
    found = re.match(r"(.+?[.)]\.?)\s+(?=[A-Z'])", text)
    return (found.group(1), text[found.end() :]) if found else (text, "")


def _numbers(run: RunFolder, name: str | None) -> tuple[KeyNumber, ...]:
    scores, reference = run.predictors["model"], run.reference
    if name is None:
        return ()
    if reference is None:
        others = [other for other in metric_names(scores) if other != name and is_number(scores[other])]
        return tuple(_score(run, "model", other, metric(other).title) for other in [name, *others][:3])
    title = metric(name).title
    return (
        _score(run, "model", name, f"{title}, model"),
        _score(run, reference, name, f"{title}, {predictor(reference)}"),
        _difference(section(run.test, "difference"), name),
    )


def _score(run: RunFolder, key: str, name: str, title: str) -> KeyNumber:
    scores = run.predictors[key]
    note = metric(name).hint if key == "model" else "The best of the simple baselines, on the same samples."
    return KeyNumber(title, number(scores.get(name)), _interval_text(scores.get(f"{name}_interval"), run), note)


def _interval_text(bounds: Any, run: RunFolder) -> str:
    if text := interval(bounds):
        return f"95 % interval {text}"
    groups = run.test.get("groups")
    return f"no interval: only {count(groups, 'test group')}" if is_number(groups) and groups < 5 else "no interval"


def _difference(difference: dict[str, Any], name: str) -> KeyNumber:
    bounds, value = difference.get("interval"), difference.get("value")
    text = f"95 % interval {signed(bounds[0])} to {signed(bounds[1])}" if interval(bounds) and bounds else "no interval"
    draws = (
        f"{number(difference['draws'])} draws of {difference.get('unit', 'samples')}" if is_number(difference.get("draws")) else ""
    )
    if not interval(bounds) or not bounds:
        level, reading = "plain", "Too few test groups to say whether this is chance."
    elif bounds[0] <= 0 <= bounds[1]:
        level, reading = (
            "plain",
            f"The interval includes zero: no clear winner ({draws})." if draws else "The interval includes zero: no clear winner.",
        )
    else:
        ahead = (bounds[0] > 0) == (metric(name).higher_is_better is not False)
        who = "The model is ahead" if ahead else "The baseline is ahead"
        level, reading = ("good" if ahead else "bad"), f"{who}, beyond chance{f' ({draws})' if draws else ''}."
    return KeyNumber("Difference, model − baseline", signed(value), text, reading, level)


def _done(run: RunFolder, facts: dict[str, Any]) -> str:
    total = len(run.split) if run.split is not None else (run.check or {}).get("samples")
    groups = run.test.get("groups")
    what = f"{count(len(run.classes), 'class')}" if run.classes else "a number"
    parts = [f"Label '{shorten(run.metrics.get('label') or 'label', 40)}' ({what})"]
    if is_number(total):
        parts.append(f"{count(total, 'sample')} in all")
    if is_number(run.test.get("samples")):
        tested = f"scored on {count(run.test['samples'], 'held-out sample')}"
        parts.append(f"{tested} from {count(groups, 'group')}" if is_number(groups) else tested)
    if facts:
        parts.append(f"split: {split_words(facts.get('kind'), facts.get('group'), facts.get('folds'))}")
    return " · ".join(parts)


def scores(run: RunFolder) -> Section:
    """Return all scores of model and baselines, per group, the ablation, and where model and baseline disagree."""
    name = run.primary_metric
    names = [other for other in metric_names(run.predictors["model"]) if is_number(run.predictors["model"][other])]
    blocks: list[Block] = [tables.scores(run.predictors)]
    if name is not None and names and len(names) > 1:
        blocks.append(plots_scores.comparison(run.predictors, sorted(names, key=lambda other: other != name), "all-scores"))
    if not section(run.test, "baselines"):
        blocks.append(Paragraph("No baselines are in this run folder, so there is nothing to compare the model with.", muted=True))
    floors = section(run.test, "floors")
    if floors:
        blocks += [Heading("Trivial floors"), tables.pairs(floors, ("Guess", "Loss"))]
    blocks += beyond_ancestry(run) + _ablation(run) + _scratch(run)
    blocks += _by_group(run)
    if not run.is_regression and run.predictions is not None:
        blocks += _mistakes(run, run.predictions)
    intro = "Model and baselines were trained and scored on the same samples." if len(run.predictors) > 1 else ""
    return Section("scores", "Scores", intro, tuple(blocks))


def _ablation(run: RunFolder) -> list[Block]:
    """Return the scores of the model's two summands alone, and what the encoder adds to the linear path."""
    found = section(run.metrics, "ablation")
    parts = {name: section(found, name) for name in found}
    if not parts:
        return []
    blocks: list[Block] = [
        Heading("Ablation: the encoder and the linear path, each alone"),
        tables.scores({"model": run.predictors["model"]} | parts),
    ]
    gap = section(run.metrics, "ablation_difference")
    readings = (
        "the encoder cannot be said to add anything",
        "The encoder adds to the linear path",
        "The encoder makes the linear path worse",
    )
    return [*blocks, *_gap(gap, "its linear path alone", readings)]


def _scratch(run: RunFolder) -> list[Block]:
    """Return the scores of the same network without its pretraining, and what pretraining adds to it."""
    found = section(run.metrics, "scratch")
    if not found:
        return []
    blocks: list[Block] = [
        Heading("Pretraining: the same network from scratch"),
        tables.scores({"model": run.predictors["model"], "scratch": found}),
    ]
    gap = section(run.metrics, "scratch_difference")
    readings = "pretraining cannot be said to add anything", "Pretraining adds to the network", "Pretraining does harm"
    return [*blocks, *_gap(gap, "the same from scratch", readings)]


def _gap(gap: dict[str, Any], other: str, readings: tuple[str, str, str]) -> list[Block]:
    """Return what the model scores above a part of it or another version of it, and how to read that.

    Parameters
    ----------
    gap
        As in ``metrics.json``; empty for none.
    other
        What the model is held against.
    readings
        For an interval that includes zero, lies above it, lies below it.
    """
    if not is_number(gap.get("value")):
        return []
    bounds = gap.get("interval")
    unclear, above, below = readings
    if not interval(bounds) or not bounds:
        text, reading = "no interval", "Too few test groups to say whether this is chance"
    else:
        text = f"95 % interval {signed(bounds[0])} to {signed(bounds[1])}"
        reading = f"The interval includes zero: {unclear}" if bounds[0] <= 0 <= bounds[1] else above if bounds[0] > 0 else below
    title = metric(str(gap.get("metric"))).title
    return [Paragraph(f"{title}, model − {other}: {signed(gap['value'])} ({text}). {reading}.")]


def _mistakes(run: RunFolder, predictions: pd.DataFrame) -> list[Block]:
    blocks: list[Block] = []
    reference = run.reference
    if reference is not None and reference in run.baselines:
        table = tables.disagreement(predictions, run.baselines[reference], reference)
        blocks += [Heading("Where model and baseline disagree"), table]
    mistakes = tables.confident_mistakes(predictions)
    return [*blocks, mistakes] if mistakes is not None else blocks


def _by_group(run: RunFolder) -> list[Block]:
    model = run.predictions
    if model is None or "group" not in model or model["group"].nunique() < 2:
        return []
    name = "mae" if run.is_regression else "accuracy"
    predictions = {"model": model}
    if run.reference is not None and "group" in run.baselines.get(run.reference, ()):
        predictions[run.reference] = run.baselines[run.reference]
    values = {key: group_scores(table, is_regression=run.is_regression) for key, table in predictions.items()}
    sizes = {str(group): int(size) for group, size in model.groupby(model["group"].astype(str)).size().items()}
    return [plots_scores.per_group(values, sizes, name)]


def group_scores(predictions: pd.DataFrame, *, is_regression: bool) -> dict[str, float]:
    """Return the accuracy (classification) or mean absolute error (regression) in each group of a table of predictions."""
    if is_regression:
        value = (pd.to_numeric(predictions["predicted"]) - pd.to_numeric(predictions["label"])).abs()
    else:
        value = (predictions["predicted"].astype(str) == predictions["label"].astype(str)).astype(float)
    return {str(group): round(float(mean), 6) for group, mean in value.groupby(predictions["group"].astype(str)).mean().items()}


def classes(run: RunFolder) -> Section | Missing:
    """Return scores per class, confusion, curves and calibration of a classification run."""
    title = "Classes, curves and calibration"
    test, reference = run.test, run.reference
    per_class, confusion = section(test, "per_class"), section(test, "confusion")
    curves, calibration = section(section(test, "curves"), "model"), section(test, "calibration")
    blocks: list[Block] = []
    if per_class.get("model"):
        blocks += [plots_scores.per_class(per_class, run.classes, reference), tables.per_class(per_class["model"], run.classes)]
    if confusion:
        blocks.append(
            plots_classification.confusion(confusion, run.classes, [key for key in ("model", reference) if key is not None])
        )
    if curves:
        blocks.append(plots_classification.curves(curves, run.classes, section(per_class, "model")))
    if calibration:
        blocks.append(plots_classification.calibration(calibration, [key for key in ("model", reference) if key is not None]))
    rate = run.predictors["model"].get("predicted_positive_rate")
    if is_number(rate) and run.metrics.get("positive") is not None:
        blocks.append(Paragraph(f"The model calls {percent(rate)} of the test samples '{shorten(run.metrics['positive'], 40)}'."))
    if not blocks:
        return Missing(title, "metrics.json holds no scores per class, confusion matrix, curves or calibration.")
    return Section(
        "classes",
        title,
        "Which classes are predicted well, which are mixed up, and how far the probabilities can be trusted.",
        tuple(blocks),
    )


def values(run: RunFolder) -> Section | Missing:
    """Return predicted against true values and residuals of a regression run."""
    title = "Predicted and true values"
    if run.predictions is None or run.predictions.empty:
        return Missing(title, "predictions.parquet is not in the run folder.")
    panel = plots_regression.predicted_against_true(run.predictions, str(run.metrics.get("label") or "label"))
    limit = plots_regression.MAX_POINTS
    shown = (
        f" A fixed draw of {number(limit)} of {number(len(run.predictions))} samples is shown."
        if len(run.predictions) > limit
        else ""
    )
    return Section("values", title, f"Each test sample, predicted by a model that has not seen it.{shown}", (panel,))
