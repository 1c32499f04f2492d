"""Plots of the data: samples per class, how classes spread over the split, label against group, parameters of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from genoken.reporting import theme
from genoken.reporting.blocks import LegendEntry, Panel, Plot
from genoken.reporting.plots_heatmap import heatmap, name_axis
from genoken.reporting.plots_scores import row_axis, rows_height
from genoken.reporting.wording import percent, plot_text

_PARTS = (("train", "training", 0), ("val", "validation", 1), ("test", "test", 2), ("unused", "unused", 7))


def horizontal_bars(key: str, title: str, caption: str, values: Mapping[str, float], unit: str) -> Panel:
    """Return one horizontal bar per item, in the given order, with its value beside it.

    Parameters
    ----------
    key, title, caption
        Identifier, title and caption of the plot.
    values
        Item to value.
    unit
        What the values count, for axis and hover text.
    """
    names, numbers = list(values), [float(value) for value in values.values()]
    figure = theme.figure(height=rows_height(len(names)) + 70)
    figure.add_trace(
        go.Bar(
            x=numbers,
            y=list(range(len(names))),
            orientation="h",
            marker={"color": theme.color("model")},
            text=[f"{number:,.0f}" for number in numbers],
            textposition="outside",
            cliponaxis=False,
            textfont={"color": theme.color("ink"), "size": 12},
            hovertext=[plot_text(name, 80) for name in names],
            hovertemplate=f"<b>%{{hovertext}}</b><br>%{{x:,.0f}} {unit}<extra></extra>",
        )
    )
    figure.update_layout(xaxis={"title": {"text": unit}, "range": [0, 1.14 * max([*numbers, 1.0])]})
    figure.update_yaxes(row_axis(names))
    return Panel((Plot(key, title, caption, figure),))


def composition(split: pd.DataFrame, classes: Sequence[str]) -> Panel:
    """Return the share of each part of the first split in the samples of every class, as stacked bars.

    Parameters
    ----------
    split
        ``split.parquet`` with ``label`` and ``fold_0``.
    classes
        Names of the classes in order.
    """
    label = split["label"].astype(str)
    counts = pd.crosstab(label, split["fold_0"].astype(str)).reindex([name for name in classes if (label == name).any()])
    parts = [part for part in _PARTS if part[0] in counts]
    totals = counts.sum(axis=1)
    figure = theme.figure(height=rows_height(len(counts)) + 74)
    for column, title, index in parts:
        shares = (counts[column] / totals).to_numpy(np.float64)
        figure.add_trace(
            go.Bar(
                x=100 * shares,
                y=list(range(len(counts))),
                orientation="h",
                marker={"color": theme.series_color(index), "line": {"color": theme.color("surface"), "width": 1}},
                legendgroup=column,
                text=[
                    f"{plot_text(name, 60)}<br>{title}: {counts[column][name]} of {totals[name]} ({percent(share)})"
                    for name, share in zip(counts.index, shares, strict=True)
                ],
                textposition="none",
                hovertemplate="%{text}<extra></extra>",
            )
        )
    figure.update_layout(barmode="stack", xaxis={"title": {"text": "share of the class (%)"}, "range": [0, 100]})
    figure.update_yaxes(row_axis([f"{name} ({totals[name]})" for name in counts.index]))
    caption = (
        "How the samples of each class fall into the parts of the first split; a class without a share in training cannot "
        "be learned."
    )
    legend = tuple(LegendEntry(title, theme.series_color(index), "square", column) for column, title, index in parts)
    return Panel((Plot("composition", "Classes over the split", caption, figure),), legend)


def label_by_group(rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]]) -> Panel:
    """Return a heat map of samples by label (rows) and group (columns).

    Parameters
    ----------
    rows, columns
        Names of labels and groups.
    counts
        Samples, of shape (rows, columns).
    """
    values = np.asarray(counts, dtype=np.int64)
    text = values.astype(str) if values.size <= 140 else None
    figure = theme.figure(height=int(np.clip(28 * len(rows) + 150, 240, 720)))
    figure.add_trace(heatmap(values, rows, columns, "%{y} in %{x}<br><b>%{z}</b> samples", text=text).update(zmin=0))
    figure.update_xaxes(name_axis(columns, 14), tickangle=-45)
    figure.update_yaxes(name_axis(rows, 20), autorange="reversed")
    caption = (
        "Samples of each label (row) in each group (column); a label that lives in one group alone cannot be told from that group."
    )
    return Panel((Plot("label-by-group", "Label and group", caption, figure),))
