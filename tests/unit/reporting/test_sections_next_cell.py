"""The report of a run that predicts next cells: what its first screen and its sections say and draw."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genoken.reporting import sections_next_cell, sections_pretraining
from genoken.reporting.blocks import Finding, Fold, Missing, Panel, Paragraph, Plot, Row, Section, Table
from genoken.reporting.load import RunFolder, load_run_folder
from genoken.reporting.report import render, sections_of

Change = Callable[..., RunFolder]


@pytest.fixture(scope="module")
def sections(next_cell_run: Path) -> dict[str, Section]:
    return {part.key: part for part in sections_of(load_run_folder(next_cell_run))[0]}


@pytest.fixture
def changed(next_cell_run: Path) -> Change:
    """Return the run with other values in its object ``next_cell``."""
    run = load_run_folder(next_cell_run)

    def change(**values: Any) -> RunFolder:
        return replace(run, metrics=run.metrics | {"next_cell": run.metrics["next_cell"] | values})

    return change


def plots_of(section: Section) -> dict[str, Plot]:
    panels = [block for block in section.blocks if isinstance(block, Panel)]
    panels += [panel for block in section.blocks if isinstance(block, Row) for panel in block.panels]
    return {plot.key: plot for panel in panels for plot in panel.plots}


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def tables_of(section: Section) -> list[Table]:
    return [block for block in section.blocks if isinstance(block, Table)]


def test_sections_in_order(sections: dict[str, Section]) -> None:
    assert list(sections) == [
        "split", "profiles", "direction", "successor-map", "skill", "transitions", "kept-types", "pairs", "scores", "hidden",
        "reproduce",
    ]  # fmt: skip


def test_first_screen_says_skill_floor_and_direction(next_cell_run: Path) -> None:
    head = sections_pretraining.headline(load_run_folder(next_cell_run))
    assert (head.label, head.question) == ("next-cell prediction", "Does the model know which cell comes next?")
    assert head.verdict == "Skill over the denoised current cell is +10.0%."
    assert head.banners == ()
    assert [(item.title, item.value, item.interval, item.note, item.level) for item in head.numbers] == [
        ("Skill over the denoised current cell", "+10.0 %", "95 % interval +5.0 % to +15.0 %",
         "Better than the denoised current cell, beyond chance.", "good"),
        ("Mean squared error, model − strongest floor", "−0.0200", "95 % interval −0.0300 to 0.0100",
         "Against the strongest floor, ridge to the next cell; the interval includes zero: no clear winner.", "plain"),
        ("Direction of time", "not learned", "true − reversed −0.0010, 95 % interval −0.0040 to 0.0020",
         "Difference in mean squared error to the same model trained on reversed successors.", "bad"),
    ]  # fmt: skip
    assert head.done == "Objectives: next cells · 63 train samples · scored on 12 held-out samples · 12 pairs of test cells"


def test_floors_far_below_are_not_drawn_on_the_first_screen(next_cell_run: Path) -> None:
    chart = sections_pretraining.headline(load_run_folder(next_cell_run)).chart
    assert chart is not None
    (plot,) = chart.plots
    shown = plot.figure.layout.yaxis.ticktext
    assert list(shown) == ["Model", "Ridge to the next cell", "Denoised current cell"]
    assert plot.caption.endswith("Left out, far below: copy of the current cell (−100 %).")


def test_a_model_that_sees_the_answer_wins_nothing(changed: Change) -> None:
    head = sections_pretraining.headline(changed(leak="With full attention the model sees <b>it</b>."))
    (banner,) = head.banners
    assert (banner.level, banner.title, banner.detail) == (
        "error", "The model sees the next cell", "With full attention the model sees <b>it</b>."
    )  # fmt: skip
    assert {(item.level, item.note) for item in head.numbers} == {
        ("plain", "The model saw tokens of the next cell: this is no prediction.")
    }
    page = render(changed(leak="With full attention the model sees <b>it</b>."))
    assert page.index("The model sees the next cell") < page.index("<h1>")
    assert "<b>it</b>" not in page


@pytest.mark.parametrize(
    ("bounds", "level", "beginning"),
    [
        ([0.01, 0.2], "good", "Better than the denoised current cell"),
        ([-0.2, -0.01], "bad", "Worse than the denoised current cell"),
        ([-0.1, 0.1], "plain", "Against the denoised current cell; the interval includes zero"),
        (None, "plain", "Against the denoised current cell; from too few groups"),
    ],
)
def test_levels_of_skill(changed: Change, next_cell_run: Path, bounds: list[float] | None, level: str, beginning: str) -> None:
    profiles = load_run_folder(next_cell_run).metrics["next_cell"]["profiles"]
    model = profiles["model"] | {"skill_interval": bounds}
    first = sections_pretraining.headline(changed(profiles=profiles | {"model": model})).numbers[0]
    assert (first.level, first.note.startswith(beginning)) == (level, True)


@pytest.mark.parametrize(
    ("learned", "value", "level", "finding"),
    [(True, "learned", "good", "ok"), (False, "not learned", "bad", "warning"), (None, "not known", "plain", "info")],
)
def test_direction_in_numbers_and_words(
    changed: Change, next_cell_run: Path, learned: bool | None, value: str, level: str, finding: str
) -> None:
    found = load_run_folder(next_cell_run).metrics["next_cell"]["direction"]
    run = changed(direction=found | {"learned": learned})
    number = sections_pretraining.headline(run).numbers[2]
    assert (number.value, number.level) == (value, level)
    section = sections_next_cell.direction(run)
    assert isinstance(section, Section)
    assert isinstance(section.blocks[0], Finding)
    assert section.blocks[0].level == finding


def test_direction_beside_its_controls(sections: dict[str, Section]) -> None:
    finding, table, panel = sections["direction"].blocks
    assert isinstance(finding, Finding)
    assert (finding.title, finding.detail) == (
        "The direction of time was not learned", "On reversed ones it is 0.3610. Shuffled ones give 0.4000."
    )  # fmt: skip
    assert isinstance(table, Table)
    assert [[(cell.text, cell.note) for cell in row] for row in table.rows] == [
        [("true successors", ""), ("0.3600", ""), ("", "")],
        [("reversed successors", ""), ("0.3610", ""), ("−0.0010", "−0.0040 to 0.0020")],
        [("shuffled successors", ""), ("0.4000", ""), ("−0.0400", "−0.0500 to −0.0300")],
    ]
    assert isinstance(panel, Panel)
    assert list(panel.plots[0].figure.data[0].x) == [-0.001, -0.04]


def test_shuffled_successors_may_not_have_been_trained_on(changed: Change, next_cell_run: Path) -> None:
    found = load_run_folder(next_cell_run).metrics["next_cell"]["direction"]
    section = sections_next_cell.direction(changed(direction=found | {"shuffled": None}))
    assert isinstance(section, Section)
    assert [row[0] for row in texts(tables_of(section)[0])] == ["true successors", "reversed successors"]


def test_only_shuffled_successors_may_have_been_trained_on(changed: Change, next_cell_run: Path) -> None:
    found = load_run_folder(next_cell_run).metrics["next_cell"]["direction"]
    said = "Whether the direction of time was learned was not checked: nothing was trained on reversed successors."
    run = changed(direction=found | {"reversed": None, "learned": None, "verdict": said})
    section = sections_next_cell.direction(run)
    assert isinstance(section, Section)
    assert [row[0] for row in texts(tables_of(section)[0])] == ["true successors", "shuffled successors"]
    finding = section.blocks[0]
    assert isinstance(finding, Finding)
    assert (finding.level, finding.title, finding.detail) == (
        "info", "Whether the direction of time was learned was not checked", "Nothing was trained on reversed successors."
    )  # fmt: skip
    number = sections_pretraining.headline(run).numbers[2]
    assert (number.value, number.note) == ("not checked", "The same model was not trained on reversed successors.")


def test_profiles_beside_all_floors(sections: dict[str, Section]) -> None:
    section = sections["profiles"]
    assert section.intro.startswith("Over 12 test cells.")
    (table,) = tables_of(section)
    assert [column.name for column in table.columns] == [
        "", "Skill", "Mean squared error", "Correlation", "Correlation, gene-centered", "Correlation of changes"
    ]  # fmt: skip
    assert texts(table) == [
        ["Model", "0.1000", "0.3600", "0.9000", "0.5000", "0.3000"],
        ["Copy of the current cell", "−1.0000", "0.8000", "0.9000", "0.5000", "0.0000"],
        ["Denoised current cell", "0.0000", "0.4000", "0.9000", "0.5000", "–"],
        ["Ridge to the next cell", "0.0500", "0.3800", "0.9000", "0.5000", "0.2000"],
    ]
    assert [view.name for view in plots_of(section)["profiles"].views][:2] == ["Skill", "Mean squared error"]


def test_skill_in_bars_the_largest_type_and_the_earliest_time_first(sections: dict[str, Section]) -> None:
    plots = plots_of(sections["skill"])
    by_type, by_time = plots["skill-type"], plots["skill-time"]
    assert (by_type.title, by_time.title) == ("Skill by cell_type", "Skill by pseudo<i>time</i>")
    assert list(by_type.figure.data[0].x) == [-10.0, 20.0]
    assert list(by_time.figure.layout.yaxis.ticktext) == ["5 to 10 (6)", "10 to 20 (6)"]


def test_genes_of_transitions(sections: dict[str, Section]) -> None:
    section = sections["transitions"]
    (overview,) = tables_of(section)
    hostile = "B <script>alert('x')</script> & \"co\" → </script><img src=x onerror=alert(1)>"
    assert texts(overview) == [
        [hostile, "25", "<i>Ins1</i>, Gcg", "Sox9", "2 of 3"],
        ["bud → NA", "10", "Pax6", "NA", "1 of 2"],
    ]
    assert [view.name for view in plots_of(section)["changes"].views] == [hostile, "bud → NA"]
    first, second = [block for block in section.blocks if isinstance(block, Fold)]
    assert (first.summary, second.summary) == (f"{hostile} (25 test cells)", "bud → NA (10 test cells)")
    rising = first.blocks[1]
    assert isinstance(rising, Table)
    assert texts(rising) == [["<i>Ins1</i>", "+0.500", "+0.750"], ["Gcg", "+0.250", "−0.125"]]
    assert [row[2].strong for row in rising.rows] == [True, False]


def test_embeddings_side_by_side(sections: dict[str, Section]) -> None:
    paragraph, table = sections["kept-types"].blocks
    assert isinstance(paragraph, Paragraph)
    assert paragraph.text == "The embedding 'model' keeps cell types."
    assert isinstance(table, Table)
    assert texts(table) == [["model", "0.250", "0.500"], ["<b>base</b>", "0.125", "–"]]


def test_facts_of_pairs(sections: dict[str, Section]) -> None:
    finding, circles, parts, facts = sections["pairs"].blocks
    assert isinstance(finding, Finding)
    assert isinstance(circles, Finding)
    assert circles.detail == "6 cells come after themselves by way of others: time goes backward somewhere on the way."
    assert (finding.level, finding.detail) == ("warning", "25 edges (5.0 %) lead to a cell that is earlier in 'pseudo<i>time</i>'.")
    assert isinstance(parts, Table)
    assert texts(parts) == [["Training", "60", "3"], ["Validation", "20", "2"], ["Test", "12", "1"]]
    assert isinstance(facts, Table)
    assert texts(facts) == [
        ["Successors from", "next_cell_ids"],
        ["Edges", "500"],
        ["Edges between parts, left out", "40"],
        ["Edges backward in time", "25"],
        ["Cells that come after themselves", "6"],
        ["Successors drawn", "one of a cell's successors at random in each epoch"],
        ["Attention", "strict: a token of the next cell sees the current cell, not the next one"],
        ["Cell types from", "cell_type"],
        ["Time from", "pseudo<i>time</i>"],
    ]


def test_a_graph_without_time_has_no_backward_edges_to_count(changed: Change) -> None:
    section = sections_next_cell.pairs_of_cells(
        changed(edges_backward=None, time="", types="", edges_across_parts=0, cells_on_cycles=0)
    )
    assert isinstance(section, Section)
    facts = dict(texts(tables_of(section)[1]))
    assert facts["Edges backward in time"] == "not known without a time"
    assert facts["Edges between parts, left out"] == "0"
    assert not {"Time from", "Cell types from"} & set(facts)
    assert not [block for block in section.blocks if isinstance(block, Finding)]


def test_hidden_tokens_are_those_of_the_next_cell(sections: dict[str, Section]) -> None:
    (words,) = [block.text for block in sections["hidden"].blocks if isinstance(block, Paragraph)]
    assert words.startswith("Hidden are 15 % of the next cell's tokens, exactly. Those of the current cell are never hidden.")


def test_what_is_absent_is_said(next_cell_run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(next_cell_run, tmp_path / "copy")
    metrics = json.loads((copy / "metrics.json").read_text(encoding="utf-8"))
    empty = {
        "key": "next_cell_ids", "draw": "a new one", "attention": "", "types": "", "time": "", "pairs": None, "cells_without": None,
        "edges": 3, "leak": None, "profiles": None, "direction": None, "controls": [], "embeddings": None, "skill_by_type": {},
        "skill_by_time": None, "verdict": "",
    }  # fmt: skip
    (copy / "metrics.json").write_text(json.dumps(metrics | {"next_cell": empty}), encoding="utf-8")
    for name in ("next_cells.parquet", "map.parquet"):
        (copy / name).unlink()
    pd.DataFrame(columns=["from", "to", "cells", "direction", "rank", "gene", "predicted_change", "true_change"]).to_csv(
        copy / "transitions.tsv", sep="\t", index=False
    )
    run = load_run_folder(copy)
    assert all(isinstance(part, Missing) for part in sections_next_cell.next_cell_sections(run))
    head = sections_pretraining.headline(run)
    assert [item.title for item in head.numbers] == ["Cross-entropy, model"]
    assert head.chart is not None
    page = render(run)
    assert "the same model was not trained on reversed successors" in page
    assert "transitions.tsv holds no transition from one cell type to another." in page
