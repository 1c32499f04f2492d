from __future__ import annotations

import pandas as pd
import pytest

from genoken.reporting import theme
from genoken.reporting.plots_next_cell import changes, control_differences, skill_bars


def test_bars_say_sign_and_number_of_cells() -> None:
    groups = {"beta <b>": {"skill": 0.125, "cells": 1200}, "delta": {"skill": -0.05, "cells": 8}}
    (plot,) = skill_bars("skill-type", "Skill by type", groups).plots
    (bars,) = plot.figure.data
    assert list(bars.x) == [12.5, -5.0]
    assert list(bars.text) == ["+12.5", "−5.0"]
    assert list(bars.marker.color) == [theme.color("model"), theme.color("bad")]
    assert list(plot.figure.layout.yaxis.ticktext) == ["beta &lt;b&gt; (1,200)", "delta (8)"]
    low, high = plot.figure.layout.xaxis.range
    assert low < -5.0 < 12.5 < high


def test_bars_of_no_skill_at_all() -> None:
    (plot,) = skill_bars("skill-type", "Skill by type", {"beta": {"skill": 0.0, "cells": None}}).plots
    assert list(plot.figure.layout.yaxis.ticktext) == ["beta (–)"]


def test_differences_with_whiskers_and_without() -> None:
    controls = {
        "reversed": {"difference": -0.25, "difference_interval": [-0.5, 0.25]},
        "shuffled": {"difference": -1.0, "difference_interval": None},
    }
    (plot,) = control_differences(controls, "mean squared error").plots
    (dots,) = plot.figure.data
    assert (list(dots.x), list(dots.y)) == ([-0.25, -1.0], [0.0, 1.0])
    assert list(dots.error_x.array) == [0.5, None]
    assert list(dots.error_x.arrayminus) == [0.25, None]
    low, high = plot.figure.layout.xaxis.range
    assert (low, high) == (pytest.approx(-1.15), pytest.approx(0.4))
    assert "mean squared error" in plot.caption


def test_changes_of_each_transition_in_a_view_of_its_own() -> None:
    first = pd.DataFrame(
        {
            "direction": ["rising"] * 6 + ["falling"],
            "gene": ["A", "B", "C", "D", "E", "F<", "G"],
            "predicted_change": [0.6, 0.5, 0.4, 0.3, 0.2, 0.1, -0.3],
            "true_change": [0.5, 0.1, 0.2, 0.2, 0.2, -0.4, -0.7],
        }
    )
    unknown = pd.DataFrame({"direction": ["rising"], "gene": ["H"], "predicted_change": [0.5], "true_change": [float("nan")]})
    panel = changes([("bud → tip", first), ("tip → leaf", unknown)])
    (plot,) = panel.plots
    line, rising, falling, _, other, none = plot.figure.data
    assert list(line.x) == [-0.7, 0.6]
    assert (rising.x.tolist(), rising.y.tolist()) == ([0.5, 0.1, 0.2, 0.2, 0.2, -0.4], [0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    assert list(rising.text) == ["A", "B", "C", "D", "E", ""]
    assert list(rising.hovertext)[5] == "F&lt;"
    assert (falling.x.tolist(), falling.y.tolist()) == ([-0.7], [-0.3])
    assert (list(other.hovertext), list(none.hovertext)) == (["H"], [])
    assert [(view.name, view.visible) for view in plot.views] == [
        ("bud → tip", (True,) * 3 + (False,) * 3), ("tip → leaf", (False,) * 3 + (True,) * 3)
    ]  # fmt: skip
    assert [trace.visible for trace in plot.figure.data] == [True] * 3 + [False] * 3
