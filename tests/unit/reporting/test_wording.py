from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.reporting import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"),
        (-0.5, "−0.500"),
        (-1234, "−1,234"),
        (-123.4, "−123"),
        (1, "1"),
        (12345, "12,345"),
        (123.4, "123"),
        (99.9, "99.900"),
        (0.00001, "1.0e-05"),
        (0.0, "0.000"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
        (True, "–"),
        ("0.5", "–"),
    ],
)
def test_number(value: object, text: str) -> None:
    assert wording.number(value) == text


def test_signed_percent_interval_and_count() -> None:
    assert wording.signed(0.0312) == "+0.031"
    assert wording.signed(-0.0312) == "−0.031"
    assert wording.signed(0.0) == "0.000"
    assert wording.percent(0.1234) == "12.3 %"
    assert wording.percent(None) == "–"
    assert wording.signed_percent(0.0449) == "+4.5 %"
    assert wording.signed_percent(-1.01) == "−101 %"
    assert wording.signed_percent(None) == "–"
    assert wording.interval([0.5, 0.75]) == "0.500 to 0.750"
    assert wording.interval([-0.00625, 0.75], 4) == "−0.0063 to 0.7500"
    assert wording.interval(None) == ""
    assert wording.interval([0.5, None]) == ""
    assert wording.count(1, "group") == "1 group"
    assert wording.count(2, "class") == "2 classes"
    assert wording.count(1200, "sample") == "1,200 samples"


def test_metric_names_keep_the_documented_order_and_leave_out_intervals() -> None:
    scores = {"zeta": 1.0, "macro_f1": 0.5, "macro_f1_interval": None, "accuracy": 0.6, "alpha": 2.0}
    assert wording.metric_names(scores) == ["accuracy", "macro_f1", "zeta", "alpha"]


def test_unknown_metric_and_baseline_keep_their_names() -> None:
    assert wording.metric("top_5_accuracy").title == "Top 5 accuracy"
    assert wording.metric("top_5_accuracy").higher_is_better is None
    assert wording.predictor("random_forest") == "Random forest"
    assert wording.predictor("logistic") == "Logistic regression"
    assert wording.predictor_in_text("logistic") == "logistic regression"
    assert wording.predictor_in_text("pca_logistic") == "PCA + logistic regression"


@pytest.mark.parametrize("name", ["brier", "log_loss", "ece", "mae", "rmse"])
def test_losses_are_better_when_lower(name: str) -> None:
    assert wording.metric(name).higher_is_better is False


def test_split_words() -> None:
    assert wording.split_words("group", "donor", 1) == "whole groups ('donor') held out"
    assert wording.split_words("folds", "donor", 5) == "whole groups ('donor') held out, 5-fold cross-validation"
    assert wording.split_words("folds", None, 5) == "samples held out at random, 5-fold cross-validation"
    assert wording.split_words("random", "donor", None) == "samples at random"
    assert wording.split_words("by_moon", None, 1) == "by moon"


def test_shorten_keeps_both_ends() -> None:
    assert wording.shorten("abc", 5) == "abc"
    assert wording.shorten("abcdefghijklmnopqrstuvwxyz", 10) == "abcdef…xyz"
    assert wording.plain("a\n\tb\x00c\u202e") == "a bc"


def test_plot_text_escapes_after_shortening() -> None:
    assert wording.plot_text("<b>&") == "&lt;b&gt;&amp;"


@given(st.text(max_size=200), st.integers(min_value=4, max_value=40))
def test_plot_text_is_short_and_holds_no_markup(text: str, limit: int) -> None:
    assert len(wording.shorten(text, limit)) <= limit
    assert "<" not in wording.plot_text(text, limit)


def test_natural_order() -> None:
    assert sorted(["donor 10", "donor 2", "a"], key=wording.natural_order) == ["a", "donor 2", "donor 10"]
    assert sorted(["x²", "²", "3"], key=wording.natural_order) == ["3", "x²", "²"]


@given(st.lists(st.text(max_size=8), max_size=6))
def test_natural_order_sorts_any_text(names: list[str]) -> None:
    assert sorted(sorted(names, key=wording.natural_order)) == sorted(names)


ON_RANDOM = "On random samples instead of whole groups, "


@pytest.mark.parametrize(
    ("name", "held_out", "at_random", "sentence"),
    [
        (
            "macro_f1",
            {"macro_f1": 0.5, "macro_f1_interval": [0.4, 0.6]},
            {"macro_f1": 0.775},
            ON_RANDOM + "Macro F1 of the same model is 0.775, not 0.500: too good by 0.275, because "
            "samples of the same groups were in training. Only the split by groups says what to expect of a new group.",
        ),
        (
            "macro_f1",
            {"macro_f1": 0.5, "macro_f1_interval": [0.4, 0.6]},
            {"macro_f1": 0.55},
            ON_RANDOM + "Macro F1 of the same model is 0.550, not 0.500: better by 0.050, but within "
            "the 95 % interval of the score on whole groups, so this may be chance.",
        ),
        (
            "r2",
            {"r2": 0.8, "r2_interval": [0.7, 0.9]},
            {"r2": 0.7999},
            ON_RANDOM + "R² of the same model is 0.800, not 0.800, so no better: no leak shows here.",
        ),
        (
            "mae",
            {"mae": 2.0, "mae_interval": None},
            {"mae": 1.5},
            ON_RANDOM + "Mean absolute error of the same model is 1.500, not 2.000: too good by 0.500, "
            "because samples of the same groups were in training. How much of it is chance is not known, because there is no "
            "interval. Only the split by groups says what to expect of a new group.",
        ),
        ("r2", {"r2": None}, {"r2": 0.5}, "The same model was also scored on random samples, but R² is not known of both."),
    ],
)
def test_a_contrast_is_worded_by_its_sign_and_size(name, held_out, at_random, sentence) -> None:
    assert wording.contrast_sentence(name, held_out, at_random) == sentence


def test_objectives_have_titles() -> None:
    assert [wording.objective(kind) for kind in ("next_cell", "next_value", "masked_feature", "a_new_one")] == [
        "Next cells", "Values of next cells", "Masked features", "A new one"
    ]  # fmt: skip


def test_floors_of_next_cells_fit_beside_their_plots() -> None:
    names = ["copy_current", "denoised_current", "mean_successor", "type_mean_successor", "knn_mean_successor", "ridge_successor"]
    titles = [wording.predictor(name) for name in names]
    assert titles == [
        "Copy of the current cell", "Denoised current cell", "Mean successor", "Mean successor of the type",
        "Mean successor of neighbors", "Ridge to the next cell",
    ]  # fmt: skip
    assert [wording.plot_text(title, 28) for title in titles] == titles
