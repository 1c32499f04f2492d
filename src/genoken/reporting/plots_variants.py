"""Plots of variants along the genome: importance and regressions, over all chromosomes and within a locus."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from genoken.reporting import theme
from genoken.reporting.blocks import LegendEntry, Panel, Plot, View
from genoken.reporting.wording import plain, plot_text

MOST_POINTS = 20_000
"""Variants drawn at most; of more, those with the highest numbers and an even share of the others."""
_SHARE_OF_TOP = 0.5
_LINKAGE = ((0.8, "r² ≥ 0.8"), (0.6, "0.6 – 0.8"), (0.4, "0.4 – 0.6"), (0.2, "0.2 – 0.4"), (-1.0, "below 0.2"))
_KNOWN = LegendEntry("known to act (simulated)", theme.color("bad"), "diamond-open")


def method_name(column: str) -> str:
    """Return what a column of importance is called on the page."""
    if column == "ensemble":
        return "mean rank"
    name = column.removeprefix("importance_")
    return "permuted labels" if name == "permuted" else plain(name).replace("_", " ")


def importance_columns(variants: pd.DataFrame) -> list[str]:
    """Return the columns of importance: each method's, then the mean rank, whose even spread hides how far the first are ahead."""
    return [*[name for name in variants if str(name).startswith("importance_")], "ensemble"]


def manhattan(variants: pd.DataFrame, causal: Collection[str] = ()) -> Panel:
    """Return importance along the genome above −log10 p of single-variant regressions, one view per method.

    Parameters
    ----------
    variants
        ``explanations/variants.tsv``.
    causal
        Ids of variants that are known to act, which are marked.
    """
    columns, shown = importance_columns(variants), _thinned(variants)
    places, ticks = _genome(variants)
    importance, regression = theme.figure(height=320), theme.figure(height=320)
    for index, column in enumerate(columns):
        for trace in _by_chromosome(variants, shown, places, column, "importance %{y:.4g}", visible=index == 0):
            importance.add_trace(trace)
        if causal:
            importance.add_trace(_marks(variants, places, column, causal, visible=index == 0))
    for trace in _by_chromosome(variants, shown, places, "glm_minus_log10_p", "−log10 p %{y:.2f}", visible=True):
        regression.add_trace(trace)
    if causal:
        regression.add_trace(_marks(variants, places, "glm_minus_log10_p", causal, visible=True))
    traces = len(ticks["tickvals"]) + bool(causal)
    threshold = -np.log10(0.05 / max(int(variants["glm_minus_log10_p"].notna().sum()), 1))
    regression.add_hline(y=threshold, line={"color": theme.color("axis"), "dash": "dot", "width": 1.5})
    for figure, title in ((importance, "importance"), (regression, "−log10 p")):
        figure.update_layout(
            xaxis={"title": {"text": "chromosome"}, "showgrid": False, **ticks},
            yaxis={"title": {"text": title}, "rangemode": "tozero"},
        )
    choices = tuple(
        View(method_name(column), tuple(number == index for number in range(len(columns)) for _ in range(traces)))
        for index, column in enumerate(columns)
    )
    return Panel(
        (
            Plot(
                "manhattan-importance",
                "Importance along the genome",
                "Each dot is a variant; how much the network uses it, not a proof that it acts.",
                importance,
                choices,
            ),
            Plot(
                "manhattan-regression",
                "Single-variant regressions",
                "The same variants in regressions of one at a time; dotted: 0.05 over the number of variants.",
                regression,
            ),
        ),
        (_KNOWN,) if causal else (),
    )


def _marks(variants: pd.DataFrame, places: np.ndarray, column: str, causal: Collection[str], *, visible: bool) -> go.Scatter:
    """Return rings around the variants that are known to act."""
    rows = np.flatnonzero(variants["id"].isin(list(causal)))
    return go.Scatter(
        x=places[rows],
        y=variants[column].to_numpy(np.float64)[rows],
        mode="markers",
        marker={"color": theme.color("bad"), "size": 13, "symbol": "diamond-open", "line": {"width": 2}},
        text=_labels(variants.iloc[rows]),
        hovertemplate="<b>%{text}</b><br>known to act<extra></extra>",
        visible=visible,
    )


def _by_chromosome(
    variants: pd.DataFrame, shown: np.ndarray, places: np.ndarray, column: str, hover: str, *, visible: bool
) -> list[go.Scatter]:
    """Return one trace per chromosome, in two tones by turns."""
    traces = []
    for number, name in enumerate(dict.fromkeys(variants["chrom"])):
        own = shown[variants["chrom"].to_numpy()[shown] == name]
        rows = variants.iloc[own]
        traces.append(
            go.Scatter(
                x=places[own],
                y=rows[column].to_numpy(np.float64),
                mode="markers",
                marker={"color": theme.color("model" if number % 2 == 0 else "neutral"), "size": 6 if len(shown) < 3000 else 4},
                text=_labels(rows),
                hovertemplate=f"<b>%{{text}}</b><br>{hover}<extra></extra>",
                visible=visible,
            )
        )
    return traces


