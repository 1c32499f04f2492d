"""Sections of a pretraining run: the verdict, scores beside floors, curves, errors by place and feature, what was hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from genoken.core.config import read_yaml
from genoken.reporting import (
    plots_classification,
    plots_pretraining,
    plots_regression,
    plots_scores,
    sections_model,
    sections_next_cell,
    tables,
)
from genoken.reporting.blocks import Block, Cell, Column, Finding, Heading, KeyNumber, Missing, Panel, Paragraph, Section, Table
from genoken.reporting.load import RunFolder, section
from genoken.reporting.sections_results import Headline, first_sentence
from genoken.reporting.wording import (
    count,
    interval,
    is_number,
    metric,
    number,
    objective,
    percent,
    plain,
    predictor,
    shorten,
    signed,
)

_OF_NEXT_CELLS = ("next_cell", "next_value")
_WORST = 20
_MOST_CATEGORIES = 60
_SMALL_MEASURES = ("correct", "top5", "rank_error", "correlation", "centered_correlation")


def pretraining_sections(run: RunFolder) -> list[Section | Missing]:
    """Return the sections that only a pretraining run has, in order."""
    kinds = list(section(run.metrics, "objectives"))
    next_cells = sections_next_cell.next_cell_sections(run) if run.predicts_next_cells else []
    return [*next_cells, scores(run), training(run), *(errors(run, kind) for kind in kinds), hidden(run), embedding(run)]


def headline(run: RunFolder) -> Headline:
    """Return what the first screen says, with the numbers of the first objective."""
    objectives = section(run.metrics, "objectives")
    kind = next(iter(objectives), "")
    summary = section(objectives, kind)
    predictors = _predictors(summary)
    metric_name = str(summary.get("metric") or "")
    has_chart = len(predictors) > 1 and metric_name in predictors["model"]
    sizes = section(section(run.metrics, "split"), "samples")
    parts = [f"Objectives: {', '.join(objective(name).lower() for name in objectives)}"]
    parts += [f"{count(sizes['train'], 'train sample')}"] if is_number(sizes.get("train")) else []
    parts += [f"scored on {count(summary['samples'], 'held-out sample')}"] if is_number(summary.get("samples")) else []
    memorization = run.metrics.get("memorization") or ""
    first, more = first_sentence(plain(run.metrics.get("verdict") or "No verdict was computed."))
    usual = Headline(
        label="pretraining",
        verdict=first,
        more=more,
        banners=(Finding("warning", "Training ended in memorization", plain(memorization)),) if memorization else (),
        numbers=_numbers(summary, metric_name),
        chart=plots_scores.comparison(predictors, [metric_name], "headline", "Model and floors") if has_chart else None,
        done=" · ".join(parts),
        question="What has the model learned that no trivial rule knows?",
    )
    return sections_next_cell.headline(run, usual) if run.predicts_next_cells else usual


def scores(run: RunFolder) -> Section | Missing:
    """Return the verdict of each objective and its scores beside those of the floors."""
    title = "The model beside trivial floors"
    objectives = section(run.metrics, "objectives")
    if not objectives:
        return Missing(title, "metrics.json holds no objectives.")
    blocks: list[Block] = []
    for kind in objectives:
        summary = section(objectives, kind)
        predictors = _predictors(summary)
        blocks += [Heading(objective(kind)), Paragraph(plain(summary.get("verdict") or "No verdict was computed."))]
        if summary.get("memorization"):
            blocks.append(Finding("warning", "The model memorizes", plain(summary["memorization"])))
        if any(predictors.values()):
            blocks.append(tables.scores(predictors))
        names = [name for name in (str(summary.get("metric")), *_SMALL_MEASURES) if is_number(predictors["model"].get(name))]
        if len(predictors) > 1 and names:
            blocks.append(plots_scores.comparison(predictors, names, f"floors-{_key(kind)}", "Model and floors"))
        for name, of_predictors in section(summary, "phenotypes").items():
            blocks += [Heading(f"{objective(kind)}: {shorten(name, 60)}"), tables.scores(of_predictors)]
    intro = "Measured at hidden places only. Floors are fitted on the train samples and asked for the very same targets."
    return Section("scores", title, intro, tuple(blocks))


def training(run: RunFolder) -> Section | Missing:
    """Return the losses and hits by epoch, with the floors as horizontal lines."""
    title = "Learning curves"
    if run.history is None:
        return Missing(title, "history.csv is not in the run folder.")
    panels = [plots_pretraining.loss_curves(run.history)]
    objectives = section(run.metrics, "objectives")
    for kind in objectives:
        floors = section(section(objectives, kind), "floors")
        for measure in ("cross_entropy", "squared_error", "correct"):
            what = metric(measure).title
            panels.append(
                plots_pretraining.curves(
                    f"curve-{_key(kind)}-{_key(measure)}",
                    f"{objective(kind)}: {what.lower()}",
                    "Horizontal lines are the trivial floors on the test samples.",
                    run.history,
                    plots_pretraining.part_curves(f"{kind}_{measure}"),
                    {name: found[measure] for name, found in floors.items() if is_number(found.get(measure))},
                    measure,
                )
            )
    blocks = tuple(panel for panel in panels if panel is not None)
    if not blocks:
        return Missing(title, "history.csv holds no losses.")
    return Section("training", title, "One value per epoch.", blocks)


def errors(run: RunFolder, kind: str) -> Section | Missing:
    """Return where one objective errs: by place, by value, by feature, and which categories get mixed up."""
    title = f"{objective(kind)}: where it errs"
    # objectives share one table, in which each leaves the columns of the others empty
    targets = None if run.targets is None else run.targets[run.targets["objective"] == kind].dropna(axis=1, how="all")
    if targets is None or targets.empty:
        return Missing(title, "targets.parquet holds no targets of this objective.")
    summary = section(section(run.metrics, "objectives"), kind)
    measure = str(summary.get("metric") or "cross_entropy")
    blocks: list[Block] = []
    if kind == "phenotype":
        blocks += _confusions(targets)
    else:
        panel = plots_pretraining.by_place(f"place-{_key(kind)}", targets, [measure, "rank_error"])
        blocks += [panel] if panel is not None else []
        if "squared_error" in targets and {"value", "prediction"} <= set(targets):
            pairs = targets[["sample_id", "value", "prediction"]].set_axis(["sample_id", "label", "predicted"], axis=1)
            blocks.append(plots_regression.predicted_against_true(pairs, "value"))
        blocks += _by_feature(targets, kind, measure, str(section(summary, "difference").get("floor") or ""))
    if not blocks:
        return Missing(title, "targets.parquet lacks the columns for it.")
    return Section(f"errors-{_key(kind)}", title, f"{count(len(targets), 'target')} of the test samples.", tuple(blocks))


def hidden(run: RunFolder) -> Section | Missing:
    """Return in words how much was hidden and what stood in its place."""
    title = "What was hidden"
    settings = _objective_settings(run)
    summaries = section(run.metrics, "objectives")
    if not settings and not summaries:
        return Missing(title, "neither config.yaml nor metrics.json says anything about objectives.")
    blocks: list[Block] = []
    for kind in summaries or settings:
        summary = section(summaries, kind)
        asked = (
            f" In the test part {number(summary['targets'])} targets in {count(summary['samples'], 'sample')} were asked for."
            if is_number(summary.get("targets")) and is_number(summary.get("samples"))
            else ""
        )
        blocks += [Heading(objective(kind)), Paragraph(f"{masking_words(settings.get(kind, {}))}{asked}".strip())]
    truncated = run.metrics.get("share_truncated")
    if is_number(truncated) and truncated > 0:
        words = "of the tokens of features are beyond max_tokens and cut off: they are neither seen nor asked for."
        blocks.append(Paragraph(f"{percent(truncated, 1)} {words}"))
    return Section("hidden", title, "The same masks in every evaluation, on train samples as on held-out ones.", tuple(blocks))


def embedding(run: RunFolder) -> Section | Missing:
    """Return the map of the samples, colored by each column that came along."""
    names = [] if run.embeddings is None else list(run.embeddings)
    return sections_model.embedding(
        run, [name for name in names if name != "sample_id" and not name.startswith(("model_", "pca_"))]
    )


def masking_words(settings: Mapping[str, Any]) -> str:
    """Return an objective's settings of hiding as sentences; what is not known is left out."""
    sentences = []
    first, last = settings.get("probability"), settings.get("final_probability")
    if is_number(first):
        exactly = {"exact": ", exactly", "bernoulli": ", each token by itself"}.get(str(settings.get("count")), "")
        changes = settings.get("schedule") in ("linear", "cosine") and is_number(last)
        share = f"{percent(first, 0)} to {percent(last, 0)} ({settings['schedule']})" if changes else percent(first, 0)
        is_next = settings.get("kind") in _OF_NEXT_CELLS
        sentences.append(f"Hidden are {share} of {'the next cell' if is_next else 'a sample'}'s tokens{exactly}.")
        sentences += ["Those of the current cell are never hidden."] if is_next else []
    masked, replaced = settings.get("mask_share"), settings.get("random_share")
    if is_number(masked) and is_number(replaced):
        rest = max(0.0, 1 - masked - replaced)
        sentences.append(
            f"In training {percent(masked, 0)} of them are masked, {percent(replaced, 0)} replaced by others and "
            f"{percent(rest, 0)} kept; in evaluation all are masked."
        )
    if settings.get("same_positions"):
        sentences.append("The same places are hidden in every sample.")
    if "static" in settings:
        sentences.append(
            "The masks are the same in every epoch, so that they can be memorized."
            if settings["static"]
            else "Every epoch hides others."
        )
    if settings.get("restrict_to_missing"):
        sentences.append("The model chooses among the features that are missing from the visible ones.")
    return " ".join(sentences)


