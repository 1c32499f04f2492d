from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.reporting import theme
from genoken.reporting.blocks import Finding, LegendEntry, Panel, Plot, View, safe_json


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
    )
)
def test_safe_json_is_json_without_markup(content: object) -> None:
    text = safe_json(content)
    assert json.loads(text) == content
    assert not set("<>&\u2028\u2029") & set(text)


def test_safe_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        safe_json([float("nan")])


def test_plot_json_holds_data_layout_and_views() -> None:
    figure = theme.figure(200).add_scatter(x=[1, 2], y=[3, float("nan")], text=["</script>", "b"])
    plot = Plot("key", "Title", "Caption.", figure, (View("one", (True,), {"xaxis.range": [0, 1]}),))
    text = plot.to_json()
    assert "</script>" not in text
    content = json.loads(text)
    assert content["data"][0]["x"] == [1, 2]
    assert content["data"][0]["text"] == ["</script>", "b"]
    assert content["layout"]["height"] == 200
    assert content["views"] == [{"name": "one", "visible": [True], "layout": {"xaxis.range": [0, 1]}}]
    assert plot.to_json() == text


def test_panel_lists_views_of_all_its_plots_once() -> None:
    figure = theme.figure(100)
    one = Plot("a", "", "", figure, (View("x", ()), View("y", ())))
    other = Plot("b", "", "", figure, (View("y", ()), View("z", ())))
    assert Panel((one, other)).view_names == ("x", "y", "z")


def test_levels_have_an_icon_and_a_word() -> None:
    marks = [Finding(level, "").mark for level in ("ok", "info", "warning", "error")]
    assert len({icon for icon, _ in marks}) == 4
    assert [word for _, word in marks] == ["OK", "Note", "Warning", "Problem"]
    assert Finding("strange", "").mark == Finding("info", "").mark


def test_legend_entry_points_to_the_style_sheet() -> None:
    entry = LegendEntry("a", "#0072B2", "diamond")
    assert (entry.glyph, entry.css_color) == ("◆", "var(--c-0072B2)")
