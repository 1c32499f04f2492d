"""``genoken demo``: the whole path on real blood cells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genoken.cli.options import Quiet


def command(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="Run folder; replaced if it exists.")] = Path(
        "runs/demo"
    ),
    quiet: Quiet = False,
) -> None:
    """Train on 700 real blood cells of 10 types that come with scanpy; needs no network and no GPU."""
    from genoken.workflows.demo import demo
    from genoken.workflows.show import Show

    demo(output, overwrite=True, show=Show(quiet=quiet))