def _genome(variants: pd.DataFrame) -> tuple[np.ndarray, dict[str, Any]]:
    """Return each variant's place on one axis over all chromosomes, in megabases, and the axis's ticks."""
    positions = variants["pos"].to_numpy(np.float64) / 1e6
    places, start, middles, names = np.zeros(len(variants)), 0.0, [], []
    for name in dict.fromkeys(variants["chrom"]):
        own = (variants["chrom"] == name).to_numpy()
        first, length = positions[own].min(), np.ptp(positions[own])
        places[own] = positions[own] - first + start
        middles.append(start + length / 2)
        names.append(plot_text(name, 6))
        start += length * 1.04 + 1e-3
    return places, {"tickmode": "array", "tickvals": middles, "ticktext": names}


def _thinned(variants: pd.DataFrame) -> np.ndarray:
    """Return ascending rows of the variants that are drawn."""
    if len(variants) <= MOST_POINTS:
        return np.arange(len(variants))
    top = int(_SHARE_OF_TOP * MOST_POINTS / 2)
    leading = [np.argsort(-variants[name].fillna(-1).to_numpy(), kind="stable")[:top] for name in ("ensemble", "glm_minus_log10_p")]
    even = np.linspace(0, len(variants) - 1, MOST_POINTS - 2 * top).round().astype(np.int64)
    return np.unique(np.concatenate([*leading, even]))


def _labels(rows: pd.DataFrame) -> list[str]:
    return [
        f"{plot_text(name, 40)} ({plot_text(chrom, 6)}:{position:,.0f})"
        for name, chrom, position in zip(rows["id"], rows["chrom"], rows["pos"], strict=True)
    ]


def locus(variants: pd.DataFrame, facts: Mapping[str, Any], causal: Collection[str] = ()) -> Panel:
    """Return a locus: importance above, −log10 p below, colored by linkage to the lead; credible sets are ringed.

    Parameters
    ----------
    variants
        Rows of ``explanations/variants.tsv`` in the locus.
    facts
        The locus in ``variants.json``.
    causal
        Ids of variants that are known to act, which are marked.
    """
    lead = str(facts["lead"])
    squares = variants["r2_to_locus_lead"].to_numpy(np.float64)
    in_set = variants["credible_set"].to_numpy(np.float64) > 0
    colors = [_linkage_color(square) for square in squares]
    sizes = np.where(variants["id"] == lead, 13, 8)
    symbols = ["diamond" if name == lead else "circle" for name in variants["id"]]
    line = {"color": theme.color("ink"), "width": np.where(in_set, 2.0, 0.0).tolist()}
    text = [f"{label}<br>r² to the lead {square:.2f}" for label, square in zip(_labels(variants), squares, strict=True)]
    plots = []
    first = importance_columns(variants)[0]
    for key, column, title, hover in (
        ("importance", first, f"importance ({method_name(first)})", "importance %{y:.4g}"),
        ("regression", "glm_minus_log10_p", "−log10 p", "−log10 p %{y:.2f}"),
    ):
        figure = theme.figure(height=260)
        figure.add_trace(
            go.Scatter(
                x=variants["pos"].to_numpy(np.float64) / 1e6,
                y=variants[column].to_numpy(np.float64),
                mode="markers",
                marker={"color": colors, "size": sizes.tolist(), "symbol": symbols, "line": line, "opacity": 1.0},
                text=text,
                hovertemplate=f"<b>%{{text}}</b><br>{hover}<extra></extra>",
            )
        )
        if causal:
            figure.add_trace(_marks(variants, variants["pos"].to_numpy(np.float64) / 1e6, column, causal, visible=True))
        chromosome = plot_text(facts["chrom"], 6)
        figure.update_layout(
            xaxis={"title": {"text": f"position on chromosome {chromosome} (Mb)"}, "nticks": 6},
            yaxis={"title": {"text": title}, "rangemode": "tozero"},
        )
        plots.append(
            Plot(f"locus-{facts['number']}-{key}", _LOCUS_TITLES[key], _LOCUS_CAPTIONS[key].format(lead=plain(lead)), figure)
        )
    entries = [LegendEntry(words, _linkage_color(limit), "circle") for limit, words in _LINKAGE]
    entries.append(LegendEntry("lead", theme.color("ink"), "diamond"))
    if variants["id"].isin(list(causal)).any():
        entries.append(_KNOWN)
    return Panel(tuple(plots), tuple(entries))


_LOCUS_TITLES = {"importance": "Importance", "regression": "Single-variant regressions"}
_LOCUS_CAPTIONS = {
    "importance": "Colors say how far a variant stands in for the lead {lead} (r²): such variants cannot be told apart well.",
    "regression": "The same variants in regressions of one at a time; ringed: in a credible set of fine-mapping.",
}


def _linkage_color(square: float) -> str:
    """Return the color of an ``r²``, strong to weak."""
    step = next(place for place, (limit, _) in enumerate(_LINKAGE) if square >= limit)
    return [theme.SERIES[index].light for index in (3, 1, 2, 5, 7)][step]


def top_variants(variants: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the variants that lead their clumps, the most important first."""
    leads = variants[variants["clump_lead"] == variants["id"]]
    return leads.sort_values("ensemble", ascending=False, kind="stable").head(count)


def rank_by(values: pd.Series) -> pd.Series:
    """Return ranks from 1 for the highest; missing stays missing."""
    return values.rank(ascending=False, method="min")
