"""What the page is made of: sections of paragraphs, findings, tables and plots. The template knows how to draw each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import plotly.graph_objects as go

from genoken.reporting import theme


@dataclass(frozen=True)
class View:
    """One state of a plot that a button selects.

    Parameters
    ----------
    name
        Text of the button.
    visible
        For each trace of the figure, whether it is drawn.
    layout
        Layout attributes to set, by their dotted path (``yaxis.ticktext``).
    """

    name: str
    visible: tuple[bool, ...]
    layout: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plot:
    """A figure with its title and one sentence that says how to read it.

    Parameters
    ----------
    key
        Identifier within the page: letters, digits and hyphens.
    title
        Short title above the figure.
    caption
        One sentence in plain words on how to read it.
    figure
        The figure, in the light theme.
    views
        States to choose from; empty when there is just one.
    compact
        Whether it is kept narrow on a wide screen.
    """

    key: str
    title: str
    caption: str
    figure: go.Figure
    views: tuple[View, ...] = ()
    compact: bool = False

    def to_json(self) -> str:
        """Return data, layout and views as JSON that is safe inside an HTML script element; equal figures give equal text."""
        content = json.loads(self.figure.to_json(engine="json"))
        content["views"] = [{"name": view.name, "visible": view.visible, "layout": view.layout} for view in self.views]
        return safe_json(content)


@dataclass(frozen=True)
class LegendEntry:
    """One line of a legend, drawn in HTML so that it wraps and long names fit.

    Parameters
    ----------
    name
        Text.
    color
        Light-theme color.
    symbol
        Key of :data:`genoken.reporting.theme.GLYPHS`.
    group
        ``legendgroup`` of the traces that a click hides; empty when it cannot be clicked.
    view
        Name of the view to which the entry belongs; empty when it belongs to all.
    """

    name: str
    color: str
    symbol: str = "circle"
    group: str = ""
    view: str = ""

    @property
    def glyph(self) -> str:
        """Character that stands for the marker."""
        return theme.GLYPHS[self.symbol]

    @property
    def css_color(self) -> str:
        """The color as a variable of the style sheet."""
        return theme.css_variable(self.color)


@dataclass(frozen=True)
class Panel:
    """Plots side by side (below each other on a phone) that share a legend and the choice of view."""

    kind: ClassVar[str] = "panel"
    plots: tuple[Plot, ...]
    legend: tuple[LegendEntry, ...] = ()

    @property
    def view_names(self) -> tuple[str, ...]:
        """Names of the views, in order of first appearance over the plots."""
        return tuple(dict.fromkeys(view.name for plot in self.plots for view in plot.views))


@dataclass(frozen=True)
class Row:
    """Panels side by side (below each other on a phone), each with its own legend and views."""

    kind: ClassVar[str] = "row"
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of plain text."""

    kind: ClassVar[str] = "paragraph"
    text: str
    muted: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Finding:
    """Something that was checked: ``level`` is ``ok``, ``info``, ``warning`` or ``error``."""

    kind: ClassVar[str] = "finding"
    level: str
    title: str
    detail: str = ""
    remedy: str = ""

    @property
    def mark(self) -> tuple[str, str]:
        """Icon and word of the level, so that color is not the only sign."""
        marks = {"ok": ("✓", "OK"), "info": ("i", "Note"), "warning": ("!", "Warning"), "error": ("✕", "Problem")}
        return marks.get(self.level, marks["info"])


@dataclass(frozen=True)
class Column:
    """A column of a table; numeric ones are aligned to the right, and ``hint`` is shown on hover."""

    name: str
    numeric: bool = False
    hint: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, a smaller second line, and whether it stands out."""

    text: str
    note: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table that scrolls in its own box.

    Parameters
    ----------
    columns
        Heads of the columns.
    rows
        Cells row by row.
    caption
        One sentence on how to read it.
    summary
        When given, the table is folded away below this text.
    """

    kind: ClassVar[str] = "table"
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    summary: str = ""


@dataclass(frozen=True)
class KeyNumber:
    """One of the few large numbers of the first screen, with its interval and what it means."""

    title: str
    value: str
    interval: str
    note: str
    level: str = "plain"


@dataclass(frozen=True)
class Code:
    """Text to copy, as it is; folded away below ``summary`` when that is given."""

    kind: ClassVar[str] = "code"
    text: str
    summary: str = ""


@dataclass(frozen=True)
class Fold:
    """Blocks that are folded away below a line of text."""

    kind: ClassVar[str] = "fold"
    summary: str
    blocks: tuple[Heading | Table, ...]


Block = Panel | Row | Paragraph | Heading | Finding | Table | Code | Fold


@dataclass(frozen=True)
class Section:
    """A titled part of the page; ``key`` is its anchor."""

    key: str
    title: str
    intro: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Missing:
    """A section that the run folder has no data for, and why."""

    title: str
    reason: str


def safe_json(content: Any) -> str:
    """Return JSON with ``<``, ``>``, ``&`` and line separators escaped, so that no text in it can end a script element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
