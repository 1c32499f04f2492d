from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genoken.reporting import plots_heatmap


def test_equal_names_become_different_categories() -> None:
    assert plots_heatmap.categories(["a", "b ", "a", "b", "a"]) == ["a", "b", "a (#2)", "b (#2)", "a (#3)"]
    assert plots_heatmap.categories(["<b>"]) == ["&lt;b&gt;"]


@given(st.lists(st.text(alphabet="ab ()#2", max_size=4), max_size=8))
def test_categories_are_all_different(names: list[str]) -> None:
    assert len(set(plots_heatmap.categories(names))) == len(names)


def test_heatmap_keeps_rows_and_columns() -> None:
    trace = plots_heatmap.heatmap(np.array([[1, 2, 3], [4, 5, 6]]), ["r", "s"], ["x", "y", "z"], "%{z}")
    assert trace.z.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert (trace.x, trace.y) == (("x", "y", "z"), ("r", "s"))
    assert trace.hovertemplate == "%{z}<extra></extra>"
    assert trace.texttemplate is None


def test_name_axis_is_a_category_axis_even_for_numbers() -> None:
    axis = plots_heatmap.name_axis(["1", "2"], 10)
    assert (axis["type"], axis["tickvals"], axis["ticktext"]) == ("category", [0, 1], ["1", "2"])
