"""Heat maps of a locus: linkage between its variants, and attention between them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from genoken.reporting import theme
from genoken.reporting.blocks import Panel, Plot
from genoken.reporting.plots_heatmap import heatmap, name_axis


def locus_heatmaps(pairs: pd.DataFrame, number: int) -> Panel:
    """Return linkage between the variants of a locus and, where the network has any, attention between them.

    Parameters
    ----------
    pairs
        Rows of ``explanations/loci.parquet`` of one locus: every pair, in the order of the genome.
    number
        Number of the locus.
    """
    names = list(dict.fromkeys(pairs["first"]))
    plots = [
        Plot(
            f"locus-{number}-linkage",
            "Linkage",
            "r² between the variants around the lead: dark squares are variants that stand in for each other.",
            _square(pairs, names, "r2", "%{y} and %{x}<br>r² %{z:.2f}"),
        )
    ]
    if pairs["attention"].notna().any():
        plots.append(
            Plot(
                f"locus-{number}-attention",
                "Attention",
                "Each row shows where a variant, or the patch that it is in, looks; compare with linkage on the left.",
                _square(pairs, names, "attention", "%{y} looks at %{x}<br>mean weight %{z:.3g}"),
            )
        )
    return Panel(tuple(plots))


def _square(pairs: pd.DataFrame, names: list[str], column: str, hover: str) -> go.Figure:
    """Return a heat map of one number of all pairs."""
    values = pairs.pivot(index="first", columns="second", values=column).reindex(index=names, columns=names)
    figure = theme.figure(height=400)
    bar = {"thickness": 10, "outlinewidth": 0}
    figure.add_trace(heatmap(values.to_numpy(np.float64), names, names, hover).update(showscale=True, colorbar=bar, xgap=0, ygap=0))
    figure.update_xaxes(name_axis(names, 10), tickangle=-60)
    figure.update_yaxes(name_axis(names, 10), autorange="reversed")
    return figure
