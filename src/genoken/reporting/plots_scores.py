"""Plots of scores: model against baselines with intervals, per class, per group, and a leaky split beside an honest one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from genoken.reporting import theme
from genoken.reporting.blocks import LegendEntry, Panel, Plot, View
from genoken.reporting.wording import interval, is_number, metric, natural_order, number, plain, plot_text, predictor

Scores = Mapping[str, Mapping[str, Any]]
_ROW = 34
_BETWEEN_ZERO_AND_ONE = {
    "accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "ece", "predicted_positive_rate",
    "precision", "recall", "f1", "predicted_rate",
}  # fmt: skip


def row_axis(names: Sequence[Any], limit: int = 28) -> dict[str, Any]:
    """Return the settings of a y axis with one named row per item, the first on top.

    Rows are numbers with names as tick labels: names that look equal once they are shortened stay separate rows.
    """
    return {
        "tickmode": "array",
        "tickvals": list(range(len(names))),
        "ticktext": [plot_text(name, limit) for name in names],
        "range": [len(names) - 0.4, -0.6],
        "showgrid": False,
    }


def rows_height(rows: int) -> int:
    """Return the height in pixels of so many named rows: 28 each, less from 24 rows on, but names never overlap."""
    return max(min(28 * rows, 672), 17 * rows)


def score_axis(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """Return the settings of the axis of a metric: 0 to 1 where that is its range, else just beyond the values."""
    numbers = [float(value) for value in values if is_number(value)]
    low, high = (min([*numbers, 0.0]), max([*numbers, 0.0])) if numbers else (0.0, 1.0)
    if name in _BETWEEN_ZERO_AND_ONE:
        low, high = 0.0, 1.0
    pad = 0.03 * (high - low or 1.0)
    return {
        "title": {"text": metric(name).title},
        "range": [low - (pad if low < 0 or name in _BETWEEN_ZERO_AND_ONE else 0), high + pad],
    }


def _whisker(scores: Mapping[str, Any], name: str) -> tuple[float, float | None, float | None] | None:
    """Return value and both whisker lengths; no lengths without an interval, ``None`` without a value."""
    value, bounds = scores.get(name), scores.get(f"{name}_interval")
    if not is_number(value):
        return None
    if bounds is None or not all(is_number(bound) for bound in bounds):
        return float(value), None, None
    return float(value), float(bounds[1]) - float(value), float(value) - float(bounds[0])


def _hover(title: str, scores: Mapping[str, Any], name: str) -> str:
    bounds = interval(scores.get(f"{name}_interval"))
    return f"<b>{plot_text(title, 60)}</b><br>{metric(name).title} {number(scores.get(name))}<br>" + (
        f"95 % interval {bounds}" if bounds else "no interval"
    )


def dot_trace(rows: Sequence[tuple[float, str, Mapping[str, Any]]], name: str, *, model: bool, visible: bool = True) -> go.Scatter:
    """Return dots with whiskers of one metric.

    Parameters
    ----------
    rows
        Position, title and scores of each dot.
    name
        Metric.
    model
        Whether these are the model's dots (filled, in its color) or those of baselines (open, neutral).
    visible
        Whether the trace is drawn at first.
    """
    points = [(row, title, scores, whisker) for row, title, scores in rows if (whisker := _whisker(scores, name)) is not None]
    tone = theme.color("model" if model else "neutral")
    return go.Scatter(
        x=[whisker[0] for *_, whisker in points],
        y=[row for row, *_ in points],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [whisker[1] for *_, whisker in points],
            "arrayminus": [whisker[2] for *_, whisker in points],
            "color": tone,
            "thickness": 2.5 if model else 1.75,
            "width": 5,
        },
        mode="markers",
        marker={
            "color": tone,
            "size": 11 if model else 9,
            "symbol": "circle" if model else "circle-open",
            "line": {"width": 2, "color": tone},
        },
        cliponaxis=False,
        text=[_hover(title, scores, name) for _, title, scores, _ in points],
        hovertemplate="%{text}<extra></extra>",
        visible=visible,
    )


def comparison(predictors: Scores, names: Sequence[str], key: str, title: str = "Model and baselines") -> Panel:
    """Return dots with 95 % whiskers of the model and its baselines, one view per metric.

    Parameters
    ----------
    predictors
        Scores by predictor, the model under ``model``; baselines are sorted by the first metric.
    names
        Metrics; the first is shown at first.
    key
        Identifier of the plot.
    title
        Its title.
    """
    order = ["model", *_best_first([name for name in predictors if name != "model"], predictors, names[0])]
    rows = [(float(row), predictor(name), predictors[name]) for row, name in enumerate(order)]
    figure = theme.figure(height=_ROW * len(rows) + 78)
    views = []
    for index, name in enumerate(names):
        figure.add_trace(dot_trace(rows[1:], name, model=False, visible=index == 0))
        figure.add_trace(dot_trace(rows[:1], name, model=True, visible=index == 0))
        values = [value for _, _, scores in rows for value in (scores.get(name), *(scores.get(f"{name}_interval") or ()))]
        axis = score_axis(name, values)
        visible = tuple(trace // 2 == index for trace in range(2 * len(names)))
        views.append(View(metric(name).title, visible, {"xaxis.title.text": axis["title"]["text"], "xaxis.range": axis["range"]}))
    figure.update_layout(xaxis={"title": {"text": metric(names[0]).title}, "range": views[0].layout["xaxis.range"]})
    figure.update_yaxes(row_axis([title for _, title, _ in rows]))
    caption = (
        "Each dot is a score on the test samples and its whisker the 95 % interval; where whiskers overlap widely, the "
        "difference may be chance."
    )
    return Panel((Plot(key, title, caption, figure, tuple(views) if len(views) > 1 else ()),))


def _best_first(names: Sequence[str], predictors: Scores, by: str) -> list[str]:
    sign = -1.0 if metric(by).higher_is_better is not False else 1.0
    return sorted(names, key=lambda name: sign * value if is_number(value := predictors[name].get(by)) else np.inf)


def contrast(honest: Scores, leaky: Scores, name: str, honest_title: str, leaky_title: str) -> Panel:
    """Return the same scores under two splits, one row per predictor.

    Parameters
    ----------
    honest, leaky
        Scores by predictor under the split by groups and under the random one.
    name
        Metric.
    honest_title, leaky_title
        Names of the two splits in the legend.
    """
    order = [key for key in honest if key in leaky]
    figure = theme.figure(height=51 * len(order) + 78)
    for offset, scores, title, tone, symbol in (
        (-0.14, honest, honest_title, "model", "circle"),
        (0.14, leaky, leaky_title, "bad", "diamond"),
    ):
        trace = dot_trace(
            [(row + offset, f"{predictor(key)}: {title}", scores[key]) for row, key in enumerate(order)], name, model=True
        )
        trace.update(
            marker={"color": theme.color(tone), "symbol": symbol, "line": {"color": theme.color(tone)}}, legendgroup=symbol
        )
        trace.error_x.color = theme.color(tone)
        figure.add_trace(trace)
    values = [
        value
        for scores in (honest, leaky)
        for key in order
        for value in (scores[key].get(name), *(scores[key].get(f"{name}_interval") or ()))
    ]
    figure.update_layout(xaxis=score_axis(name, values))
    figure.update_yaxes(row_axis([predictor(key) for key in order]))
    caption = (
        "The same model and baselines scored under two splits. Where random samples score better, the gap between a row's two "
        "marks is what having seen the same groups in training adds, or chance; where they do not, no leak shows."
    )
    legend = (
        LegendEntry(honest_title, theme.color("model"), "circle", "circle"),
        LegendEntry(leaky_title, theme.color("bad"), "diamond", "diamond"),
    )
    return Panel((Plot("contrast", f"{metric(name).title} under both splits", caption, figure),), legend)


def per_class(per_predictor: Mapping[str, Mapping[str, Mapping[str, Any]]], classes: Sequence[str], reference: str | None) -> Panel:
    """Return dots per class for the model and one baseline, one view per metric; classes with most samples first.

    Parameters
    ----------
    per_predictor
        ``metrics["test"]["per_class"]``.
    classes
        Names of the classes.
    reference
        Baseline to show beside the model, or ``None``.
    """
    model = per_predictor["model"]
    order = sorted((name for name in classes if name in model), key=lambda name: -(model[name].get("support") or 0))
    shown = [key for key in (reference, "model") if key in per_predictor]
    names = [
        name for name in ("f1", "precision", "recall", "average_precision", "roc_auc") if any(name in model[key] for key in order)
    ]
    figure = theme.figure(height=rows_height(len(order)) + 80)
    for index, name in enumerate(names):
        for key in shown:
            rows = [
                (float(row), f"{title} · {predictor(str(key))}", per_predictor[str(key)].get(title, {}))
                for row, title in enumerate(order)
            ]
            trace = dot_trace(rows, name, model=key == "model", visible=index == 0)
            figure.add_trace(trace.update(error_x={"visible": False}, legendgroup=str(key)))
    views = tuple(
        View(
            metric(name).title,
            tuple(trace // len(shown) == index for trace in range(len(names) * len(shown))),
            {"xaxis.title.text": metric(name).title},
        )
        for index, name in enumerate(names)
    )
    figure.update_layout(xaxis={"title": {"text": metric(names[0]).title}, "range": [-0.03, 1.03]} if names else {})
    figure.update_yaxes(row_axis([f"{plain(name)} ({model[name].get('support', 0)})" for name in order]))
    caption = (
        "One row per class, with its number of test samples in parentheses; the further right a dot, the better that "
        "class is predicted."
    )
    return Panel((Plot("per-class", "Score of each class", caption, figure, views),), _predictor_legend(shown))


def _predictor_legend(shown: Sequence[str | None]) -> tuple[LegendEntry, ...]:
    return tuple(
        LegendEntry(
            predictor(str(key)),
            theme.color("model" if key == "model" else "neutral"),
            "circle" if key == "model" else "circle-open",
            str(key),
        )
        for key in sorted(shown, key=lambda key: key != "model")
    )


def per_group(
    scores: Mapping[str, Mapping[str, float | None]],
    sizes: Mapping[str, int],
    name: str,
    *,
    key: str = "per-group",
    title: str = "",
) -> Panel:
    """Return one dot per group and predictor.

    Parameters
    ----------
    scores
        Predictor to group to score, the model under ``model``.
    sizes
        Test samples of each group; the largest come first, at most 40 are shown.
    name
        Metric.
    key, title
        Identifier and title of the plot; by default that of the groups of the test samples.
    """
    title = title or f"{metric(name).title} in each group of the test samples"
    order = sorted(sizes, key=lambda group: (-sizes[group], natural_order(group)))[:40]
    shown = sorted(scores, key=lambda own: own == "model")
    figure = theme.figure(height=rows_height(len(order)) + 80)
    for own in shown:
        rows = [(float(row), f"{group} · {predictor(own)}", {name: scores[own].get(group)}) for row, group in enumerate(order)]
        figure.add_trace(dot_trace(rows, name, model=own == "model").update(error_x={"visible": False}, legendgroup=own))
    figure.update_layout(xaxis=score_axis(name, [value for values in scores.values() for value in values.values()]))
    figure.update_yaxes(row_axis([f"{plain(group)} ({sizes[group]})" for group in order]))
    caption = (
        "One row per group, with its number of test samples in parentheses; a wide spread means that the result "
        "depends on who is asked."
    )
    return Panel((Plot(key, title, caption, figure),), _predictor_legend(shown))
