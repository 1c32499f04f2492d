"""Plots for numeric labels: predicted against true values, and residuals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from genoken.core.random import generator
from genoken.reporting import theme
from genoken.reporting.blocks import Panel, Plot
from genoken.reporting.wording import plot_text

MAX_POINTS = 5000
"""Points drawn at most; more samples are thinned by a fixed draw."""


def draw_rows(samples: int, limit: int = MAX_POINTS) -> np.ndarray:
    """Return sorted row numbers of at most ``limit`` of ``samples`` rows: all, or a draw that is the same every time."""
    if samples <= limit:
        return np.arange(samples)
    return np.sort(generator(0, "report", "points").choice(samples, size=limit, replace=False))


def predicted_against_true(predictions: pd.DataFrame, label: str) -> Panel:
    """Return predicted against true values with the identity line, and the residuals against the predictions.

    Parameters
    ----------
    predictions
        ``predictions.parquet`` of a regression run; rows with a missing number are left out.
    label
        Name of the label, for the axes.
    """
    numbers = predictions.assign(label=pd.to_numeric(predictions["label"]), predicted=pd.to_numeric(predictions["predicted"]))
    numbers = numbers[np.isfinite(numbers["label"]) & np.isfinite(numbers["predicted"])]
    rows = numbers.iloc[draw_rows(len(numbers))]
    true, predicted = rows["label"].to_numpy(np.float64), rows["predicted"].to_numpy(np.float64)
    names = [plot_text(name, 40) for name in rows["sample_id"]]
    both = np.concatenate([true, predicted]) if len(true) else np.array([0.0, 1.0])
    ends = [float(both.min()), float(both.max())]
    scatter, residuals = theme.figure(height=400), theme.figure(height=400)
    line = {"color": theme.color("axis"), "dash": "dot", "width": 2}
    scatter.add_trace(go.Scatter(x=ends, y=ends, mode="lines", line=line, hoverinfo="skip"))
    scatter.add_trace(_points(true, predicted, names, "true %{x:.4g}<br>predicted %{y:.4g}"))
    residuals.add_trace(go.Scatter(x=ends, y=[0, 0], mode="lines", line=line, hoverinfo="skip"))
    residuals.add_trace(_points(predicted, predicted - true, names, "predicted %{x:.4g}<br>residual %{y:.4g}"))
    name = plot_text(label, 30)
    scatter.update_layout(xaxis={"title": {"text": f"true {name}"}}, yaxis={"title": {"text": f"predicted {name}"}})
    residuals.update_layout(xaxis={"title": {"text": f"predicted {name}"}}, yaxis={"title": {"text": "predicted − true"}})
    return Panel(
        (
            Plot(
                "predicted-true",
                "Predicted against true",
                "Each dot is a test sample; on the dotted line the prediction is exact.",
                scatter,
            ),
            Plot(
                "residuals",
                "Residuals",
                "Errors against the prediction; a tilt or a funnel means that the model errs systematically there.",
                residuals,
            ),
        )
    )


def _points(x: np.ndarray, y: np.ndarray, names: list[str], hover: str) -> go.Scatter:
    marker = {"color": theme.translucent(theme.color("model"), 0.6), "size": 7 if len(x) <= 1000 else 4.5}
    return go.Scatter(
        x=x, y=y, text=names, mode="markers", marker=marker, hovertemplate=f"<b>%{{text}}</b><br>{hover}<extra></extra>"
    )
