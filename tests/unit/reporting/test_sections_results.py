from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from genoken.reporting import sections_results
from genoken.reporting.blocks import Heading, Missing, Panel, Paragraph, Section, Table
from genoken.reporting.load import RunFolder, load_run_folder


def changed(run: RunFolder, **test: object) -> RunFolder:
    return dataclasses.replace(run, metrics=run.metrics | {"test": run.test | test})


def test_headline_numbers_of_regression(regression_run: Path) -> None:
    head = sections_results.headline(load_run_folder(regression_run))
    assert head.verdict == "Ridge regression predicts age better than the transformer."
    model, baseline, difference = head.numbers
    assert (model.title, model.value, model.interval) == ("R², model", "0.550", "95 % interval 0.410 to 0.660")
    assert (baseline.title, baseline.value, baseline.interval) == ("R², Ridge regression", "0.680", "95 % interval 0.600 to 0.740")
    assert (difference.value, difference.interval, difference.level) == ("−0.130", "95 % interval −0.200 to −0.060", "bad")
    assert difference.note == "The baseline is ahead, beyond chance (1,000 draws of groups)."
    parts = head.done.split(" · ")
    assert parts[0] == "Label 'age <years> & more' (a number)"
    assert parts[1:] == ["scored on 13 held-out samples from 6 groups", "split: whole groups ('family') held out"]
    assert head.banners == ()


@pytest.mark.parametrize(
    ("metric", "bounds", "level", "words"),
    [
        ("r2", [0.01, 0.2], "good", "The model is ahead"),
        ("r2", [-0.01, 0.2], "plain", "The interval includes zero"),
        ("r2", [0.0, 0.2], "plain", "The interval includes zero"),
        ("mae", [-3.0, -1.0], "good", "The model is ahead"),
        ("mae", [1.0, 3.0], "bad", "The baseline is ahead"),
        ("r2", None, "plain", "Too few test groups"),
    ],
)
def test_difference_is_read_in_the_direction_of_its_metric(
    regression_run: Path, metric: str, bounds: list[float] | None, level: str, words: str
) -> None:
    difference = {"baseline": "ridge", "metric": metric, "value": 0.1, "interval": bounds, "unit": "groups", "draws": 10}
    number = sections_results.headline(changed(load_run_folder(regression_run), difference=difference)).numbers[2]
    assert number.level == level
    assert number.note.startswith(words)


def test_no_interval_from_few_groups_is_explained(regression_run: Path) -> None:
    run = load_run_folder(regression_run)
    few = changed(run, groups=3, model=run.test["model"] | {"r2_interval": None})
    assert sections_results.headline(few).numbers[0].interval == "no interval: only 3 test groups"


def test_headline_of_a_minimal_folder(minimal_run: Path) -> None:
    head = sections_results.headline(load_run_folder(minimal_run))
    assert head.verdict == "No verdict was computed."
    assert [(number.title, number.value) for number in head.numbers] == [("Accuracy", "0.750")]
    assert head.chart is None
    assert head.done == "Label 'drug' (2 classes)"


def test_leaky_run_has_a_banner_on_the_first_screen(binary_leaky_run: Path) -> None:
    head = sections_results.headline(load_run_folder(binary_leaky_run))
    assert [(banner.level, banner.title) for banner in head.banners] == [("error", "This split leaks")]


def test_headline_chart_holds_the_scores(evil_run: Path) -> None:
    run = load_run_folder(evil_run)
    chart = sections_results.headline(run).chart
    assert chart is not None
    baselines, model = chart.plots[0].figure.data
    assert list(model.x) == [run.test["model"]["macro_f1"]]
    assert sorted(baselines.x) == sorted(scores["macro_f1"] for scores in run.test["baselines"].values())


def test_scores_section_of_a_complete_run(evil_run: Path) -> None:
    part = sections_results.scores(load_run_folder(evil_run))
    assert [block.text for block in part.blocks if isinstance(block, Heading)] == [
        "Ablation: the encoder and the linear path, each alone",
        "Where model and baseline disagree",
    ]
    assert [plot.key for block in part.blocks if isinstance(block, Panel) for plot in block.plots] == ["all-scores", "per-group"]
    counted = [block for block in part.blocks if isinstance(block, Table) and block.columns[0].name == "Case"]
    assert sum(int(row[1].text) for row in counted[0].rows) == 12


