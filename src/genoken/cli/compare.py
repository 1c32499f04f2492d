"""``genoken compare``: two runs on the same test samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genoken.cli.options import AsJson, write_json


def command(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", help="Folder of a run.", show_default=False)],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", help="Folder of another run.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Say which of two runs is better on the same test samples, with a paired interval of the difference."""
    from genoken.workflows.compare import compare
    from genoken.workflows.show import Show

    result = compare(run_a, run_b, show=Show(quiet=as_json))
    if as_json:
        write_json(result)
