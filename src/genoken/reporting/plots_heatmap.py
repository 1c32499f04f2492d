"""Heat maps with named rows and columns, as the other modules need them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from genoken.reporting import theme
from genoken.reporting.wording import plain, plot_text


def categories(names: Sequence[Any]) -> list[str]:
    """Return escaped names that are all different, as categories of an axis and as hover text; copies get a number."""
    result: list[str] = []
    for name in names:
        text = html.escape(plain(name)[:100], quote=False)
        count = sum(other == text or other.startswith(f"{text} (#") for other in result)
        result.append(f"{text} (#{count + 1})" if count else text)
    return result


def name_axis(names: Sequence[Any], limit: int) -> dict[str, Any]:
    """Return the settings of an axis over :func:`categories` whose tick labels are shortened to ``limit`` characters."""
    return {
        "type": "category",
        "tickmode": "array",
        "tickvals": list(range(len(names))),
        "ticktext": [plot_text(name, limit) for name in names],
        "showgrid": False,
    }


def heatmap(
    values: np.ndarray, rows: Sequence[Any], columns: Sequence[Any], hover: str, *, text: np.ndarray | None = None
) -> go.Heatmap:
    """Return a heat map without a color bar, for axes made by :func:`name_axis`.

    Parameters
    ----------
    values
        Real numbers of shape (rows, columns).
    rows, columns
        Their names.
    hover
        Hover template; ``%{y}`` is the row, ``%{x}`` the column, ``%{z}`` the value.
    text
        What to write into the cells, of the same shape, or ``None``.
    """
    return go.Heatmap(
        z=values.astype(np.float32),
        x=categories(columns),
        y=categories(rows),
        text=text,
        texttemplate=None if text is None else "%{text}",
        hovertemplate=f"{hover}<extra></extra>",
        colorscale=theme.SEQUENTIAL,
        showscale=False,
        xgap=1,
        ygap=1,
    )