def test_the_summands_are_shown_with_their_intervals(evil_run: Path) -> None:
    run = load_run_folder(evil_run)
    blocks = sections_results.scores(run).blocks
    heading = next(index for index, block in enumerate(blocks) if isinstance(block, Heading))
    table = blocks[heading + 1]
    assert isinstance(table, Table)
    place = [column.name for column in table.columns].index("Macro F1")
    assert [row[0].text for row in table.rows] == ["Model", "Encoder alone", "Linear path alone"]
    assert [(row[place].text, row[place].note) for row in table.rows[1:]] == [
        ("0.520", "0.410 to 0.600"),
        ("0.610", "0.500 to 0.700"),
    ]


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        (
            [-0.01, 0.05],
            "(95 % interval −0.010 to +0.050). The interval includes zero: the encoder cannot be said to add anything.",
        ),
        ([0.01, 0.05], "(95 % interval +0.010 to +0.050). The encoder adds to the linear path."),
        ([-0.05, -0.01], "(95 % interval −0.050 to −0.010). The encoder makes the linear path worse."),
        (None, "(no interval). Too few test groups to say whether this is chance."),
    ],
)
def test_what_the_encoder_adds_is_said_as_its_interval_says(evil_run: Path, bounds: list[float] | None, text: str) -> None:
    run = load_run_folder(evil_run)
    gap = run.metrics["ablation_difference"] | {"interval": bounds}
    shown = sections_results.scores(dataclasses.replace(run, metrics=run.metrics | {"ablation_difference": gap})).blocks
    paragraphs = [block.text for block in shown if isinstance(block, Paragraph)]
    assert paragraphs == [f"Macro F1, model − its linear path alone: +0.020 {text}"]


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        (
            [-0.01, 0.05],
            "(95 % interval −0.010 to +0.050). The interval includes zero: pretraining cannot be said to add anything.",
        ),
        ([0.01, 0.05], "(95 % interval +0.010 to +0.050). Pretraining adds to the network."),
        ([-0.05, -0.01], "(95 % interval −0.050 to −0.010). Pretraining does harm."),
        (None, "(no interval). Too few test groups to say whether this is chance."),
    ],
)
def test_the_same_network_from_scratch_is_shown_with_what_pretraining_adds(
    minimal_run: Path, bounds: list[float] | None, text: str
) -> None:
    run = load_run_folder(minimal_run)
    gap = {"metric": "macro_f1", "value": 0.02, "interval": bounds, "unit": "groups", "draws": 50}
    metrics = run.metrics | {"scratch": {"macro_f1": 0.25, "macro_f1_interval": [0.125, 0.5]}, "scratch_difference": gap}
    blocks = sections_results.scores(dataclasses.replace(run, metrics=metrics)).blocks
    place = next(index for index, block in enumerate(blocks) if isinstance(block, Heading) and "scratch" in block.text)
    table, paragraph = blocks[place + 1 : place + 3]
    assert isinstance(table, Table)
    assert [row[0].text for row in table.rows] == ["Model", "The same from scratch"]
    column = [column.name for column in table.columns].index("Macro F1")
    assert (table.rows[1][column].text, table.rows[1][column].note) == ("0.250", "0.125 to 0.500")
    assert isinstance(paragraph, Paragraph)
    assert paragraph.text == f"Macro F1, model − the same from scratch: +0.020 {text}"


def test_floors_are_shown(minimal_run: Path) -> None:
    part = sections_results.scores(changed(load_run_folder(minimal_run), floors={"uniform": 2.5}))
    shown = [block for block in part.blocks if isinstance(block, Table) and block.columns[0].name == "Guess"]
    assert [cell.text for cell in shown[0].rows[0]] == ["uniform", "2.500"]


def test_group_scores() -> None:
    labels = pd.DataFrame({"group": ["g", "g", "h"], "label": ["a", "b", "a"], "predicted": ["a", "a", "a"]})
    assert sections_results.group_scores(labels, is_regression=False) == {"g": 0.5, "h": 1.0}
    numbers = pd.DataFrame({"group": ["g", "g", "h"], "label": [1.0, 2.0, 3.0], "predicted": [2.0, 5.0, 3.0]})
    assert sections_results.group_scores(numbers, is_regression=True) == {"g": 2.0, "h": 0.0}


def test_classes_section(evil_run: Path, minimal_run: Path) -> None:
    part = sections_results.classes(load_run_folder(evil_run))
    assert isinstance(part, Section)
    keys = [plot.key for block in part.blocks if isinstance(block, Panel) for plot in block.plots]
    assert keys == ["per-class", "confusion", "roc", "precision-recall", "calibration"]
    assert isinstance(sections_results.classes(load_run_folder(minimal_run)), Missing)


def test_confusion_of_the_page_is_that_of_the_metrics(evil_run: Path) -> None:
    run = load_run_folder(evil_run)
    part = sections_results.classes(run)
    assert isinstance(part, Section)
    plot = next(plot for block in part.blocks if isinstance(block, Panel) for plot in block.plots if plot.key == "confusion")
    assert plot.figure.data[1].z.tolist() == run.test["confusion"]["model"]


def test_values_section(regression_run: Path, minimal_run: Path) -> None:
    part = sections_results.values(load_run_folder(regression_run))
    assert isinstance(part, Section)
    assert isinstance(sections_results.values(load_run_folder(minimal_run)), Missing)


def test_the_first_sentence_of_a_verdict_is_the_title():
    text = "A cannot be told apart from B: macro-F1 0.605 against 0.613 (95 % interval -0.037 to +0.015 over 7 groups)."
    more = "The model beats its own linear path alone: macro-F1 0.6 against 0.5."
    assert sections_results.first_sentence(f"{text} {more}") == (text, more)
    assert sections_results.first_sentence(text) == (text, "")
    assert sections_results.first_sentence("No verdict was computed.") == ("No verdict was computed.", "")
