"""The map of next cells: arrows from current cells to their predicted and to their true successors, over all cells by type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from genoken.reporting import theme
from genoken.reporting.blocks import LegendEntry, Panel, Plot, View
from genoken.reporting.plots_embedding import Dots, category_dots, map_axes, scatter
from genoken.reporting.plots_regression import draw_rows
from genoken.reporting.wording import plot_text

_HEIGHT = 540
_MOST_ARROWS = 70
_FINEST = 16
_PLACES = ("x", "y", "x_predicted", "y_predicted", "x_true", "y_true")
_SINGLE, _MEANS = "single cells", "means of nearby cells"


@dataclass(frozen=True, eq=False)
class Arrows:
    """Where arrows start and end.

    Parameters
    ----------
    places
        Columns ``x``, ``y``, ``x_predicted``, ``y_predicted``, ``x_true``, ``y_true``, one row per pair of arrows.
    texts
        Hover text of each.
    """

    places: pd.DataFrame
    texts: Sequence[str]


def successor_map(cells: pd.DataFrame, background: pd.DataFrame | None) -> Panel | None:
    """Return the map with arrows of some cells, chosen to cover it evenly, and of means over the cells around each of them.

    Parameters
    ----------
    cells
        ``next_cells.parquet``.
    background
        ``map.parquet``; ``None`` draws the arrows alone.

    Returns
    -------
    Panel or None
        ``None`` when no cell has all places.
    """
    if not set(_PLACES) <= set(cells):
        return None
    known = cells[np.isfinite(cells[list(_PLACES)].to_numpy(np.float64)).all(axis=1)].reset_index(drop=True)
    if known.empty:
        return None
    figure, legend = theme.figure(height=_HEIGHT), []
    if background is not None:
        legend += _background(figure, background)
    num_below = len(figure.data)
    styles = (("predicted", "predicted successor", theme.color("model")), ("true", "true successor (mean)", theme.color("ink")))
    for number, arrows in enumerate((single_arrows(known), mean_arrows(known))):
        for end, title, tone in reversed(styles):  # the model's are on top
            figure.add_trace(_arrows(arrows, end, title, tone, visible=number == 0))
        figure.add_trace(_starts(arrows, visible=number == 0))
    views = tuple(
        View(name, (True,) * num_below + (is_first,) * 3 + (not is_first,) * 3)
        for name, is_first in ((_SINGLE, True), (_MEANS, False))
    )
    figure.update_layout(map_axes("map"))
    caption = (
        "Each pair of arrows starts at a test cell (dot); where both point the same way, the prediction goes where the cells go. "
        "Single cells are chosen to cover the map evenly; means of nearby cells show the direction without the noise. "
        "A map keeps neighborhoods, not distances: scores are measured on expression, not here."
    )
    arrows_legend = [LegendEntry(title, tone, "arrow", end) for end, title, tone in styles]
    plot = Plot("successor-map", "Predicted and true successors on the map", caption, figure, views)
    return Panel((plot,), (*arrows_legend, LegendEntry("test cell", theme.color("ink"), "circle", "start"), *legend))


def single_arrows(cells: pd.DataFrame) -> Arrows:
    """Return the arrows of the cell in the middle of each box of the map."""
    boxes = boxes_of(cells)
    centers = cells[["x", "y"]].groupby(boxes).transform("mean")
    distance = ((cells[["x", "y"]] - centers) ** 2).sum(axis=1)
    chosen = cells.loc[distance.groupby(boxes).idxmin()]
    details = [name for name in ("type", "time") if name in chosen]
    texts = [
        "<br>".join(
            f"{name} {plot_text(value, 40)}" if name != "sample_id" else plot_text(value, 40) for name, value in row.items()
        )
        for row in chosen[["sample_id", *details]].to_dict("records")
    ]
    return Arrows(chosen[list(_PLACES)], texts)


def mean_arrows(cells: pd.DataFrame) -> Arrows:
    """Return the mean of the arrows of each box of the map."""
    grouped = cells[list(_PLACES)].groupby(boxes_of(cells))
    return Arrows(grouped.mean(), [f"mean of {count} test cells" for count in grouped.size()])


def boxes_of(cells: pd.DataFrame) -> np.ndarray:
    """Return the box of the map that each cell is in, int64: the finest grid of which at most 70 boxes hold a cell."""
    places = cells[["x", "y"]].to_numpy(np.float64)
    low = places.min(axis=0)
    span = np.maximum(places.max(axis=0) - low, 1e-12)
    for side in range(_FINEST, 1, -1):
        column_and_row = np.minimum((places - low) / span * side, side - 1).astype(np.int64)
        boxes = column_and_row[:, 0] * side + column_and_row[:, 1]
        if len(np.unique(boxes)) <= _MOST_ARROWS:
            return boxes
    return np.zeros(len(cells), dtype=np.int64)


def _background(figure: go.Figure, background: pd.DataFrame) -> list[LegendEntry]:
    """Draw the cells of the map, pale and colored by type, and return their legend."""
    rows = background.iloc[draw_rows(len(background))]
    coordinates = rows[["x", "y"]].to_numpy(np.float64)
    if "type" in rows and rows["type"].notna().any():
        # the first color is the model's, which the arrows have
        groups = category_dots(rows["type"].fillna("unknown"), "type", first_color=1)
    else:
        groups = [Dots(np.arange(len(rows)), "cells", theme.color("axis"), "circle", "type-0")]
    for dots in groups:
        names = np.full(len(dots.members), "", dtype=object)
        trace = scatter(coordinates[dots.members], names, dots, 5, opacity=0.35)
        figure.add_trace(trace.update(text=None, hovertemplate="%{fullData.name}<extra></extra>"))
    return [LegendEntry(dots.title, dots.tone, dots.symbol, dots.group) for dots in groups]


def _arrows(arrows: Arrows, end: str, title: str, tone: str, *, visible: bool) -> go.Scatter:
    """Return lines with a head at their end; a gap follows each."""
    starts, ends = arrows.places[["x", "y"]], arrows.places[[f"x_{end}", f"y_{end}"]]
    gap = np.full(starts.shape, np.nan)
    points = np.stack([starts.to_numpy(np.float64), ends.to_numpy(np.float64), gap], axis=1).reshape(-1, 2)
    return go.Scatter(
        x=points[:, 0].round(3),
        y=points[:, 1].round(3),
        mode="lines+markers",
        line={"color": tone, "width": 2},
        marker={
            "color": tone,
            "symbol": "arrow",
            "angleref": "previous",
            "size": [0, 10, 0] * len(starts),
            "opacity": 1,
            "line": {"width": 0},  # markers of several sizes have an outline otherwise
        },
        text=[text for text in arrows.texts for _ in range(3)],
        legendgroup=end,
        visible=visible,
        hovertemplate=f"<b>{title}</b><br>%{{text}}<extra></extra>",
    )


def _starts(arrows: Arrows, *, visible: bool) -> go.Scatter:
    return go.Scatter(
        x=arrows.places["x"].to_numpy(np.float64).round(3),
        y=arrows.places["y"].to_numpy(np.float64).round(3),
        mode="markers",
        marker={"color": theme.color("ink"), "size": 5},
        text=list(arrows.texts),
        legendgroup="start",
        visible=visible,
        hovertemplate="%{text}<extra></extra>",
    )
