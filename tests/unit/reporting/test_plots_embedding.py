from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.reporting import plots_embedding, theme
from genoken.reporting.projection import Projection

TABLE = pd.DataFrame(
    {
        "sample_id": ["s0", "s1", "s2", "s3"],
        "label": ["b", "a", "b", "a"],
        "predicted": ["b", "b", "b", "a"],
        "group": ["g1", "g1", "g2", "g1"],
    }
)
PLACED = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], dtype=np.float32)


def test_every_view_shows_every_sample_once() -> None:
    maps = Projection(np.array([0, 1, 2]), {"model": PLACED, "pca": PLACED + 10}, "UMAP")
    panel = plots_embedding.sample_maps(maps, TABLE, ["a", "b"], is_regression=False)
    assert [plot.key for plot in panel.plots] == ["map-model", "map-pca"]
    assert panel.view_names == ("by label", "by error", "by group")
    for plot in panel.plots:
        for view in plot.views:
            shown = [trace for trace, visible in zip(plot.figure.data, view.visible, strict=True) if visible]
            assert sorted(name[:2] for trace in shown for name in trace.text) == ["s0", "s1", "s2"]
    by_label = panel.plots[0].figure.data[:2]
    assert [trace.name for trace in by_label] == ["a", "b"]
    assert by_label[0].x.tolist() == [2.0]
    assert by_label[1].y.tolist() == [1.0, 5.0]
    assert by_label[1].marker.color == theme.series_color(1)
    assert panel.plots[1].figure.data[0].x.tolist() == [12.0]


def test_errors_say_what_was_taken_for_what() -> None:
    maps = Projection(np.array([0, 1, 2]), {"model": PLACED}, "PCA")
    panel = plots_embedding.sample_maps(maps, TABLE, ["a", "b"], is_regression=False)
    right, wrong = panel.plots[0].figure.data[2:4]
    assert right.x.tolist() == [0.0, 4.0]
    assert list(wrong.text) == ["s1<br>a → b"]
    assert [entry.name for entry in panel.legend if entry.view == "by error"] == ["right", "wrong"]
    assert panel.plots[0].figure.layout.xaxis.title.text == "PCA 1"


def test_a_class_keeps_its_color_when_another_is_absent() -> None:
    maps = Projection(np.array([0, 2]), {"model": PLACED[:2]}, "PCA")
    panel = plots_embedding.sample_maps(maps, TABLE, ["a", "b"], is_regression=False)
    assert [trace.name for trace in panel.plots[0].figure.data][:1] == ["b"]
    assert panel.plots[0].figure.data[0].marker.color == theme.series_color(1)


def test_numeric_labels_are_colored_on_a_scale() -> None:
    table = pd.DataFrame({"sample_id": ["a", "b", "c"], "label": [1.0, 2.0, 5.0], "predicted": [1.5, 2.0, 3.0]})
    panel = plots_embedding.sample_maps(Projection(np.arange(3), {"model": PLACED}, "PCA"), table, [], is_regression=True)
    label, error = panel.plots[0].figure.data
    assert label.marker.color.tolist() == [1.0, 2.0, 5.0]
    assert error.marker.color.tolist() == [0.5, 0.0, 2.0]
    assert panel.view_names == ("by label", "by error")
    assert panel.legend == ()


def test_many_groups_are_gathered() -> None:
    count = 30
    table = pd.DataFrame({"sample_id": [f"s{row}" for row in range(count)], "group": [f"g{row}" for row in range(count)]})
    maps = Projection(np.arange(count), {"model": np.zeros((count, 2), dtype=np.float32)}, "UMAP")
    panel = plots_embedding.sample_maps(maps, table, [], is_regression=False)
    assert panel.view_names == ("all samples", "by group")
    assert panel.legend[-1].name == "6 other values"
    assert len(panel.plots[0].figure.data[-1].x) == 6


def test_other_columns_take_the_place_of_a_label() -> None:
    maps = Projection(np.array([0, 1, 2, 3]), {"model": np.vstack([PLACED, PLACED[:1]])}, "UMAP")
    table = TABLE.assign(tissue=["skin", "blood", "skin", "skin"], same="x").drop(columns=["label", "predicted"])
    panel = plots_embedding.sample_maps(maps, table, [], is_regression=False, columns=["tissue", "same", "group"])
    assert panel.view_names == ("by tissue", "by group")
    assert [(trace.name, len(trace.x)) for trace in panel.plots[0].figure.data] == [("skin", 3), ("blood", 1), ("g1", 3), ("g2", 1)]
    plain = plots_embedding.sample_maps(maps, table, [], is_regression=False, columns=["same"])
    assert [(trace.name, len(trace.x)) for trace in plain.plots[0].figure.data] == [("samples", 4)]


def test_categories_take_their_colors_in_order_from_the_first_one_on() -> None:
    frequent, rare = plots_embedding.category_dots(pd.Series(["x", "y", "x"]), "type", first_color=8)
    assert (frequent.title, frequent.members.tolist(), frequent.group) == ("x", [0, 2], "type-0")
    assert (rare.title, rare.members.tolist(), rare.group) == ("y", [1], "type-1")
    assert (frequent.tone, rare.tone) == (theme.series_color(8), theme.series_color(9))
    assert frequent.symbol == theme.series_symbol(8) == "diamond"
