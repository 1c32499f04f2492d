"""What a model of genotypes adds to covariates and ancestry: the increment, scores within populations, and a warning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genoken.reporting import plots_scores
from genoken.reporting.blocks import Block, Cell, Column, Finding, Heading, Table
from genoken.reporting.load import RunFolder, section
from genoken.reporting.wording import (
    count,
    interval,
    is_number,
    metric,
    natural_order,
    number,
    plain,
    predictor,
    predictor_in_text,
    shorten,
    signed,
)

_ONE_METRIC = {"classification": "accuracy", "regression": "mae"}
"""Metrics that are defined within any population, also where it has one class alone."""


def beyond_ancestry(run: RunFolder) -> list[Block]:
    """Return what the model adds to what was known before, and its scores within strata; nothing where neither was computed."""
    return [*_increment(run), *_within(run)]


def plausibility_banner(run: RunFolder) -> Finding | None:
    """Return the warning that stands above a score that inherited variants seldom give; ``None`` for any other."""
    note = plain(run.test.get("plausibility") or "")
    return Finding("warning", "Better than genotypes usually predict", note) if note else None


def _increment(run: RunFolder) -> list[Block]:
    found = section(run.test, "increment")
    name = found.get("metric")
    if not is_number(found.get("value")) or not isinstance(name, str):
        return _no_increment(run)
    known = str(found.get("baseline"))
    gains = {name: found} | {other: section(section(found, "others"), other) for other in section(found, "others")}
    scores, before = run.predictors["model"], run.predictors.get(known, {})
    rows = [
        (
            Cell(metric(other).title, strong=other == name),
            Cell(number(scores.get(other))),
            Cell(number(before.get(other))),
            Cell(signed(gain.get("value")), _bounds(gain), strong=True),
        )
        for other, gain in gains.items()
    ]
    columns = (
        Column("Metric"),
        Column("Model", numeric=True),
        Column(predictor(known), numeric=True),
        Column("Increment", numeric=True, hint="Model minus the other, on the same bootstrap draws."),
    )
    caption = f"What genotypes, variant by variant, tell beyond {predictor_in_text(known)}; 95 % intervals below."
    return [Heading("Beyond covariates and ancestry"), _reading(found, known), Table(columns, tuple(rows), caption)]


def _no_increment(run: RunFolder) -> list[Block]:
    """Return why a run on genotypes has no increment; nothing for others, and where the baselines were fitted nevertheless."""
    if run.feature_noun != "variant" or {"covariates", "covariates_pcs"} & set(run.predictors):
        return []
    detail = (
        "No covariates and no principal components were fitted beside the model: it is not known what genotypes tell beyond them. "
        "Components of a single region would take its effects away: give those of the whole genome as covariates."
    )
    remedy = "genoken train … --covariates age,sex, or --set data.principal_components=10 for variants of the whole genome"
    return [Heading("Beyond covariates and ancestry"), Finding("info", "No increment is given", detail, remedy)]


def _reading(found: Mapping[str, Any], known: str) -> Finding:
    """Return in words whether the increment is more than chance."""
    bounds, against = found.get("interval"), predictor_in_text(known)
    draws = f"{count(found['draws'], 'bootstrap draw')} of {plain(found.get('unit', 'samples'))}"
    if not bounds or not interval(bounds):
        return Finding("warning", f"Whether the model adds anything to {against} is not known", "There are too few test groups.")
    if bounds[0] > 0:
        return Finding("ok", f"The model adds to {against}", f"Beyond chance, by {draws}.")
    if bounds[1] < 0:
        return Finding("warning", f"The model is worse than {against}", f"Beyond chance, by {draws}.")
    return Finding("warning", f"The model adds nothing to {against} beyond chance", f"The interval includes zero, by {draws}.")


def _bounds(gain: Mapping[str, Any]) -> str:
    bounds = gain.get("interval")
    return f"{signed(bounds[0])} to {signed(bounds[1])}" if bounds and interval(bounds) else "no interval"


def _within(run: RunFolder) -> list[Block]:
    found = section(run.test, "within")
    strata, means = section(found, "strata"), section(found, "mean")
    if not strata or not means:
        return []
    name = _metric_within(run, means)
    order = sorted(strata, key=lambda stratum: (-strata[stratum]["samples"], natural_order(stratum)))
    rows = [
        (
            Cell(shorten(stratum, 40), f"{count(strata[stratum]['samples'], 'test sample')}"),
            *(Cell(number(section(strata[stratum], key).get(name))) for key in means),
        )
        for stratum in order
    ]
    rows.append(
        (Cell("Mean", "weighed by samples", strong=True), *(Cell(number(means[key].get(name)), strong=True) for key in means))
    )
    column, title = shorten(found.get("column") or "population", 30), metric(name).title
    caption = (
        f"{title} within each '{column}': telling populations apart earns nothing here. A dash: not defined, as "
        "ranking where there is one class."
    )
    others = [key for key in means if key != "model"][:1]  # what was known before, as far as that was fitted
    panel = plots_scores.per_group(
        {key: {stratum: section(strata[stratum], key).get(name) for stratum in order} for key in ("model", *others)},
        {stratum: strata[stratum]["samples"] for stratum in order},
        name,
        key="within",
        title=f"{title} within each '{column}'",
    )
    columns = (Column(column), *(Column(predictor(key), numeric=True) for key in means))
    return [Heading(f"Within each '{column}'"), panel, Table(columns, tuple(rows), caption)]


def _metric_within(run: RunFolder, means: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the run's main metric where it is defined in the strata, else one that always is."""
    name = run.primary_metric
    if name is not None and is_number(means["model"].get(name)):
        return name
    return _ONE_METRIC["regression" if run.is_regression else "classification"]
