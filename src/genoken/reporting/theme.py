"""Colors and the plot template, once for the style sheet and once for the figures.

Figures are built with the colors of the light theme; the page replaces each by its dark partner when the reader's theme is dark.
Series use the Okabe-Ito palette, which people with color-vision deficiencies can tell apart, with yellow and black moved to tones
that show on both backgrounds. From the ninth series on the tone changes, and the marker symbol with it, so that color is never the
only difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go


@dataclass(frozen=True)
class ColorPair:
    """One color for the light theme and its partner for the dark theme, both as ``#RRGGBB``."""

    light: str
    dark: str


NAMED: dict[str, ColorPair] = {
    "ink": ColorPair("#1B2430", "#E6EAF0"),
    "muted": ColorPair("#566272", "#A3AFBF"),
    "grid": ColorPair("#E2E6EC", "#2B3543"),
    "axis": ColorPair("#B4BDC9", "#4A5667"),
    "surface": ColorPair("#FFFFFF", "#171D26"),
    "page": ColorPair("#F4F6F9", "#0E131A"),
    "raised": ColorPair("#EEF2F6", "#202936"),
    "model": ColorPair("#0072B2", "#45A5EA"),
    "neutral": ColorPair("#6A7685", "#97A3B4"),
    "good": ColorPair("#00724F", "#43CFA4"),
    "warning": ColorPair("#945300", "#F2B24C"),
    "bad": ColorPair("#B01E17", "#FF8D84"),
}
"""Colors with a meaning, by name; the style sheet knows them as ``--name``."""

_HUES = (
    ColorPair("#0072B2", "#45A5EA"),
    ColorPair("#E69F00", "#F0B43C"),
    ColorPair("#009E73", "#2CC79A"),
    ColorPair("#D55E00", "#F27F33"),
    ColorPair("#CC79A7", "#E8A4CB"),
    ColorPair("#56B4E9", "#A5DCF9"),
    ColorPair("#B8A800", "#F0E442"),
    ColorPair("#3F4650", "#C9D1DB"),
)
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "star")
"""Marker symbols, one per round through the palette."""
GLYPHS = {
    "circle": "●",
    "diamond": "◆",
    "square": "■",
    "triangle-up": "▲",
    "star": "★",
    "line": "━",
    "arrow": "→",
    "dash": "╍",
    "circle-open": "○",
    "diamond-open": "◇",
}
"""Character that stands for a marker or line in a legend."""

_SEQUENTIAL = (
    ("#F5F8FB", "#1B2430"),
    ("#C5DCED", "#1F4160"),
    ("#7DB1D6", "#296A99"),
    ("#2D7EB7", "#5BA5DA"),
    ("#0A4878", "#CDE8FB"),
)
_CONTINUOUS = (
    ("#F3C04D", "#51449A"),
    ("#E1783E", "#A64994"),
    ("#B1376B", "#E26D6A"),
    ("#5C2B87", "#F6A85A"),
    ("#1F1C4C", "#FEEAA8"),
)
SEQUENTIAL = tuple((index / 4, light) for index, (light, _) in enumerate(_SEQUENTIAL))
"""Color scale of counts and shares, from background to strong."""
CONTINUOUS = tuple((index / 4, light) for index, (light, _) in enumerate(_CONTINUOUS))
"""Color scale of a numeric label."""


def _mix(color: str, target: str, share: float) -> str:
    parts = [(int(color[i : i + 2], 16), int(target[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(own + (other - own) * share):02X}" for own, other in parts)


def _series() -> tuple[ColorPair, ...]:
    deep = tuple(ColorPair(_mix(hue.light, "#000000", 0.38), _mix(hue.dark, "#000000", 0.4)) for hue in _HUES)
    pale = tuple(ColorPair(_mix(hue.light, "#FFFFFF", 0.42), _mix(hue.dark, "#FFFFFF", 0.55)) for hue in _HUES)
    return _HUES + deep + pale


SERIES = _series()
"""24 colors for classes and groups: eight hues, then a deep and a pale tone of each."""


def color(name: str) -> str:
    """Return the light-theme color with this name; raises ``KeyError`` for an unknown name."""
    return NAMED[name].light


def series_color(index: int) -> str:
    """Return the light-theme color of series ``index`` (0-based); colors repeat after 24."""
    return SERIES[index % len(SERIES)].light


def series_symbol(index: int) -> str:
    """Return the marker symbol of series ``index`` (0-based); it changes with every round through the eight hues."""
    return SYMBOLS[(index // len(_HUES)) % len(SYMBOLS)]


def translucent(value: str, opacity: float) -> str:
    """Return ``#RRGGBB`` with an opacity in [0, 1] appended as two hexadecimal digits."""
    return f"{value}{round(opacity * 255):02X}"


def dark_partners() -> dict[str, str]:
    """Return the dark color of every light color that figures may use."""
    pairs = {pair.light: pair.dark for pair in (*NAMED.values(), *SERIES)}
    return pairs | dict(_SEQUENTIAL) | dict(_CONTINUOUS)


def css_variable(value: str) -> str:
    """Return the style sheet's variable for a light-theme color, such as ``var(--c-0072B2)``."""
    return f"var(--c-{value.removeprefix('#')})"


def css_variables(theme: str) -> str:
    """Return the style sheet's declarations of all colors for ``theme`` (``light`` or ``dark``)."""
    named = [f"--{name}:{getattr(pair, theme)}" for name, pair in NAMED.items()]
    coded = [f"--c-{light[1:]}:{light if theme == 'light' else dark}" for light, dark in sorted(dark_partners().items())]
    return ";".join(named + coded)


def template() -> go.layout.Template:
    """Return the template of all figures: fonts, grid, margins and hover labels, in the light theme."""
    axis = {
        "gridcolor": color("grid"),
        "zerolinecolor": color("axis"),
        "linecolor": color("axis"),
        "tickcolor": color("axis"),
        "tickfont": {"color": color("muted"), "size": 12},
        "title": {"font": {"color": color("muted"), "size": 12.5}, "standoff": 10},
        "automargin": True,
        "zeroline": False,
        "ticklabelstandoff": 4,
    }
    return go.layout.Template(
        layout={
            "font": {
                "family": "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
                "size": 13,
                "color": color("ink"),
            },
            "paper_bgcolor": color("surface"),
            "plot_bgcolor": color("surface"),
            "colorway": [pair.light for pair in _HUES],
            "margin": {"l": 12, "r": 16, "t": 12, "b": 12},
            "xaxis": axis,
            "yaxis": axis,
            "showlegend": False,
            "hovermode": "closest",
            "hoverlabel": {
                "bgcolor": color("raised"),
                "bordercolor": color("axis"),
                "font": {"color": color("ink"), "size": 13},
                "align": "left",
                "namelength": -1,
            },
            "bargap": 0.35,
        }
    )


def figure(height: int) -> go.Figure:
    """Return an empty figure with the shared template and this height in pixels; its width follows the page."""
    return go.Figure(layout={"template": template(), "height": height, "autosize": True})
