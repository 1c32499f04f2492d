"""Sections of a run that predicts next cells: skill over the present, the direction of time, the map, transitions, pairs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from genoken.reporting import plots_next_cell, plots_scores, plots_successor_map, tables
from genoken.reporting.blocks import (
    Block,
    Cell,
    Column,
    Finding,
    Fold,
    Heading,
    KeyNumber,
    Missing,
    Panel,
    Paragraph,
    Row,
    Section,
    Table,
)
from genoken.reporting.load import RunFolder, section
from genoken.reporting.sections_results import Headline
from genoken.reporting.wording import (
    NOT_COMPUTED,
    count,
    interval,
    is_number,
    metric,
    number,
    percent,
    plain,
    predictor_in_text,
    shorten,
    signed,
    signed_percent,
)

_MEASURES = ("skill", "squared_error", "centered_correlation", "change_correlation", "correlation")
_DIGITS = 4
_FAR = -0.2
"""Floors with a lower skill than this are not drawn on the first screen."""
_MOST_GROUPS = 40
_MOST_TRANSITIONS = 30
_NAMED_GENES = 6
_PARTS = (("train", "Training"), ("val", "Validation"), ("test", "Test"))
_DRAWS = {
    "random": "one of a cell's successors at random in each epoch",
    "weighted": "one of a cell's successors in each epoch, by their weights",
    "first": "the first successor of each cell",
    "all": "every pair of a cell and a successor in each epoch",
}
_ATTENTION = {
    "strict": "strict: a token of the next cell sees the current cell, not the next one",
    "self": "self: a token of the next cell sees the current cell and itself",
    "full": "full: every token sees all others, those of the next cell too",
}
_CONTROLS = {"reversed": "reversed successors", "shuffled": "shuffled successors"}


def headline(run: RunFolder, usual: Headline) -> Headline:
    """Return the first screen with the numbers that decide about next cells in the place of those of the first objective."""
    found = section(run.metrics, "next_cell")
    profiles = section(found, "profiles")
    leak = plain(found.get("leak") or "")
    banner = Finding("error", "The model sees the next cell", leak, "Train again with strict attention for an honest score.")
    pairs = section(found, "pairs").get("test")
    has_skill = is_number(section(profiles, "model").get("skill"))
    return replace(
        usual,
        label="next-cell prediction",
        question="Does the model know which cell comes next?",
        banners=((banner,) if leak else ()) + usual.banners,
        numbers=_numbers(found, is_leaky=bool(leak)) if profiles else usual.numbers,
        chart=_skill_chart(_predictors(profiles)) if has_skill else usual.chart,
        done=f"{usual.done} · {count(pairs, 'pair')} of test cells" if is_number(pairs) else usual.done,
    )


def next_cell_sections(run: RunFolder) -> list[Section | Missing]:
    """Return the sections that only a run of next cells has, in order."""
    return [profiles(run), direction(run), successor_map(run), skill(run), transitions(run), kept_types(run), pairs_of_cells(run)]


def profiles(run: RunFolder) -> Section | Missing:
    """Return the scores of predicted profiles beside those of all floors."""
    title = "Predicted profiles of next cells"
    found = section(section(run.metrics, "next_cell"), "profiles")
    predictors = _predictors(found)
    if not predictors["model"]:
        return Missing(title, "metrics.json holds no scores of predicted profiles.")
    blocks: list[Block] = [Paragraph(plain(found.get("verdict") or "No verdict was computed."))]
    names = [name for name in _MEASURES if is_number(predictors["model"].get(name))]
    if names:
        blocks.append(plots_scores.comparison(predictors, names, "profiles", "Model and floors"))
    blocks.append(tables.scores(predictors, _DIGITS))
    cells = f"Over {count(found['cells'], 'test cell')}. " if is_number(found.get("cells")) else ""
    intro = (
        f"{cells}A prediction is compared with the mean of the cell's successors; measures are taken over genes in each cell and "
        "averaged over cells. Floors use no network; the denoised current cell uses no successors either, so that skill above "
        "zero is more than a smoother present."
    )
    return Section("profiles", title, intro, tuple(blocks))


def direction(run: RunFolder) -> Section | Missing:
    """Return true successors beside reversed and shuffled ones."""
    title = "Direction of time"
    found = section(section(run.metrics, "next_cell"), "direction")
    if not found:
        return Missing(
            title, "the same model was not trained on reversed successors, so that nothing says whether time was learned."
        )
    _, level, said = _learned(found)
    what = metric(str(found.get("metric") or "loss"))
    controls = {name: section(found, key) for key, name in _CONTROLS.items() if section(found, key)}
    rows = [(Cell("true successors", strong=True), Cell(number(found.get("true"), _DIGITS)), Cell(""))]
    for name, scores in controls.items():
        difference = Cell(signed(scores.get("difference"), _DIGITS), interval(scores.get("interval"), _DIGITS))
        rows.append((Cell(name), Cell(number(scores.get("value"), _DIGITS)), difference))
    columns = (Column("Trained on"), Column(what.title, numeric=True, hint=what.hint), Column("True minus this", numeric=True))
    caption = "The same model, trained and scored alike, at the same targets; 95 % intervals below the differences."
    detail = plain(found.get("verdict") or "").removeprefix(f"{said}: ")
    finding = Finding(level, said, f"{detail[:1].upper()}{detail[1:]}")
    blocks: list[Block] = [finding, Table(columns, tuple(rows), caption)]
    shown = {
        name: {"difference": scores["difference"], "difference_interval": scores.get("interval")}
        for name, scores in controls.items()
        if is_number(scores.get("difference"))
    }
    if shown:
        blocks.append(plots_next_cell.control_differences(shown, what.title.lower()))
    intro = "Time counts as learned only if a model trained on true successors beats the same model trained on reversed ones."
    return Section("direction", title, intro, tuple(blocks))


def successor_map(run: RunFolder) -> Section | Missing:
    """Return the map with arrows from current cells to predicted and true successors."""
    title = "Where the cells go"
    if run.next_cells is None:
        return Missing(title, "next_cells.parquet is not in the run folder.")
    panel = plots_successor_map.successor_map(run.next_cells, run.cell_map)
    if panel is None:
        return Missing(title, "next_cells.parquet holds no places on a map.")
    known = f"{count(len(run.next_cells), 'test cell')} with successors."
    return Section("successor-map", title, known, (panel,))


def skill(run: RunFolder) -> Section | Missing:
    """Return the skill of each cell type and of each bin of time."""
    title = "Skill by cell type and by time"
    found = section(run.metrics, "next_cell")
    by_type = sorted(_known_skill(found, "skill_by_type").items(), key=lambda item: -(item[1].get("cells") or 0))
    by_time = sorted(_known_skill(found, "skill_by_time").items(), key=lambda item: _first_number(item[0]))
    panels = []
    for kind, groups in (("type", by_type), ("time", by_time)):
        if groups:
            name = shorten(found.get(f"{kind}s" if kind == "type" else kind) or kind, 40)
            panels.append(plots_next_cell.skill_bars(f"skill-{kind}", f"Skill by {name}", dict(groups[:_MOST_GROUPS])))
    if not panels:
        return Missing(title, "neither cell types nor a time were named, or no profiles were scored.")
    blocks: tuple[Block, ...] = (Row(tuple(panels)),) if len(panels) > 1 else tuple(panels)
    intro = "Where along the trajectory the model knows more of the next cell than the present shows."
    return Section("skill", title, intro, blocks)


def transitions(run: RunFolder) -> Section | Missing:
    """Return the genes that rise and fall from one type to the next, predicted and true."""
    title = "Genes that rise and fall"
    if run.transitions is None:
        return Missing(title, "transitions.tsv is not in the run folder.")
    if run.transitions.empty:
        return Missing(title, "transitions.tsv holds no transition from one cell type to another.")
    rows = run.transitions if "true_change" in run.transitions else run.transitions.assign(true_change=np.nan)
    grouped = [
        (f"{plain(start)} → {plain(end)}", part.sort_values("rank", kind="stable") if "rank" in part else part)
        for (start, end), part in rows.groupby(["from", "to"], sort=False)
    ]
    most_first = sorted(grouped, key=lambda item: -_num_cells(item[1]))[:_MOST_TRANSITIONS]
    blocks: list[Block] = [_overview(most_first), plots_next_cell.changes(most_first)]
    for name, part in most_first:
        listed: list[Heading | Table] = []
        for key, words in plots_next_cell.DIRECTIONS.items():
            genes = part[part["direction"] == key]
            listed += [Heading(words.capitalize()), _genes(genes)] if len(genes) else []
        blocks.append(Fold(f"{name} ({count(_num_cells(part), 'test cell')})", tuple(listed)))
    left_out = len(grouped) - len(most_first)
    more = f" {count(left_out, 'transition')} of fewer cells are in transitions.tsv alone." if left_out else ""
    intro = (
        "From one cell type to another, as most of a cell's successors have it. Compare the genes with known markers: their "
        f"predicted changes are the model's, their true ones a check.{more}"
    )
    return Section("transitions", title, intro, tuple(blocks))


def kept_types(run: RunFolder) -> Section | Missing:
    """Return how well the embedding keeps cell types beside others."""
    title = "Does the embedding keep cell types?"
    found = section(section(run.metrics, "next_cell"), "embeddings")
    compared = section(found, "compared")
    if not compared:
        return Missing(title, "embeddings were not compared; this takes a column of cell types.")
    columns = (
        Column("Embedding"),
        Column("Silhouette", numeric=True, hint="How far types are apart, from −1 to 1."),
        Column("Adjusted Rand index", numeric=True, hint="Agreement of types with as many clusters: 1 is the same, 0 is chance."),
    )
    rows = tuple(
        (Cell(shorten(name, 60)), *(Cell(number(section(compared, name).get(key))) for key in ("silhouette", "ari")))
        for name in compared
    )
    blocks: list[Block] = [Paragraph(plain(found["sentence"]))] if found.get("sentence") else []
    return Section("kept-types", title, "", (*blocks, Table(columns, rows, "Higher is better, in both columns.")))


def pairs_of_cells(run: RunFolder) -> Section | Missing:
    """Return what the pairs of cells are: their number, where they come from, and which were left out."""
    title = "Pairs of cells"
    found = section(run.metrics, "next_cell")
    pairs, without = section(found, "pairs"), section(found, "cells_without")
    if not pairs:
        return Missing(title, "metrics.json does not say how many pairs there are.")
    blocks: list[Block] = []
    backward = found.get("edges_backward")
    if is_number(backward) and backward > 0:
        share = f" ({percent(backward / found['edges'])})" if is_number(found.get("edges")) and found["edges"] else ""
        detail = f"{count(backward, 'edge')}{share} lead to a cell that is earlier in '{shorten(found.get('time'), 40)}'."
        blocks.append(Finding("warning", "Some successors are earlier than their cells", detail))
    cycling = found.get("cells_on_cycles")
    if is_number(cycling) and cycling > 0:
        detail = f"{count(cycling, 'cell')} come after themselves by way of others: time goes backward somewhere on the way."
        blocks.append(Finding("warning", "Successors run in circles", detail))
    rows = tuple((Cell(name), Cell(number(pairs.get(key))), Cell(number(without.get(key)))) for key, name in _PARTS)
    columns = (Column("Part"), Column("Pairs", numeric=True), Column("Cells without a successor in the part", numeric=True))
    blocks += [Table(columns, rows), tables.pairs(_facts(found), ("Property", "In this run"))]
    intro = "A cell and its successor are always in the same part of the split; edges between parts are left out."
    return Section("pairs", title, intro, tuple(blocks))


def _facts(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of the graph of successors and of its use, by name."""
    draw, attention = str(found.get("draw") or ""), str(found.get("attention") or "")
    facts = {
        "Successors from": found.get("key"),
        "Edges": found.get("edges"),
        "Edges between parts, left out": found.get("edges_across_parts"),
        "Edges backward in time": found.get("edges_backward"),
        "Cells that come after themselves": found.get("cells_on_cycles"),
        "Successors drawn": _DRAWS.get(draw, draw),
        "Attention": _ATTENTION.get(attention, attention),
        "Cell types from": found.get("types"),
        "Time from": found.get("time"),
    }
    unknown = {"Edges backward in time": "not known without a time"}
    return {
        name: unknown.get(name) if value is None else value
        for name, value in facts.items()
        if value or value == 0 or name in unknown
    }


