"""Plots for classes: confusion matrix, ROC and precision-recall curves, calibration."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from genoken.reporting import theme
from genoken.reporting.blocks import LegendEntry, Panel, Plot, View
from genoken.reporting.plots_heatmap import heatmap, name_axis
from genoken.reporting.wording import number, plain, plot_text, predictor

_CURVE_POINTS = 200
_ALL_CURVE_POINTS = 4000
_TEXT_UP_TO = 14


def confusion(matrices: Mapping[str, Sequence[Sequence[int]]], classes: Sequence[str], shown: Sequence[str]) -> Panel:
    """Return a heat map of true against predicted class, as shares of each row and as counts.

    Parameters
    ----------
    matrices
        ``metrics["test"]["confusion"]``: counts by predictor, rows are true classes.
    classes
        Names of rows and columns.
    shown
        Predictors to offer as views, the first of them at first.
    """
    size = len(classes)
    figure = theme.figure(height=int(np.clip(34 * size + 150, 300, 760)))
    names: list[str] = []
    for key in (key for key in shown if key in matrices):
        counts = np.asarray(matrices[key], dtype=np.int64)
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0) * 100
        figure.add_trace(_cells(shares, counts, shares, classes).update(zmin=0, zmax=100, visible=not names))
        figure.add_trace(_cells(counts, counts, shares, classes).update(zmin=0, visible=False))
        names += [f"{predictor(key)}: % of true class", f"{predictor(key)}: counts"]
    views = tuple(View(name, tuple(other == index for other in range(len(names)))) for index, name in enumerate(names))
    figure.update_xaxes(name_axis(classes, 18), title_text="predicted class", side="bottom", tickangle=-45 if size > 2 else 0)
    figure.update_yaxes(name_axis(classes, 18), title_text="true class", autorange="reversed")
    caption = (
        "Rows are true classes and columns what was predicted: the diagonal is right, and a strong cell beside it is a pair "
        "that gets mixed up."
    )
    return Panel((Plot("confusion", "Confusion matrix", caption, figure, views, compact=size <= 5),))


def _cells(values: np.ndarray, counts: np.ndarray, shares: np.ndarray, classes: Sequence[str]) -> go.Heatmap:
    text = np.where(counts == 0, "", np.char.mod("%.0f", values)) if len(classes) <= _TEXT_UP_TO else None
    hover = "true: %{y}<br>predicted: %{x}<br><b>%{customdata[0]:.0f}</b> samples, %{customdata[1]:.1f} % of the true class"
    trace = heatmap(values.round(2), classes, classes, hover, text=text)
    return trace.update(customdata=np.stack([counts, shares.round(2)], axis=-1).astype(np.float32))


def thin(limit: int, *columns: Sequence[Any]) -> tuple[np.ndarray, ...]:
    """Return the columns of a curve cut to at most ``limit`` rows, evenly by index, both ends kept; missing values become NaN."""
    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    length = len(arrays[0])
    rows = np.unique(np.linspace(0, length - 1, min(length, limit)).round().astype(int)) if length else np.zeros(0, dtype=int)
    return tuple(array[rows].round(4).astype(np.float32) for array in arrays)


def curves(per_class: Mapping[str, Mapping[str, Any]], classes: Sequence[str], scores: Mapping[str, Mapping[str, Any]]) -> Panel:
    """Return ROC and precision-recall curves of the model, one line per class.

    Parameters
    ----------
    per_class
        ``metrics["test"]["curves"]["model"]``.
    classes
        Names of the classes; those without a curve are left out.
    scores
        ``metrics["test"]["per_class"]["model"]``, for the areas in the hover text; may be empty.
    """
    roc, precision_recall = theme.figure(height=380), theme.figure(height=380)
    roc.add_trace(_guess_line())
    legend = []
    limit = min(_CURVE_POINTS, max(40, _ALL_CURVE_POINTS // max(len(per_class), 1)))
    for index, name in enumerate(classes):
        curve = per_class.get(name)
        if not curve:
            continue
        tone = theme.series_color(index)
        dash = "solid" if theme.series_symbol(index) == "circle" else "dash"
        legend.append(LegendEntry(plain(name), tone, "line" if dash == "solid" else "dash", str(index)))
        for figure, part, x, y, area in (
            (roc, "roc", "false_positive_rate", "true_positive_rate", "roc_auc"),
            (precision_recall, "pr", "recall", "precision", "average_precision"),
        ):
            points = curve.get(part) or {}
            across, up = thin(limit, points.get(x, []), points.get(y, []))
            figure.add_trace(
                _curve(across, up, name, (x, y), scores.get(name, {}).get(area), {"color": tone, "dash": dash}, str(index))
            )
    unit = {"range": [-0.02, 1.02], "dtick": 0.25}
    roc.update_layout(
        xaxis={**unit, "title": {"text": "false positive rate"}}, yaxis={**unit, "title": {"text": "true positive rate"}}
    )
    precision_recall.update_layout(xaxis={**unit, "title": {"text": "recall"}}, yaxis={**unit, "title": {"text": "precision"}})
    plots = (
        Plot(
            "roc",
            "ROC",
            "Each line is one class against the rest, averaged over the folds where there are several; the closer to the top "
            "left corner, the better, and the diagonal is guessing.",
            roc,
        ),
        Plot(
            "precision-recall",
            "Precision and recall",
            "How pure the hits stay as more of a class is found; rare classes show their weakness here.",
            precision_recall,
        ),
    )
    return Panel(plots, tuple(legend) if len(legend) > 1 else ())


def _guess_line() -> go.Scatter:
    line = {"color": theme.color("axis"), "dash": "dot", "width": 1.5}
    return go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, hoverinfo="skip")


def _curve(
    across: np.ndarray, up: np.ndarray, name: str, axes: tuple[str, str], area: Any, line: dict[str, Any], group: str
) -> go.Scatter:
    titles = [axis.replace("_", " ") for axis in axes]
    return go.Scatter(
        x=across,
        y=up,
        mode="lines",
        line={**line, "width": 2},
        legendgroup=group,
        name=plot_text(name, 60),
        hovertemplate=f"<b>%{{fullData.name}}</b> (area {number(area)})"
        f"<br>{titles[0]} %{{x:.2f}}<br>{titles[1]} %{{y:.2f}}<extra></extra>",
    )


def calibration(per_predictor: Mapping[str, Mapping[str, Any]], shown: Sequence[str]) -> Panel:
    """Return the reliability diagram: accuracy against confidence, bin by bin.

    Parameters
    ----------
    per_predictor
        ``metrics["test"]["calibration"]``; empty bins are left out.
    shown
        Predictors to draw, in drawing order; the model is drawn last.
    """
    figure = theme.figure(height=380)
    figure.add_trace(_guess_line())
    legend: list[LegendEntry] = []
    keys = sorted((key for key in shown if key in per_predictor), key=lambda key: key == "model")
    for index, key in enumerate(keys):
        bins = [part for part in per_predictor[key].get("bins", []) if part.get("samples")]
        is_model = key == "model"
        tone = theme.color("model") if is_model else theme.series_color(index + 1)
        symbol = "circle" if is_model else "diamond"
        figure.add_trace(
            go.Scatter(
                x=[part["confidence"] for part in bins],
                y=[part["accuracy"] for part in bins],
                customdata=[part["samples"] for part in bins],
                mode="lines+markers",
                line={"color": tone, "width": 2.5 if is_model else 1.5, "dash": "solid" if is_model else "dot"},
                marker={"color": tone, "symbol": symbol, "size": _bin_sizes([part["samples"] for part in bins])},
                legendgroup=key,
                hovertemplate=f"<b>{html.escape(predictor(key))}</b>"
                "<br>confidence %{x:.2f}<br>accuracy %{y:.2f}<br>%{customdata} samples<extra></extra>",
            )
        )
        legend.insert(0, LegendEntry(f"{predictor(key)} (ECE {number(per_predictor[key].get('ece'))})", tone, symbol, key))
    unit = {"range": [-0.02, 1.04], "dtick": 0.25}
    figure.update_layout(
        xaxis={**unit, "title": {"text": "confidence in the predicted class"}},
        yaxis={**unit, "title": {"text": "share that is right"}},
    )
    caption = (
        "On the dotted line, 80 % confidence means right in 80 of 100 cases; below it the model is too sure; larger marks "
        "hold more samples."
    )
    return Panel((Plot("calibration", "Calibration", caption, figure, compact=True),), tuple(legend))


def _bin_sizes(samples: Sequence[int]) -> list[float]:
    largest = max(samples, default=1)
    return [round(6 + 10 * float(np.sqrt(count / largest)), 1) for count in samples]
