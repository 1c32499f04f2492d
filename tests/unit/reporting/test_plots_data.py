from __future__ import annotations

import pandas as pd
import pytest

from genoken.reporting import plots_data


def test_bars_keep_order_and_values() -> None:
    figure = plots_data.horizontal_bars("k", "T", "C.", {"<b>": 1200, "small": 3}, "samples").plots[0].figure
    assert list(figure.data[0].x) == [1200.0, 3.0]
    assert list(figure.data[0].text) == ["1,200", "3"]
    assert figure.layout.yaxis.ticktext == ("&lt;b&gt;", "small")


def test_composition_is_the_share_of_each_part() -> None:
    split = pd.DataFrame({"label": ["a", "a", "a", "a", "b"], "fold_0": ["train", "train", "val", "test", "train"]})
    panel = plots_data.composition(split, ["a", "b", "absent"])
    train, val, test = panel.plots[0].figure.data
    assert train.x.tolist() == [50.0, 100.0]
    assert val.x.tolist() == [25.0, 0.0]
    assert test.x.tolist() == [25.0, 0.0]
    assert "2 of 4 (50.0 %)" in train.text[0]
    assert [entry.name for entry in panel.legend] == ["training", "validation", "test"]
    assert panel.plots[0].figure.layout.yaxis.ticktext == ("a (4)", "b (1)")


def test_label_by_group_holds_the_counts() -> None:
    figure = plots_data.label_by_group(["a", "b"], ["g", "h", "i"], [[1, 2, 3], [4, 5, 6]]).plots[0].figure
    assert figure.data[0].z.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert figure.data[0].text.tolist() == [["1", "2", "3"], ["4", "5", "6"]]


def test_large_tables_have_no_text_in_their_cells() -> None:
    figure = plots_data.label_by_group([str(row) for row in range(20)], list("abcdefgh"), [[1] * 8] * 20).plots[0].figure
    assert figure.data[0].text is None


def test_shares_of_a_class_add_up() -> None:
    split = pd.DataFrame({"label": ["a"] * 7, "fold_0": ["train", "val", "test", "unused", "train", "train", "test"]})
    figure = plots_data.composition(split, ["a"]).plots[0].figure
    assert sum(float(trace.x[0]) for trace in figure.data) == pytest.approx(100.0)
    assert len(figure.data) == 4