def _predictors(profiles_found: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the scores of the model, then of each floor."""
    floors = section(profiles_found, "floors")
    return {"model": section(profiles_found, "model")} | {name: section(floors, name) for name in floors}


def _skill_chart(predictors: Mapping[str, Mapping[str, Any]]) -> Panel:
    """Return the skill of the model and of the floors but those far below the present, which would squeeze the others together."""
    far = {
        name: scores["skill"] for name, scores in predictors.items() if is_number(scores.get("skill")) and scores["skill"] < _FAR
    }
    near = {name: scores for name, scores in predictors.items() if name not in far or name == "model"}
    (plot,) = plots_scores.comparison(near, ["skill"], "headline", "Model and floors").plots
    left_out = ", ".join(f"{predictor_in_text(name)} ({signed_percent(value)})" for name, value in far.items() if name != "model")
    return Panel((replace(plot, caption=f"{plot.caption} Left out, far below: {left_out}." if left_out else plot.caption),))


def _numbers(found: Mapping[str, Any], *, is_leaky: bool) -> tuple[KeyNumber, ...]:
    """Return skill over the present, the difference to the strongest floor and the direction of time."""
    profiles_found = section(found, "profiles")
    model, difference = section(profiles_found, "model"), section(profiles_found, "difference")
    bounds = model.get("skill_interval")
    level, note = _reading(bounds, str(profiles_found.get("unit") or "groups"), "the denoised current cell", lower_is_better=False)
    within = "no interval"
    if bounds and interval(bounds):
        within = f"95 % interval {signed_percent(bounds[0])} to {signed_percent(bounds[1])}"
    numbers = [KeyNumber("Skill over the denoised current cell", signed_percent(model.get("skill")), within, note, level)]
    if difference:
        bounds = difference.get("interval")
        floor = f"the strongest floor, {predictor_in_text(str(difference.get('floor')))}"
        level, note = _reading(bounds, str(difference.get("unit") or "groups"), floor, lower_is_better=True)
        within = f"95 % interval {interval(bounds, _DIGITS)}" if interval(bounds) else "no interval"
        title = f"{metric('squared_error').title}, model − strongest floor"
        numbers.append(KeyNumber(title, signed(difference.get("value"), _DIGITS), within, note, level))
    numbers.append(_direction_number(section(found, "direction")))
    if is_leaky:
        return tuple(
            replace(item, level="plain", note="The model saw tokens of the next cell: this is no prediction.") for item in numbers
        )
    return tuple(numbers)


def _reading(bounds: Any, unit: str, rival: str, *, lower_is_better: bool) -> tuple[str, str]:
    """Return level and sentence of an interval beside zero."""
    if not interval(bounds):
        return "plain", f"Against {rival}; from too few {unit} for an interval: this may be chance."
    low, high = bounds
    if low <= 0 <= high:
        return "plain", f"Against {rival}; the interval includes zero: no clear winner."
    ahead = (high < 0) == lower_is_better
    return ("good", f"Better than {rival}, beyond chance.") if ahead else ("bad", f"Worse than {rival}, beyond chance.")


def _direction_number(found: Mapping[str, Any]) -> KeyNumber:
    title = "Direction of time"
    in_reverse = section(found, "reversed")
    if not in_reverse:
        return KeyNumber(title, "not checked", "", "The same model was not trained on reversed successors.")
    value, level, _ = _learned(found)
    bounds = interval(in_reverse.get("interval"), _DIGITS)
    within = f"true − reversed {signed(in_reverse.get('difference'), _DIGITS)}" + (f", 95 % interval {bounds}" if bounds else "")
    name = metric(str(found.get("metric") or "loss")).title.lower()
    level = {"ok": "good", "warning": "bad"}.get(level, "plain")
    return KeyNumber(title, value, within, f"Difference in {name} to the same model trained on reversed successors.", level)


def _learned(found: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return in short words, as the level of a finding and in a sentence whether the direction of time was learned."""
    if not section(found, "reversed"):
        return "not checked", "info", "Whether the direction of time was learned was not checked"
    if found.get("learned") is None:
        return "not known", "info", "Whether the direction of time was learned is not known"
    if found["learned"]:
        return "learned", "ok", "The direction of time was learned"
    return "not learned", "warning", "The direction of time was not learned"


def _known_skill(found: Mapping[str, Any], key: str) -> dict[str, dict[str, Any]]:
    groups = section(found, key)
    return {name: section(groups, name) for name in groups if is_number(section(groups, name).get("skill"))}


def _first_number(label: str) -> float:
    """Return the number that a bin of time begins with; bins without one come last."""
    match = re.search(r"-?\d+(\.\d+)?(e[+-]?\d+)?", label)
    return float(match.group()) if match else np.inf


def _num_cells(rows: pd.DataFrame) -> int:
    return int(rows["cells"].iloc[0]) if "cells" in rows and rows["cells"].notna().any() else 0


def _overview(named: list[tuple[str, pd.DataFrame]]) -> Table:
    """Return one row per transition: its cells, its first genes, and how many of all listed genes change as predicted."""
    rows = []
    for name, part in named:
        firsts = [
            ", ".join(plain(gene) for gene in part.loc[part["direction"] == key, "gene"][:_NAMED_GENES]) or NOT_COMPUTED
            for key in plots_next_cell.DIRECTIONS
        ]
        known = part[part["true_change"].notna()]
        same = int((np.sign(known["predicted_change"]) == np.sign(known["true_change"])).sum())
        agreement = f"{same} of {len(known)}" if len(known) else NOT_COMPUTED
        rows.append((Cell(name, strong=True), Cell(number(_num_cells(part))), *(Cell(text) for text in firsts), Cell(agreement)))
    columns = (
        Column("Transition"),
        Column("Cells", numeric=True),
        *(Column(words.capitalize()) for words in plots_next_cell.DIRECTIONS.values()),
        Column("Change as predicted", numeric=True, hint="Listed genes whose true change has the predicted sign."),
    )
    caption = (
        f"The first {_NAMED_GENES} genes of each direction, by predicted change; all listed genes with their numbers are below."
    )
    return Table(columns, tuple(rows), caption)


def _genes(rows: pd.DataFrame) -> Table:
    """Return genes with their predicted and true changes; those that change as predicted stand out."""
    cells = []
    for row in rows.to_dict("records"):
        predicted, true = row["predicted_change"], row["true_change"]
        agrees = is_number(true) and np.sign(true) == np.sign(predicted)
        changes = (Cell(signed(predicted)), Cell(signed(true), strong=bool(agrees)))
        cells.append((Cell(plain(row["gene"]), strong=True), *changes))
    columns = (
        Column("Gene"),
        Column("Predicted change", numeric=True, hint="From the denoised current cell, in log values."),
        Column("True change", numeric=True, hint="In bold where it has the predicted sign."),
    )
    return Table(columns, tuple(cells))
