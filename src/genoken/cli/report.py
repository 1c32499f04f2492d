"""``genoken report``: write a run's report anew."""

from __future__ import annotations

import typer

from genoken.cli.options import RunFolder


def command(run: RunFolder) -> None:
    """Write report.html of a run anew from the files in its folder, and say where it is."""
    from genoken.workflows.report import report

    typer.echo(str(report(run)))
