"""What a workflow says while it runs: plain sentences, tables and progress bars."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH = 160
"""Columns where the output is not a terminal."""


class Bar:
    """One progress bar.

    Parameters
    ----------
    progress, task
        rich's objects; ``None`` where nothing is shown.
    """

    def __init__(self, progress: Progress | None, task: int = 0) -> None:
        self._progress, self._task = progress, task

    def to(self, completed: float, note: str = "") -> None:
        """Move the bar to ``completed`` and change the note behind it."""
        if self._progress is not None:
            self._progress.update(self._task, completed=completed, note=note)  # type: ignore[arg-type]


class Show:
    """Writes to the terminal, or nowhere.

    Parameters
    ----------
    quiet
        Write nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._console = Console(stderr=False, quiet=quiet, highlight=False, soft_wrap=True, emoji=False, markup=False)
        if not self._console.is_terminal:
            self._console.width = PLAIN_WIDTH  # a file or a pipe has no width of its own; tables must not be cut there

    def line(self, text: str = "") -> None:
        """Write one line as it is, without interpreting markup."""
        self._console.print(text, markup=False)

    def strong(self, text: str) -> None:
        """Write one line in bold."""
        self._console.print(text, markup=False, style="bold")

    def warning(self, text: str) -> None:
        """Write one line that a user should not miss."""
        self._console.print(f"warning: {text}", markup=False, style="yellow")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write a table; the first column is text, the others are right-aligned numbers."""
        table = Table(
            title=Text(title) if title else None,
            title_justify="left",
            title_style="bold",
            box=None,
            pad_edge=False,
            padding=(0, 3, 0, 0),
        )
        for index, column in enumerate(columns):
            table.add_column(Text(column), justify="left" if index == 0 else "right", no_wrap=True)
        for row in rows:
            table.add_row(*[Text(str(cell)) for cell in row])
        self._console.print(table)

    @contextlib.contextmanager
    def bar(self, description: str, total: float) -> Iterator[Bar]:
        """Show a progress bar while the block runs; outside a terminal nothing but the final state is written."""
        if self.quiet or not self._console.is_terminal:
            yield Bar(None)
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            yield Bar(progress, progress.add_task(description, total=total, note=""))
