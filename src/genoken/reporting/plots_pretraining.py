"""Plots of pretraining: losses beside their floors, errors by place and by feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from genoken.reporting import theme
from genoken.reporting.blocks import LegendEntry, Panel, Plot
from genoken.reporting.wording import is_number, metric, number, plot_text, predictor

_HEIGHT = 340
_MOST_BINS = 40
_HISTOGRAM_BINS = 40
_DASHES = ("dash", "dot", "dashdot", "longdash")


@dataclass(frozen=True)
class Curve:
    """A column of the history.

    Parameters
    ----------
    column
        Its name.
    title
        What it is called in the legend.
    tone
        Its color.
    """

    column: str
    title: str
    tone: str


def part_curves(measure: str) -> tuple[Curve, Curve]:
    """Return the curves of a measure on held-out samples and on train samples, taken alike."""
    return (
        Curve(f"val_{measure}", "held-out samples", theme.color("model")),
        Curve(f"train_part_{measure}", "train samples, same masks", theme.series_color(1)),
    )


def loss_curves(history: pd.DataFrame) -> Panel | None:
    """Return what training minimizes, by epoch; ``None`` when the history has none of it."""
    shown = (*part_curves("loss"), Curve("train_loss", "training batches, with dropout", theme.color("neutral")))
    caption = (
        "The first two lines are taken with the same masks and without dropout, so that a gap between them is what the model "
        "has memorized."
    )
    return curves("loss", "Loss", caption, history, shown, {}, "loss")


def curves(
    key: str,
    title: str,
    caption: str,
    history: pd.DataFrame,
    shown: Sequence[Curve],
    floors: Mapping[str, float],
    measure: str,
) -> Panel | None:
    """Return columns of the history by epoch, with a horizontal line for each floor; ``None`` when there is no column.

    Parameters
    ----------
    key, title, caption
        Of the plot.
    history
        ``history.csv``.
    shown
        The columns; those that the history lacks are left out.
    floors
        Floor to its value on the test samples.
    measure
        What is measured, for the axis.
    """
    known = [curve for curve in shown if curve.column in history and history[curve.column].notna().any()]
    if not known:
        return None
    figure = theme.figure(height=_HEIGHT)
    legend = []
    for curve in known:
        rows = history[["step", curve.column]].dropna()
        figure.add_trace(_line(rows["step"], rows[curve.column], curve.title, curve.tone, "solid", "step %{x:,}: %{y:.4g}"))
        legend.append(LegendEntry(curve.title, curve.tone, "line", curve.title))
    ends = [float(history["step"].min()), float(history["step"].max())]
    for name, value in _strongest_first(floors, measure):
        title_of, tone, dash = _floor_style(name, floors)
        figure.add_trace(_line(ends, [value, value], title_of, tone, dash, "%{y:.4g}"))
        legend.append(LegendEntry(f"{title_of} ({number(value)})", tone, "dash", title_of))
    figure.update_layout(xaxis={"title": {"text": "optimizer step"}}, yaxis={"title": {"text": metric(measure).title.lower()}})
    return Panel((Plot(key, title, caption, figure),), tuple(legend))


def by_place(key: str, targets: pd.DataFrame, measures: Sequence[str]) -> Panel | None:
    """Return means of measures by the place of the target in its sample, in bins; ``None`` when places or measures are not known.

    Parameters
    ----------
    key
        Beginning of the plots' identifiers.
    targets
        Rows of ``targets.parquet`` of one objective; its columns ``floor_NAME_MEASURE`` are drawn too.
    measures
        Columns to show, one plot each.
    """
    if "place" not in targets or targets["place"].isna().all():
        return None
    place = targets["place"].to_numpy(np.float64)
    num_bins = min(_MOST_BINS, int(np.ptp(place)) + 1)
    bins = np.minimum((place - place.min()) * num_bins // (np.ptp(place) + 1), num_bins - 1)
    centers = pd.Series(place).groupby(bins).mean()
    plots, legend = [], {}
    for measure in measures:
        if measure not in targets or targets[measure].isna().all():
            continue
        figure = theme.figure(height=_HEIGHT)
        floors = floor_columns(targets, measure)
        for name, column in {**floors, "model": measure}.items():
            means = targets[column].groupby(bins).mean().astype(np.float64)
            title, tone, dash = _floor_style(name, floors) if name != "model" else ("Model", theme.color("model"), "solid")
            figure.add_trace(_line(centers[means.index], means, title, tone, dash, "place %{x:.0f}: %{y:.4g}"))
            legend[title] = LegendEntry(title, tone, "line" if name == "model" else "dash", title)
        what = metric(measure)
        figure.update_layout(xaxis={"title": {"text": "place in the sample"}}, yaxis={"title": {"text": what.title.lower()}})
        caption = f"Mean over the targets at neighboring places. {what.hint}"
        plots.append(Plot(f"{key}-{measure.replace('_', '-')}", f"{what.title} by place", caption, figure))
    return Panel(tuple(plots), tuple(legend.values())) if plots else None


def by_feature(key: str, errors: pd.DataFrame, measure: str, floor: str) -> Panel:
    """Return a histogram of the features' mean errors, the model's and the strongest floor's.

    Parameters
    ----------
    key
        Identifier of the plot.
    errors
        ``model`` and, where there is a floor, ``floor``: mean error of each feature.
    measure
        What the errors are.
    floor
        The strongest floor; empty when there is none.
    """
    both = errors[[column for column in ("floor", "model") if column in errors]].to_numpy(np.float64)
    edges = np.linspace(both.min(), max(both.max(), both.min() + 1e-9), _HISTOGRAM_BINS + 1)
    figure = theme.figure(height=_HEIGHT)
    styles = {"model": ("Model", theme.color("model"), "solid"), "floor": (predictor(floor), theme.color("neutral"), "dash")}
    legend = []
    for column, (title, tone, dash) in styles.items():
        if column in errors:
            counts = np.histogram(errors[column], edges)[0]
            trace = _line((edges[:-1] + edges[1:]) / 2, counts, title, tone, dash, "error %{x:.3g}: %{y} features")
            figure.add_trace(trace.update(line={"shape": "hvh"}))
            legend.append(LegendEntry(title, tone, "line" if dash == "solid" else "dash", title))
    name = metric(measure).title.lower()
    figure.update_layout(xaxis={"title": {"text": f"{name} of a feature"}}, yaxis={"title": {"text": "features"}})
    caption = "How many features have this mean error; the further to the left, the better."
    return Panel((Plot(key, "Error by feature", caption, figure),), tuple(legend))


def floor_columns(targets: pd.DataFrame, measure: str) -> dict[str, str]:
    """Return the floors that have a measure at these targets, to the name of the column."""
    names = [column for column in targets if column.startswith("floor_") and column.endswith(f"_{measure}")]
    return {column[6 : -len(measure) - 1]: column for column in names if targets[column].notna().any()}


def _strongest_first(floors: Mapping[str, float], measure: str) -> list[tuple[str, float]]:
    sign = -1 if metric(measure).higher_is_better else 1
    return sorted(((name, value) for name, value in floors.items() if is_number(value)), key=lambda item: sign * item[1])


def _floor_style(name: str, floors: Mapping[str, object]) -> tuple[str, str, str]:
    """Return title, color and dash of a floor, the same wherever the same floors are drawn."""
    index = sorted(floors).index(name)
    return predictor(name), theme.series_color(index + 2), _DASHES[index % len(_DASHES)]


def _line(
    x: Sequence[float] | pd.Series, y: Sequence[float] | pd.Series, title: str, tone: str, dash: str, hover: str
) -> go.Scatter:
    across, up = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    return go.Scatter(
        x=across,
        y=up.round(6),
        mode="lines" if len(across) > 1 else "markers",
        line={"color": tone, "width": 2.5 if dash == "solid" else 1.75, "dash": dash},
        marker={"color": tone},
        legendgroup=title,
        hovertemplate=f"<b>{plot_text(title, 60)}</b><br>{hover}<extra></extra>",
    )
