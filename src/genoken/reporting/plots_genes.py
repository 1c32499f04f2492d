"""Plots of what the model looks at: top genes of each class, the deletion curve, attention between genes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from genoken.reporting import theme
from genoken.reporting.blocks import LegendEntry, Panel, Plot, View
from genoken.reporting.plots_heatmap import heatmap, name_axis
from genoken.reporting.wording import plain, plot_text

TOP = 15
"""Genes per class in the plot."""


def top_genes(genes: pd.DataFrame, name: str, count: int = TOP) -> pd.DataFrame:
    """Return the rows of one class with the highest importance, best first; ties keep the order of the file."""
    rows = genes[genes["class"] == name]
    if "rank" in rows and rows["rank"].notna().all():
        return rows.sort_values("rank", kind="stable").head(count)
    return rows.sort_values("importance", ascending=False, kind="stable").head(count)


def symbols(rows: pd.DataFrame) -> list[str]:
    """Return the symbol of each gene, or its identifier where it has none."""
    identifiers = [plain(name) for name in rows["feature_id"]]
    if "symbol" not in rows:
        return identifiers
    return [plain(symbol) or identifier for symbol, identifier in zip(rows["symbol"].fillna(""), identifiers, strict=True)]


def importance(genes: pd.DataFrame, classes: Sequence[str], noun: str = "gene") -> Panel:
    """Return bars of the top genes' importance beside the correlation of each with the class, one view per class.

    Parameters
    ----------
    genes
        ``explanations/genes.tsv``.
    classes
        Classes to show, in order; those without rows are left out.
    noun
        What a feature is called.
    """
    shown = [name for name in classes if (genes["class"] == name).any()]
    bars, control = theme.figure(height=25 * TOP + 70), theme.figure(height=25 * TOP + 70)
    bar_views, control_views = [], []
    for index, name in enumerate(shown):
        rows = top_genes(genes, name)
        labels = symbols(rows)
        visible = tuple(other == index for other in range(len(shown)))
        axis = row_ticks(labels)
        bars.add_trace(_bars(rows, labels, visible=index == 0))
        control.add_trace(_correlation(rows, labels, visible=index == 0))
        bar_views.append(View(plain(name), visible, axis))
        control_views.append(View(plain(name), visible, axis))
    for figure, title in ((bars, "importance"), (control, "correlation with the class")):
        figure.update_layout(
            xaxis={"title": {"text": title}}, yaxis={"range": [TOP - 0.4, -0.6], "showgrid": False, "tickmode": "array"}
        )
        if bar_views:
            figure.update_layout(
                yaxis={"tickvals": bar_views[0].layout["yaxis.tickvals"], "ticktext": bar_views[0].layout["yaxis.ticktext"]}
            )
    control.update_layout(xaxis={"range": [-1.03, 1.03], "zeroline": True})
    return Panel(
        (
            Plot(
                "importance",
                "Importance",
                f"How much the predictions of this class lean on a {noun}, averaged over its samples; not a proof that "
                f"the {noun} causes anything.",
                bars,
                tuple(bar_views),
            ),
            Plot(
                "correlation",
                "Simple control",
                f"Correlation of the {noun}'s values with the class: an important {noun} near zero here works through "
                "interactions, or is noise.",
                control,
                tuple(control_views),
            ),
        )
    )


def row_ticks(labels: Sequence[str]) -> dict[str, Any]:
    """Return the tick settings of a y axis with one gene per row."""
    return {"yaxis.tickvals": list(range(len(labels))), "yaxis.ticktext": [plot_text(label, 18) for label in labels]}


def _bars(rows: pd.DataFrame, labels: Sequence[str], *, visible: bool) -> go.Bar:
    return go.Bar(
        x=rows["importance"].to_numpy(np.float64),
        y=list(range(len(labels))),
        orientation="h",
        marker={"color": theme.color("model")},
        text=[plot_text(label, 60) for label in labels],
        textposition="none",
        hovertemplate="<b>%{text}</b><br>importance %{x:.4g}<extra></extra>",
        visible=visible,
    )


def _correlation(rows: pd.DataFrame, labels: Sequence[str], *, visible: bool) -> go.Scatter:
    values = rows["correlation"].to_numpy(np.float64) if "correlation" in rows else np.full(len(rows), np.nan)
    return go.Scatter(
        x=values,
        y=list(range(len(labels))),
        mode="markers",
        marker={"color": theme.color("neutral"), "size": 10, "symbol": "diamond"},
        text=[plot_text(label, 60) for label in labels],
        hovertemplate="<b>%{text}</b><br>correlation %{x:.2f}<extra></extra>",
        visible=visible,
    )


def deletion(curve: Mapping[str, Sequence[float]], noun: str = "gene") -> Panel:
    """Return the deletion curve: the score as the most important genes are removed, beside the same for random genes.

    Parameters
    ----------
    curve
        ``controls["deletion"]``; the band is drawn when both of its bounds are there.
    noun
        What a feature is called.
    """
    figure = theme.figure(height=360)
    fractions = [100 * value for value in curve["fractions"]]
    tone = theme.color("neutral")
    if curve.get("random_low") and curve.get("random_high"):
        line = {"width": 0, "color": tone}
        figure.add_trace(
            go.Scatter(x=fractions, y=curve["random_low"], mode="lines", line=line, hoverinfo="skip", legendgroup="random")
        )
        band = {"fill": "tonexty", "fillcolor": theme.translucent(tone, 0.25)}
        figure.add_trace(
            go.Scatter(x=fractions, y=curve["random_high"], mode="lines", line=line, hoverinfo="skip", legendgroup="random", **band)
        )
    for key, title, color, dash in (
        ("random", f"random {noun}s", tone, "dash"),
        ("importance", f"most important {noun}s", theme.color("model"), "solid"),
    ):
        figure.add_trace(
            go.Scatter(
                x=fractions,
                y=curve[key],
                mode="lines+markers",
                line={"color": color, "dash": dash, "width": 2.5},
                marker={"color": color, "size": 7},
                legendgroup=key,
                hovertemplate=f"<b>{title}</b><br>%{{x:.3g}} % removed: %{{y:.3f}}<extra></extra>",
            )
        )
    figure.update_layout(xaxis={"title": {"text": f"{noun}s removed (%)"}}, yaxis={"title": {"text": "score that remains"}})
    legend = (
        LegendEntry(f"most important {noun}s removed first", theme.color("model"), "line", "importance"),
        LegendEntry(f"random {noun}s (band: range of draws)", tone, "dash", "random"),
    )
    caption = (
        f"If the ranking is right, the solid line falls faster than the band of random {noun}s; if both fall alike, the "
        "ranking says nothing."
    )
    return Panel((Plot("deletion", f"Does the model need these {noun}s?", caption, figure),), legend)


def attention(names: Sequence[str], matrix: Sequence[Sequence[float]], noun: str = "gene") -> Panel:
    """Return the heat map of mean attention from gene (row) to gene (column).

    Parameters
    ----------
    names
        Symbols of rows and columns.
    matrix
        Mean attention weights of shape (genes, genes).
    noun
        What a feature is called.
    """
    figure = theme.figure(height=int(np.clip(20 * len(names) + 150, 320, 720)))
    hover = "%{y} looks at %{x}<br>mean weight %{z:.3g}"
    bar = {"thickness": 10, "outlinewidth": 0}
    figure.add_trace(
        heatmap(np.asarray(matrix, dtype=np.float64), names, names, hover).update(showscale=True, colorbar=bar, xgap=0, ygap=0)
    )
    figure.update_xaxes(name_axis(names, 14), tickangle=-60, title_text=f"{noun} that is looked at")
    figure.update_yaxes(name_axis(names, 14), autorange="reversed", title_text=f"{noun} that looks")
    caption = (
        f"Each row shows where the token of one {noun} looks; a strong column is a {noun} that most others look at. Attention "
        "alone is a weak explanation."
    )
    return Panel((Plot("attention", f"Attention between {noun}s", caption, figure),))
