"""What a model of genotypes adds to covariates and ancestry, as blocks of the page."""

from __future__ import annotations

import dataclasses

import pytest

from genoken.reporting import sections_ancestry, sections_results
from genoken.reporting.blocks import Finding, Heading, Panel, Table
from genoken.reporting.load import RunFolder, load_run_folder
from genoken.reporting.report import render

INCREMENT = {
    "baseline": "covariates_pcs", "metric": "r2", "value": 0.12, "interval": [0.05, 0.2], "unit": "samples", "draws": 1000,
    "others": {"pearson": {"value": 0.08, "interval": [-0.01, 0.15]}},
}  # fmt: skip
WITHIN = {
    "column": "population",
    "strata": {
        "north": {"samples": 20, "model": {"r2": 0.3}, "covariates_pcs": {"r2": 0.1}},
        "south <b>": {"samples": 40, "model": {"r2": None}, "covariates_pcs": {"r2": -0.2}},
    },
    "mean": {"model": {"r2": 0.3}, "covariates_pcs": {"r2": -0.1}},
}
WARNING = "A test R² of 0.900 is more than inherited variants explain of most traits."


def with_test(run: RunFolder, **test: object) -> RunFolder:
    baselines = run.test["baselines"] | {"covariates_pcs": {"r2": 0.43, "pearson": 0.6}}
    return dataclasses.replace(run, metrics=run.metrics | {"test": run.test | {"baselines": baselines} | test})


@pytest.fixture
def run(regression_run) -> RunFolder:
    return load_run_folder(regression_run)


def test_runs_without_such_a_baseline_have_nothing(run):
    assert sections_ancestry.beyond_ancestry(run) == []
    assert sections_ancestry.plausibility_banner(run) is None


def test_genotypes_without_covariates_and_components_say_why_there_is_no_increment(run):
    heading, finding = sections_ancestry.beyond_ancestry(dataclasses.replace(run, check={"identifiers": {"type": "variant"}}))
    assert heading.text == "Beyond covariates and ancestry"
    assert (finding.level, finding.title) == ("info", "No increment is given")
    assert finding.detail.startswith("No covariates and no principal components were fitted beside the model")


def test_the_increment_is_a_finding_and_a_row_per_metric(run):
    heading, finding, table = sections_ancestry.beyond_ancestry(with_test(run, increment=INCREMENT))
    assert isinstance(heading, Heading)
    assert (finding.level, finding.title) == ("ok", "The model adds to covariates + ancestry PCs")
    assert finding.detail == "Beyond chance, by 1,000 bootstrap draws of samples."
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["R²", "0.550", "0.430", "+0.120"],
        ["Pearson correlation", "0.780", "0.600", "+0.080"],
    ]
    assert [row[3].note for row in table.rows] == ["+0.050 to +0.200", "−0.010 to +0.150"]


@pytest.mark.parametrize(
    ("bounds", "level", "words"),
    [
        ([-0.1, 0.2], "warning", "The model adds nothing to covariates + ancestry PCs beyond chance"),
        ([-0.3, -0.1], "warning", "The model is worse than covariates + ancestry PCs"),
        (None, "warning", "Whether the model adds anything to covariates + ancestry PCs is not known"),
    ],
)
def test_an_increment_is_read_by_its_interval(run, bounds, level, words):
    found = [
        block
        for block in sections_ancestry.beyond_ancestry(with_test(run, increment=INCREMENT | {"interval": bounds}))
        if isinstance(block, Finding)
    ]
    assert [(block.level, block.title) for block in found] == [(level, words)]


def test_scores_within_populations_are_a_plot_and_a_table_with_the_mean_last(run):
    heading, panel, table = sections_ancestry.beyond_ancestry(with_test(run, within=WITHIN))
    assert heading.text == "Within each 'population'"
    assert isinstance(panel, Panel)
    assert panel.plots[0].key == "within"
    assert isinstance(table, Table)
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["south <b>", "–", "−0.200"],
        ["north", "0.300", "0.100"],
        ["Mean", "0.300", "−0.100"],
    ]
    assert [row[0].note for row in table.rows] == ["40 test samples", "20 test samples", "weighed by samples"]


def test_a_score_that_is_too_good_is_a_banner_and_is_not_said_twice(run):
    verdict = f"The model wins. It adds much. {WARNING}"
    good = with_test(run, plausibility=WARNING)
    good = dataclasses.replace(good, metrics=good.metrics | {"verdict": verdict})
    head = sections_results.headline(good)
    assert [(banner.level, banner.detail) for banner in head.banners] == [("warning", WARNING)]
    assert (head.verdict, head.more) == ("The model wins.", "It adds much.")


def test_the_page_has_all_of_it(run):
    page = render(with_test(run, increment=INCREMENT, within=WITHIN, plausibility=WARNING))
    for words in ("Beyond covariates and ancestry", "Within each", "Better than genotypes usually predict"):
        assert words in page
    assert "south <b>" not in page
