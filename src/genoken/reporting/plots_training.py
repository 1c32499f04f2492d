"""Plots of the training: loss, validation metric, learning rate, memory. One thin line per fold, a thick one for their mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from genoken.reporting import theme
from genoken.reporting.blocks import LegendEntry, Panel, Plot, Row, View
from genoken.reporting.wording import metric, plot_text

_HEIGHT = 300


def _epochs(history: pd.DataFrame, column: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return fold, epochs and the last value of each epoch, for every fold that has values."""
    result = []
    for fold, rows in history.groupby("fold", sort=False):
        values = rows[["epoch", column]].dropna().groupby("epoch")[column].last()
        if len(values):
            result.append((str(fold), values.index.to_numpy(np.float64), values.to_numpy(np.float64).round(6)))
    return result


def _lines(figure: go.Figure, history: pd.DataFrame, column: str, tone: str, *, dash: str = "solid", visible: bool = True) -> int:
    """Add the lines of one column; return how many traces were added."""
    folds = _epochs(history, column)
    several = len(folds) > 1
    title = metric(column.removeprefix("val_").removeprefix("train_")).title
    for fold, epochs, values in folds:
        figure.add_trace(
            go.Scatter(
                x=epochs,
                y=values,
                mode="lines" if several or len(epochs) > 1 else "markers",
                line={"color": theme.translucent(tone, 0.45) if several else tone, "width": 1 if several else 2.5, "dash": dash},
                marker={"color": tone},
                legendgroup=column,
                visible=visible,
                hovertemplate=f"<b>{title}</b>{_fold_name(fold) if several else ''}<br>epoch %{{x}}: %{{y:.4g}}<extra></extra>",
            )
        )
    if not several:
        return len(folds)
    mean = pd.concat([pd.Series(values, index=epochs) for _, epochs, values in folds], axis=1).mean(axis=1).sort_index()
    figure.add_trace(
        go.Scatter(
            x=mean.index.to_numpy(np.float64),
            y=mean.to_numpy(np.float64).round(6),
            mode="lines",
            line={"color": tone, "width": 3, "dash": dash},
            legendgroup=column,
            visible=visible,
            hovertemplate=f"<b>{title}</b>, mean of the folds<br>epoch %{{x}}: %{{y:.4g}}<extra></extra>",
        )
    )
    return len(folds) + 1


def _fold_name(fold: str) -> str:
    return ", final model" if fold == "final" else f", fold {plot_text(fold, 12)}"


def _has(history: pd.DataFrame, column: str) -> bool:
    return column in history and bool(history[column].notna().any())


def learning_curves(history: pd.DataFrame, primary: str | None) -> Row | None:
    """Return loss and validation metrics by epoch; ``None`` when the history has neither.

    Parameters
    ----------
    history
        ``history.csv`` with a column ``fold``.
    primary
        Metric to show first, without the prefix ``val_``; the others are views.
    """
    panels = []
    shown = [column for column in ("train_loss", "val_loss") if _has(history, column)]
    legend = []
    if shown:
        loss = theme.figure(height=_HEIGHT)
        for column, tone, dash, title in (
            ("train_loss", theme.series_color(0), "solid", "training loss"),
            ("val_loss", theme.series_color(3), "dash", "validation loss"),
        ):
            if column in shown:
                _lines(loss, history, column, tone, dash=dash)
                legend.append(LegendEntry(title, tone, "line" if dash == "solid" else "dash", column))
        loss.update_layout(xaxis={"title": {"text": "epoch"}}, yaxis={"title": {"text": "loss"}})
        caption = "Both lines should fall; validation rising while training falls means that the model learns its samples by heart."
        panels.append(Panel((Plot("loss", "Loss", caption, loss),), tuple(legend)))
    metrics = [column for column in history if column.startswith("val_") and column != "val_loss" and _has(history, column)]
    if metrics:
        panels.append(Panel((_validation(history, sorted(metrics, key=lambda column: column != f"val_{primary}")),)))
    return Row(tuple(panels)) if panels else None


def _validation(history: pd.DataFrame, columns: Sequence[str]) -> Plot:
    figure = theme.figure(height=_HEIGHT)
    counts = [_lines(figure, history, column, theme.series_color(2), visible=index == 0) for index, column in enumerate(columns)]
    titles = [metric(column.removeprefix("val_")).title for column in columns]
    owner = np.repeat(np.arange(len(columns)), counts)
    views = tuple(
        View(title, tuple(bool(own == index) for own in owner), {"yaxis.title.text": plot_text(f"validation: {title}", 44)})
        for index, title in enumerate(titles)
    )
    figure.update_layout(xaxis={"title": {"text": "epoch"}}, yaxis={"title": {"text": views[0].layout["yaxis.title.text"]}})
    caption = "Score on the validation samples after each epoch; the weights of the best epoch are kept."
    return Plot("validation", "Validation score", caption, figure, views if len(views) > 1 else ())


def rate_and_memory(history: pd.DataFrame | None, memory_mb: Sequence[float] | None, device: str = "") -> Panel | None:
    """Return learning rate and peak memory by epoch; ``None`` when neither is known.

    Parameters
    ----------
    history
        ``history.csv``; its column ``peak_memory_mb`` is preferred for the memory.
    memory_mb
        ``manifest["peak_memory_mb_by_epoch"]``, used when the history has no such column.
    device
        ``manifest["hardware"]["device"]``, which says whose memory it is.
    """
    plots = []
    whose = "of the GPU" if device.startswith("cuda") else "of the process"
    if history is not None and _has(history, "learning_rate"):
        figure = theme.figure(height=240)
        _lines(figure, history, "learning_rate", theme.series_color(0))
        figure.update_layout(
            xaxis={"title": {"text": "epoch"}},
            yaxis={"title": {"text": "learning rate"}, "exponentformat": "power", "rangemode": "tozero"},
        )
        plots.append(
            Plot("learning-rate", "Learning rate", "Size of the optimizer's steps: a short warm-up, then a slow decay.", figure)
        )
    if (history is None or not _has(history, "peak_memory_mb")) and memory_mb:
        history = pd.DataFrame({"fold": "0", "epoch": range(len(memory_mb)), "peak_memory_mb": list(memory_mb)})
    if history is not None and _has(history, "peak_memory_mb"):
        figure = theme.figure(height=240)
        _lines(figure, history, "peak_memory_mb", theme.series_color(4))
        figure.update_layout(
            xaxis={"title": {"text": "epoch"}}, yaxis={"title": {"text": "peak memory (MB)"}, "rangemode": "tozero"}
        )
        plots.append(Plot("memory", "Peak memory", f"Highest memory use {whose} up to each epoch; it should level off.", figure))
    if history is not None and _has(history, "memory_mb"):
        figure = theme.figure(height=240)
        _lines(figure, history, "memory_mb", theme.series_color(4))
        figure.update_layout(xaxis={"title": {"text": "epoch"}}, yaxis={"title": {"text": "memory (MB)"}, "rangemode": "tozero"})
        plots.append(Plot("memory-held", "Memory over time", f"Memory {whose} held at the end of each epoch's steps.", figure))
    return Panel(tuple(plots)) if plots else None
