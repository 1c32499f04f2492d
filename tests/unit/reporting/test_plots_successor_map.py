from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.reporting import plots_successor_map, theme
from genoken.reporting.plots_successor_map import boxes_of, mean_arrows, single_arrows, successor_map

# two boxes of three cells each, far from each other
CELLS = pd.DataFrame(
    {
        "sample_id": list("abcdef"),
        "type": ["bud", "bud", "bud", "tip", "tip", "tip"],
        "x": [0.0, 1.0, 2.0, 98.0, 99.0, 100.0],
        "y": [0.0, 1.0, 2.0, 98.0, 99.0, 100.0],
        "x_predicted": [3.0, 4.0, 8.0, 90.0, 91.0, 92.0],
        "y_predicted": [0.0, 0.0, 0.0, 60.0, 60.0, 60.0],
        "x_true": [5.0, 5.0, 5.0, 95.0, 95.0, 95.0],
        "y_true": [9.0, 9.0, 9.0, 70.0, 73.0, 70.0],
    }
)
BACKGROUND = pd.DataFrame({"x": [0.0, 50.0, 100.0], "y": [1.0, 2.0, 3.0], "type": ["tip", "bud", "tip"]})


def test_single_arrows_are_those_of_the_cells_in_the_middle() -> None:
    arrows = single_arrows(CELLS)
    assert arrows.places.to_numpy().tolist() == [[1.0, 1.0, 4.0, 0.0, 5.0, 9.0], [99.0, 99.0, 91.0, 60.0, 95.0, 73.0]]
    assert list(arrows.texts) == ["b<br>type bud", "e<br>type tip"]


def test_mean_arrows_are_means_of_boxes() -> None:
    arrows = mean_arrows(CELLS)
    assert arrows.places.to_numpy().tolist() == [[1.0, 1.0, 5.0, 0.0, 5.0, 9.0], [99.0, 99.0, 91.0, 60.0, 95.0, 71.0]]
    assert list(arrows.texts) == ["mean of 3 test cells", "mean of 3 test cells"]


def test_few_arrows_cover_a_crowded_map() -> None:
    places = np.random.default_rng(0).uniform(size=(5000, 2))
    places[:4000] /= 10  # most cells are in one corner
    boxes = boxes_of(pd.DataFrame(places, columns=["x", "y"]))
    assert 50 <= len(np.unique(boxes)) <= 70
    corner = (places < 0.1).all(axis=1)
    assert len(np.unique(boxes[corner])) == 1
    assert boxes_of(pd.DataFrame({"x": [1.0, 1.0], "y": [2.0, 2.0]})).tolist() == [0, 0]


def test_arrows_point_from_cells_to_successors_over_the_types() -> None:
    panel = successor_map(CELLS, BACKGROUND)
    assert panel is not None
    (plot,) = panel.plots
    tip, bud, true, predicted, starts, *means = plot.figure.data
    assert (tip.name, tip.x.tolist(), bud.name, bud.x.tolist()) == ("tip", [0.0, 100.0], "bud", [50.0])
    # no cells look like the model's arrows
    assert theme.color("model") not in (tip.marker.color, bud.marker.color)
    np.testing.assert_array_equal(predicted.x, [1.0, 4.0, np.nan, 99.0, 91.0, np.nan])
    np.testing.assert_array_equal(predicted.y, [1.0, 0.0, np.nan, 99.0, 60.0, np.nan])
    np.testing.assert_array_equal(true.x, [1.0, 5.0, np.nan, 99.0, 95.0, np.nan])
    np.testing.assert_array_equal(true.y, [1.0, 9.0, np.nan, 99.0, 73.0, np.nan])
    assert (predicted.line.color, true.line.color) == (theme.color("model"), theme.color("ink"))
    assert list(predicted.marker.size) == [0, 10, 0, 0, 10, 0]
    assert (starts.x.tolist(), starts.y.tolist()) == ([1.0, 99.0], [1.0, 99.0])
    np.testing.assert_array_equal(means[1].x, [1.0, 5.0, np.nan, 99.0, 91.0, np.nan])
    assert [view.visible for view in plot.views] == [(True,) * 5 + (False,) * 3, (True, True) + (False,) * 3 + (True,) * 3]
    groups = {entry.group: entry.name for entry in panel.legend}
    assert groups == {
        "predicted": "predicted successor", "true": "true successor (mean)", "start": "test cell", "type-0": "tip", "type-1": "bud"
    }  # fmt: skip
    assert set(groups) == {trace.legendgroup for trace in plot.figure.data}


def test_cells_without_a_place_are_left_out() -> None:
    lost = CELLS.assign(x_true=[np.nan] * 3 + [95.0] * 3)
    panel = successor_map(lost, None)
    assert panel is not None
    assert panel.plots[0].figure.data[2].x.tolist() == [98.0, 99.0, 100.0]
    assert successor_map(CELLS.assign(x_true=np.nan), None) is None
    assert successor_map(CELLS[["sample_id", "x", "y"]], None) is None


def test_a_map_without_types_has_one_color() -> None:
    panel = successor_map(CELLS, BACKGROUND[["x", "y"]])
    assert panel is not None
    assert panel.plots[0].figure.data[0].x.tolist() == [0.0, 50.0, 100.0]
    assert [entry.name for entry in panel.legend] == ["predicted successor", "true successor (mean)", "test cell", "cells"]
    assert plots_successor_map.successor_map(CELLS, BACKGROUND.assign(type=None)) is not None
