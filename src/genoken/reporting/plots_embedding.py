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
                figure.add_trace(_points(coordinates[trace.members], names[trace.members], trace, len(rows), visible=number == 0))
                owners.append(number)
        blank = {"showticklabels": False, "showgrid": False, "ticks": "", "showline": True, "mirror": True}
        axis = projection.method
        figure.update_layout(xaxis={**blank, "title": {"text": f"{axis} 1"}}, yaxis={**blank, "title": {"text": f"{axis} 2"}})
        states = tuple(View(title, tuple(owner == number for owner in owners)) for number, (title, _) in enumerate(views))
        plots.append(Plot(f"map-{space}", _TITLES[space], _caption(space, projection.method), figure, states))
    legend = tuple(
        LegendEntry(trace.title, trace.tone, trace.symbol, trace.group, title)
        for title, traces in views
        for trace in traces
        if trace.values is None
    )
    return Panel(tuple(plots), legend)


def _caption(space: str, method: str) -> str:
    reading = "Near dots are samples that look alike" if method == "UMAP" else "The two directions of largest spread"
    if space == "model":
        return f"{reading} to the model; distances between far clumps mean little."
    return f"{reading} without any training on the label: where both maps separate the classes alike, training has added little."


@dataclass(frozen=True, eq=False)
class _Trace:
    """One set of dots: its members (row numbers), title, color and symbol, or values for a scale; ``text`` is more hover text."""

    members: np.ndarray
    title: str
    tone: str
    symbol: str
    group: str
    values: np.ndarray | None = None
    text: np.ndarray | None = None


_NamedTraces = list[tuple[str, list[_Trace]]]


def _class_views(rows: pd.DataFrame, classes: Sequence[str]) -> _NamedTraces:
    if "label" not in rows:
        return [_all_samples(rows)]
    label = rows["label"].astype(str).to_numpy(dtype=object)
    known = [name for name in classes if (label == name).any()] + sorted(set(label) - set(classes))
    order = {name: index for index, name in enumerate([*classes, *(name for name in known if name not in classes)])}
    traces = [
        _Trace(
            np.flatnonzero(label == name),
            plain(name),
            theme.series_color(order[name]),
            theme.series_symbol(order[name]),
            f"label-{order[name]}",
        )
        for name in known
    ]
    views: _NamedTraces = [("by label", traces)]
    if "predicted" in rows:
        predicted = rows["predicted"].astype(str).to_numpy(dtype=object)
        wrong = np.flatnonzero(label != predicted)
        confused = np.array([f"{plot_text(label[row])} → {plot_text(predicted[row])}" for row in wrong], dtype=object)
        right = _Trace(np.flatnonzero(label == predicted), "right", theme.color("axis"), "circle", "right")
        views.append(("by error", [right, _Trace(wrong, "wrong", theme.color("bad"), "diamond", "wrong", text=confused)]))
    return views


def _numeric_views(rows: pd.DataFrame) -> _NamedTraces:
    everyone = np.arange(len(rows))
    label = pd.to_numeric(rows["label"], errors="coerce").to_numpy(np.float64)
    views: _NamedTraces = [("by label", [_Trace(everyone, "label", theme.color("model"), "circle", "label", values=label)])]
    if "predicted" in rows:
        error = np.abs(pd.to_numeric(rows["predicted"], errors="coerce").to_numpy(np.float64) - label)
        views.append(("by error", [_Trace(everyone, "|error|", theme.color("model"), "circle", "error", values=error)]))
    return views


def _all_samples(rows: pd.DataFrame) -> tuple[str, list[_Trace]]:
    return "all samples", [_Trace(np.arange(len(rows)), "samples", theme.color("model"), "circle", "all")]


def _category_view(rows: pd.DataFrame, column: str) -> _NamedTraces:
    """Return the view by a column of categories, the most frequent ones by name; none where it has fewer than two."""
    if column not in rows or rows[column].isna().all():
        return []
    group = rows[column].astype(str).to_numpy(dtype=object)
    names, counts = np.unique(group.astype(str), return_counts=True)
    if len(names) < 2:
        return []
    order = names[np.argsort(-counts, kind="stable")]
    traces = [
        _Trace(
            np.flatnonzero(group == name), plain(name), theme.series_color(index), theme.series_symbol(index), f"{column}-{index}"
        )
        for index, name in enumerate(order[:_MAX_GROUPS])
    ]
    others = np.flatnonzero(~np.isin(group.astype(str), order[:_MAX_GROUPS]))
    if len(others):
        traces.append(_Trace(others, f"{len(order) - _MAX_GROUPS} other values", theme.color("axis"), "circle", f"{column}-others"))
    return [(f"by {plain(column)}", traces)]


def _points(coordinates: np.ndarray, names: np.ndarray, trace: _Trace, total: int, *, visible: bool) -> go.Scatter:
    size = 8 if total <= 300 else 6 if total <= 1500 else 4
    marker: dict[str, object] = {
        "size": size + (2 if trace.symbol in ("triangle-up", "star") else 0),
        "symbol": trace.symbol,
        "opacity": 0.8,
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
