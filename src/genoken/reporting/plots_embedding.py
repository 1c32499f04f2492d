"""Maps of the test samples: what the model has learned beside plain principal components, colored by label, group or error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from genoken.reporting import theme
from genoken.reporting.blocks import LegendEntry, Panel, Plot, View
from genoken.reporting.projection import Projection
from genoken.reporting.wording import plain, plot_text

_MAX_GROUPS = 24
_TITLES = {"model": "Learned by the model", "pca": "Without training: principal components"}


def sample_maps(
    projection: Projection,
    embeddings: pd.DataFrame,
    classes: Sequence[str],
    *,
    is_regression: bool,
    columns: Sequence[str] | None = None,
) -> Panel:
    """Return the maps side by side with views by label, by group and by error, or by other columns.

    Parameters
    ----------
    projection
        Coordinates and the rows to which they belong.
    embeddings
        ``embeddings.parquet``: sample_id, and label, predicted and group where known.
    classes
        Names of the classes in order, so that colors agree with the other plots.
    is_regression
        Whether labels are numbers; they are then colored on a scale, and so is the error.
    columns
        Columns of categories to color by, where there is no label.
    """
    rows = embeddings.iloc[projection.rows]
    names = np.array([plot_text(name, 32) for name in rows["sample_id"]], dtype=object)
    if columns is None:
        views = _numeric_views(rows) if is_regression else _class_views(rows, classes)
        views += _category_view(rows, "group")
    else:
        views = [view for column in columns for view in _category_view(rows, column)] or [_all_samples(rows)]
    plots = []
    for space, coordinates in projection.coordinates.items():
        figure = theme.figure(height=430)
        owners = []
        for number, (_, traces) in enumerate(views):
            for trace in traces:
                dots = scatter(coordinates[trace.members], names[trace.members], trace, dot_size(len(rows)), visible=number == 0)
                figure.add_trace(dots)
                owners.append(number)
        figure.update_layout(map_axes(projection.method))
        states = tuple(View(title, tuple(owner == number for owner in owners)) for number, (title, _) in enumerate(views))
        plots.append(Plot(f"map-{space}", _TITLES[space], _caption(space, projection.method), figure, states))
    legend = tuple(
        LegendEntry(trace.title, trace.tone, trace.symbol, trace.group, title)
        for title, traces in views
        for trace in traces
        if trace.values is None
    )
    return Panel(tuple(plots), legend)


def map_axes(method: str) -> dict[str, dict[str, object]]:
    """Return the layout of both axes of a map, which have no units."""
    blank = {"showticklabels": False, "showgrid": False, "ticks": "", "showline": True, "mirror": True}
    return {f"{axis}axis": {**blank, "title": {"text": f"{method} {place}"}} for axis, place in (("x", 1), ("y", 2))}


def _caption(space: str, method: str) -> str:
    reading = "Near dots are samples that look alike" if method == "UMAP" else "The two directions of largest spread"
    if space == "model":
        return f"{reading} to the model; distances between far clumps mean little."
    return f"{reading} without any training on the label: where both maps separate the classes alike, training has added little."


@dataclass(frozen=True, eq=False)
class Dots:
    """One set of dots on a map.

    Parameters
    ----------
    members
        Their row numbers.
    title
        What they have in common.
    tone, symbol
        Color and marker.
    group
        ``legendgroup`` of the trace.
    values
        Numbers to color by, in place of ``tone``.
    text
        More hover text, one per dot.
    """

    members: np.ndarray
    title: str
    tone: str
    symbol: str
    group: str
    values: np.ndarray | None = None
    text: np.ndarray | None = None


_NamedDots = list[tuple[str, list[Dots]]]


def _class_views(rows: pd.DataFrame, classes: Sequence[str]) -> _NamedDots:
    if "label" not in rows:
        return [_all_samples(rows)]
    label = rows["label"].astype(str).to_numpy(dtype=object)
    known = [name for name in classes if (label == name).any()] + sorted(set(label) - set(classes))
    order = {name: index for index, name in enumerate([*classes, *(name for name in known if name not in classes)])}
    traces = [
        Dots(
            np.flatnonzero(label == name),
            plain(name),
            theme.series_color(order[name]),
            theme.series_symbol(order[name]),
            f"label-{order[name]}",
        )
        for name in known
    ]
    views: _NamedDots = [("by label", traces)]
    if "predicted" in rows:
        predicted = rows["predicted"].astype(str).to_numpy(dtype=object)
        wrong = np.flatnonzero(label != predicted)
        confused = np.array([f"{plot_text(label[row])} → {plot_text(predicted[row])}" for row in wrong], dtype=object)
        right = Dots(np.flatnonzero(label == predicted), "right", theme.color("axis"), "circle", "right")
        views.append(("by error", [right, Dots(wrong, "wrong", theme.color("bad"), "diamond", "wrong", text=confused)]))
    return views


def _numeric_views(rows: pd.DataFrame) -> _NamedDots:
    everyone = np.arange(len(rows))
    label = pd.to_numeric(rows["label"], errors="coerce").to_numpy(np.float64)
    views: _NamedDots = [("by label", [Dots(everyone, "label", theme.color("model"), "circle", "label", values=label)])]
    if "predicted" in rows:
        error = np.abs(pd.to_numeric(rows["predicted"], errors="coerce").to_numpy(np.float64) - label)
        views.append(("by error", [Dots(everyone, "|error|", theme.color("model"), "circle", "error", values=error)]))
    return views


def _all_samples(rows: pd.DataFrame) -> tuple[str, list[Dots]]:
    return "all samples", [Dots(np.arange(len(rows)), "samples", theme.color("model"), "circle", "all")]


def _category_view(rows: pd.DataFrame, column: str) -> _NamedDots:
    """Return the view by a column of categories; none where it has fewer than two."""
    if column not in rows or rows[column].isna().all() or rows[column].astype(str).nunique() < 2:
        return []
    return [(f"by {plain(column)}", category_dots(rows[column], column))]


def category_dots(names_of_rows: pd.Series, key: str, first_color: int = 0) -> list[Dots]:
    """Return the dots of each category, the most frequent first; those beyond 24 categories together.

    Parameters
    ----------
    names_of_rows
        Category of each row.
    key
        Beginning of the legend groups.
    first_color
        Index of the color of the most frequent category; the others follow.
    """
    group = names_of_rows.astype(str).to_numpy(dtype=object)
    names, counts = np.unique(group.astype(str), return_counts=True)
    order = names[np.argsort(-counts, kind="stable")]
    dots = []
    for index, name in enumerate(order[:_MAX_GROUPS]):
        tone, symbol = theme.series_color(index + first_color), theme.series_symbol(index + first_color)
        dots.append(Dots(np.flatnonzero(group == name), plain(name), tone, symbol, f"{key}-{index}"))
    others = np.flatnonzero(~np.isin(group.astype(str), order[:_MAX_GROUPS]))
    if len(others):
        dots.append(Dots(others, f"{len(order) - _MAX_GROUPS} other values", theme.color("axis"), "circle", f"{key}-others"))
    return dots


def dot_size(total: int) -> int:
    """Return the size of the dots of a map with so many."""
    return 8 if total <= 300 else 6 if total <= 1500 else 4


def scatter(
    coordinates: np.ndarray, names: np.ndarray, trace: Dots, size: int, *, visible: bool = True, opacity: float = 0.8
) -> go.Scatter:
    """Return the trace of some dots.

    Parameters
    ----------
    coordinates
        Their places, (dots, 2).
    names
        Hover text of each.
    trace
        How they look.
    size
        Diameter in pixels.
    visible
        Whether they are drawn at first.
    opacity
        Between 0 and 1.
    """
    marker: dict[str, object] = {
        "size": size + (2 if trace.symbol in ("triangle-up", "star") else 0),
        "symbol": trace.symbol,
        "opacity": opacity,
    }
    if trace.values is None:
        marker["color"] = trace.tone
    else:
        marker |= {
            "color": trace.values.round(4),
            "colorscale": theme.CONTINUOUS,
            "showscale": True,
            "colorbar": {"thickness": 10, "outlinewidth": 0},
        }
    text = (
        names
        if trace.text is None
        else np.array([f"{name}<br>{more}" for name, more in zip(names, trace.text, strict=True)], dtype=object)
    )
    hover = "%{text}<br><b>%{fullData.name}</b>" if trace.values is None else "%{text}<br>%{fullData.name} %{marker.color:.4g}"
    return go.Scatter(
        x=coordinates[:, 0].round(3),
        y=coordinates[:, 1].round(3),
        text=text.tolist(),
        name=plot_text(trace.title, 60),
        mode="markers",
        marker=marker,
        legendgroup=trace.group,
        visible=visible,
        hovertemplate=f"{hover}<extra></extra>",
    )