def _objective_settings(run: RunFolder) -> dict[str, dict[str, Any]]:
    if run.config is None:
        return {}
    listed = read_yaml(run.folder / "config.yaml").get("objectives") or []
    return {str(entry["kind"]): entry for entry in listed if isinstance(entry, dict) and "kind" in entry}


def _predictors(summary: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the scores of the model, then of each floor."""
    floors = section(summary, "floors")
    path = section(summary, "linear_path_alone")
    found = {"model": section(summary, "model")} | ({"linear_path_alone": path} if path else {})
    found |= {name: section(floors, name) for name in floors}
    if all(scores.get("top5", 1.0) == 1.0 for scores in found.values()):  # of five choices or fewer, the first five hold the truth
        hidden_ones = ("top5", "top5_interval")
        return {name: {key: value for key, value in scores.items() if key not in hidden_ones} for name, scores in found.items()}
    return found


def _numbers(summary: Mapping[str, Any], name: str) -> tuple[KeyNumber, ...]:
    model, difference = section(summary, "model"), section(summary, "difference")
    if not is_number(model.get(name)):
        return ()
    what = metric(name)
    own = KeyNumber(f"{what.title}, model", number(model[name]), _bounds(model.get(f"{name}_interval")), what.hint)
    floor = str(difference.get("floor") or "")
    scores_of_floor = section(section(summary, "floors"), floor)
    if not is_number(scores_of_floor.get(name)) or not is_number(difference.get("value")):
        return (own,)
    bounds = difference.get("interval")
    level, note = "plain", "The interval includes zero: no clear winner."
    if not bounds or not interval(bounds):
        note = f"From too few {difference.get('unit') or 'samples'} for an interval: this may be chance."
    elif bounds[1] < 0:
        level, note = "good", "The model is ahead, beyond chance."
    elif bounds[0] > 0:
        level, note = "bad", "The floor is ahead, beyond chance."
    return (
        own,
        KeyNumber(
            f"{what.title}, {_lower(predictor(floor))}",
            number(scores_of_floor[name]),
            _bounds(scores_of_floor.get(f"{name}_interval")),
            "The strongest of the trivial floors, at the same targets.",
        ),
        KeyNumber("Difference, model − floor", signed(difference["value"]), _bounds(bounds), note, level),
    )


def _bounds(bounds: Any) -> str:
    text = interval(bounds)
    return f"95 % interval {text}" if text else "no interval"


def _by_feature(targets: pd.DataFrame, kind: str, measure: str, floor: str) -> list[Block]:
    """Return the errors by feature as a histogram, and the worst ones as a table."""
    if measure not in targets or "feature_id" not in targets:
        return []
    columns = {"model": measure}
    if f"floor_{floor}_{measure}" in targets:
        columns["floor"] = f"floor_{floor}_{measure}"
    grouped = targets.dropna(subset=[measure]).groupby("feature_id", sort=True)
    errors_of = pd.DataFrame({name: grouped[column].mean() for name, column in columns.items()})
    errors_of["targets"] = grouped.size()
    if "symbol" in targets:
        errors_of["symbol"] = grouped["symbol"].first()
    if errors_of.empty:
        return []
    worst = errors_of.sort_values("model", ascending=False, kind="stable").head(_WORST)
    what = metric(measure).title
    heads = [Column("Feature"), Column("Targets", numeric=True), Column(f"{what}, model", numeric=True)]
    heads += [Column(f"{what}, {_lower(predictor(floor))}", numeric=True)] if "floor" in columns else []
    rows = tuple(
        (
            Cell(plain(row.get("symbol") or name), plain(name)),
            Cell(number(int(row["targets"]))),
            *(Cell(number(float(row[column]))) for column in columns),
        )
        for name, row in worst.iterrows()
    )
    table = Table(tuple(heads), rows, "", f"The {len(rows)} features with the largest error")
    return [plots_pretraining.by_feature(f"features-{_key(kind)}", errors_of, measure, floor), table]


def _confusions(targets: pd.DataFrame) -> list[Block]:
    """Return one confusion matrix per phenotype."""
    if not {"phenotype", "true_value", "predicted_value"} <= set(targets):
        return []
    blocks: list[Block] = []
    for index, (name, rows) in enumerate(targets.groupby("phenotype", sort=True)):
        label, predicted = rows["true_value"].map(str), rows["predicted_value"].map(str)
        categories = sorted(set(label) | set(predicted))
        if len(categories) > _MOST_CATEGORIES:
            blocks.append(Paragraph(f"{plain(str(name))}: {len(categories)} categories are too many for a matrix.", muted=True))
            continue
        place = {category: position for position, category in enumerate(categories)}
        counts = np.zeros((len(categories), len(categories)), dtype=np.int64)
        np.add.at(counts, (label.map(place), predicted.map(place)), 1)
        (plot,) = plots_classification.confusion({"model": counts.tolist()}, categories, ["model"]).plots
        blocks.append(Panel((replace(plot, key=f"confusion-{index}", title=f"Confusion: {shorten(str(name), 40)}"),)))
    return blocks


def _lower(title: str) -> str:
    """Return a title within a line: its first letter is small, names in it keep theirs."""
    return f"{title[:1].lower()}{title[1:]}"


def _key(name: str) -> str:
    return name.replace("_", "-")
