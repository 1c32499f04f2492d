"""Plots of next-cell prediction: skill by cell type and time, controls of the direction of time, changes of genes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from genoken.reporting import theme
from genoken.reporting.blocks import LegendEntry, Panel, Plot, View
from genoken.reporting.plots_scores import dot_trace, row_axis, rows_height
from genoken.reporting.wording import number, plain, plot_text, signed

_LABELED = 5
"""Genes of each direction that are named in the plot; hovering names the others."""

DIRECTIONS = {"rising": "predicted to rise", "falling": "predicted to fall"}


def skill_bars(key: str, title: str, groups: Mapping[str, Mapping[str, Any]]) -> Panel:
    """Return one bar per group with its number of cells, in the given order.

    Parameters
    ----------
    key, title
        Of the plot.
    groups
        Name to ``skill``, a number, and ``cells``.
    """
    shares = [float(found["skill"]) for found in groups.values()]
    figure = theme.figure(height=rows_height(len(groups)) + 78)
    figure.add_trace(
        go.Bar(
            x=[100 * share for share in shares],
            y=list(range(len(groups))),
            orientation="h",
            marker={"color": [theme.color("model" if share >= 0 else "bad") for share in shares]},
            text=[signed(100 * share, 1) for share in shares],
            textposition="outside",
            cliponaxis=False,
            textfont={"color": theme.color("ink"), "size": 12},
            hovertext=[plot_text(name, 80) for name in groups],
            hovertemplate="<b>%{hovertext}</b><br>skill %{x:+.1f} %<extra></extra>",
        )
    )
    low, high = min([*shares, 0.0]), max([*shares, 0.0])
    pad = 40 * (high - low or 0.1)  # room for the numbers beside the bars
    bounds = [100 * low - (pad if low < 0 else 0), 100 * high + (pad if high > 0 else 0)]
    axis = {"title": {"text": "skill (%)"}, "range": bounds, "zeroline": True}
    figure.update_layout(xaxis=axis)
    figure.update_yaxes(row_axis([f"{plain(name)} ({number(found.get('cells'))})" for name, found in groups.items()]))
    caption = (
        "Skill over the denoised current cell; left of zero that is the better prediction. In parentheses are numbers of test "
        "cells: without intervals, bars of few cells may be chance."
    )
    return Panel((Plot(key, title, caption, figure),))


def control_differences(differences: Mapping[str, Mapping[str, Any]], loss: str) -> Panel:
    """Return the differences of losses to those of models trained on other successors, with whiskers beside zero.

    Parameters
    ----------
    differences
        Name of the other successors to ``difference`` and ``difference_interval``.
    loss
        What the loss is called.
    """
    rows = [(float(row), name, scores) for row, (name, scores) in enumerate(differences.items())]
    figure = theme.figure(height=40 * len(rows) + 86)
    figure.add_trace(dot_trace(rows, "difference", model=True))
    values = [0.0]
    for scores in differences.values():
        values += [scores["difference"], *(scores.get("difference_interval") or ())]
    pad = 0.12 * (max(values) - min(values) or 1.0)
    axis = {"title": {"text": "true minus control"}, "range": [min(values) - pad, max(values) + pad], "zeroline": True}
    figure.update_layout(xaxis=axis)
    figure.update_yaxes(row_axis(list(differences)))
    caption = (
        f"Differences in {loss}. Left of zero the model trained on true successors is better than the same model trained on the "
        "others; a whisker that crosses zero may be chance."
    )
    return Panel((Plot("control-differences", "True successors against the controls", caption, figure, compact=True),))


def changes(transitions: Sequence[tuple[str, pd.DataFrame]]) -> Panel:
    """Return predicted against true changes of genes, one view per transition.

    Parameters
    ----------
    transitions
        Name and rows of ``transitions.tsv`` of each, with ``true_change``.
    """
    figure = theme.figure(height=460)
    owners: list[int] = []
    for index, (_, rows) in enumerate(transitions):
        traces = [_identity(rows, visible=index == 0)]
        for direction, tone in (("rising", theme.color("model")), ("falling", theme.series_color(3))):
            traces.append(_genes(rows[rows["direction"] == direction], direction, tone, visible=index == 0))
        figure.add_traces(traces)
        owners += [index] * len(traces)
    views = tuple(View(name, tuple(owner == index for owner in owners)) for index, (name, _) in enumerate(transitions))
    zero = {"zeroline": True, "zerolinewidth": 1.5}
    figure.update_layout(
        xaxis={"title": {"text": "true change (log values)"}, **zero}, yaxis={"title": {"text": "predicted change"}, **zero}
    )
    caption = (
        "Mean change of a gene from the denoised current cell to the next one, over the cells of a transition. In the upper right "
        "and lower left the gene changes as predicted; on the dotted line by as much. Listed are the genes with the largest "
        "predicted changes."
    )
    legend = (
        LegendEntry(DIRECTIONS["rising"], theme.color("model"), "circle", "rising"),
        LegendEntry(DIRECTIONS["falling"], theme.series_color(3), "diamond", "falling"),
    )
    return Panel((Plot("changes", "Predicted against true change of genes", caption, figure, views, compact=True),), legend)


def _identity(rows: pd.DataFrame, *, visible: bool) -> go.Scatter:
    both = rows[["true_change", "predicted_change"]].to_numpy(np.float64)
    ends = [float(np.nanmin(both)), float(np.nanmax(both))] if np.isfinite(both).any() else [0.0, 1.0]
    line = {"color": theme.color("axis"), "dash": "dot", "width": 2}
    return go.Scatter(x=ends, y=ends, mode="lines", line=line, hoverinfo="skip", visible=visible)


def _genes(rows: pd.DataFrame, direction: str, tone: str, *, visible: bool) -> go.Scatter:
    names = [plot_text(name, 40) for name in rows["gene"]]
    return go.Scatter(
        x=rows["true_change"].to_numpy(np.float64),
        y=rows["predicted_change"].to_numpy(np.float64),
        mode="markers+text",
        text=[plot_text(name, 14) if place < _LABELED else "" for place, name in enumerate(rows["gene"])],
        textposition="top center" if direction == "rising" else "bottom center",
        textfont={"size": 11.5, "color": theme.color("muted")},
        cliponaxis=False,
        marker={"color": tone, "size": 8, "symbol": "circle" if direction == "rising" else "diamond"},
        hovertext=names,
        legendgroup=direction,
        visible=visible,
        hovertemplate="<b>%{hovertext}</b><br>true %{x:+.3f}<br>predicted %{y:+.3f}<extra></extra>",
    )
