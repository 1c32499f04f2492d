from __future__ import annotations

import numpy as np
import pytest

from genoken.reporting import plots_scores, theme

SCORES = {
    "model": {"macro_f1": 0.8, "macro_f1_interval": [0.7, 0.85], "brier": 0.2, "brier_interval": None},
    "majority": {"macro_f1": 0.1, "macro_f1_interval": [0.05, 0.2], "brier": 0.9, "brier_interval": [0.8, 1.1]},
    "logistic": {"macro_f1": 0.75, "macro_f1_interval": None, "brier": None},
}


def test_whiskers_are_the_intervals_and_the_best_baseline_comes_first() -> None:
    plot = plots_scores.comparison(SCORES, ["macro_f1", "brier"], "headline").plots[0]
    baselines, model = plot.figure.data[:2]
    assert plot.figure.layout.yaxis.ticktext == ("Model", "Logistic regression", "Majority class")
    assert list(model.x) == [0.8]
    assert list(model.y) == [0.0]
    assert model.error_x.array == pytest.approx([0.05])
    assert model.error_x.arrayminus == pytest.approx([0.1])
    assert list(baselines.x) == [0.75, 0.1]
    assert list(baselines.y) == [1.0, 2.0]
    assert baselines.error_x.array[0] is None
    assert baselines.error_x.array[1] == pytest.approx(0.1)
    assert baselines.error_x.arrayminus[1] == pytest.approx(0.05)
    assert "95 % interval 0.700 to 0.850" in model.text[0]
    assert "no interval" in baselines.text[0]


def test_views_show_one_metric_each_and_skip_what_could_not_be_computed() -> None:
    plot = plots_scores.comparison(SCORES, ["macro_f1", "brier"], "headline").plots[0]
    assert [view.name for view in plot.views] == ["Macro F1", "Brier score"]
    assert [view.visible for view in plot.views] == [(True, True, False, False), (False, False, True, True)]
    assert list(plot.figure.data[2].x) == [0.9]
    assert list(plot.figure.data[3].x) == [0.2]
    assert [trace.visible for trace in plot.figure.data] == [True, True, False, False]
    assert plot.views[1].layout["xaxis.range"][1] >= 1.1


def test_lower_is_better_for_losses() -> None:
    scores = {"model": {"mae": 2.0}, "worse": {"mae": 9.0}, "better": {"mae": 1.0}, "unknown": {"mae": None}}
    plot = plots_scores.comparison(scores, ["mae"], "headline").plots[0]
    assert plot.figure.layout.yaxis.ticktext == ("Model", "Better", "Worse", "Unknown")
    assert plot.views == ()


def test_score_axis() -> None:
    assert plots_scores.score_axis("accuracy", [0.5])["range"] == pytest.approx([-0.03, 1.03])
    assert plots_scores.score_axis("mae", [2.0, None, 10.0])["range"] == pytest.approx([0.0, 10.3])
    low, high = plots_scores.score_axis("r2", [-0.5, 0.5])["range"]
    assert (low, high) == pytest.approx((-0.53, 0.53))
    assert plots_scores.score_axis("mae", [])["range"] == pytest.approx([0.0, 1.03])


def test_rows_with_equal_short_names_stay_apart() -> None:
    names = ["x" * 100 + "A" + "y" * 100, "x" * 100 + "B" + "y" * 100]
    axis = plots_scores.row_axis(names)
    assert axis["ticktext"][0] == axis["ticktext"][1]
    assert axis["tickvals"] == [0, 1]


def test_rows_never_come_closer_than_17_pixels() -> None:
    assert plots_scores.rows_height(3) == 84
    assert plots_scores.rows_height(30) == 672
    assert plots_scores.rows_height(60) == 1020


def test_contrast_shows_both_splits() -> None:
    leaky = {"model": {"macro_f1": 0.9, "macro_f1_interval": [0.88, 0.95]}, "logistic": {"macro_f1": 0.93}}
    panel = plots_scores.contrast(SCORES, leaky, "macro_f1", "groups held out", "random")
    honest_trace, leaky_trace = panel.plots[0].figure.data
    assert list(honest_trace.x) == [0.8, 0.75]
    assert list(leaky_trace.x) == [0.9, 0.93]
    assert leaky_trace.error_x.array[0] == pytest.approx(0.05)
    assert leaky_trace.marker.color == leaky_trace.error_x.color == theme.color("bad")
    assert panel.plots[0].figure.layout.yaxis.ticktext == ("Model", "Logistic regression")
    assert [entry.name for entry in panel.legend] == ["groups held out", "random"]


def test_per_class_dots_are_the_scores_largest_class_first() -> None:
    per_class = {
        "model": {"a": {"f1": 0.5, "recall": 0.25, "support": 3}, "b": {"f1": 0.75, "recall": 1.0, "support": 9}},
        "logistic": {"a": {"f1": 0.625}, "b": {"f1": None}},
    }
    panel = plots_scores.per_class(per_class, ["a", "b"], "logistic")
    figure = panel.plots[0].figure
    assert figure.layout.yaxis.ticktext == ("b (9)", "a (3)")
    assert [view.name for view in panel.plots[0].views] == ["F1", "Recall"]
    logistic, model = figure.data[:2]
    assert (list(logistic.x), list(logistic.y)) == ([0.625], [1.0])
    assert (list(model.x), list(model.y)) == ([0.75, 0.5], [0.0, 1.0])
    assert list(figure.data[3].x) == [1.0, 0.25]
    assert [entry.name for entry in panel.legend] == ["Model", "Logistic regression"]


def test_per_group() -> None:
    panel = plots_scores.per_group({"model": {"g 10": 0.5, "g 2": 1.0}, "knn": {"g 2": 0.25}}, {"g 10": 4, "g 2": 4}, "accuracy")
    figure = panel.plots[0].figure
    assert figure.layout.yaxis.ticktext == ("g 2 (4)", "g 10 (4)")
    assert list(figure.data[0].x) == [0.25]
    assert list(figure.data[1].x) == [1.0, 0.5]
    assert np.all(np.asarray(figure.layout.xaxis.range) == [-0.03, 1.03])
