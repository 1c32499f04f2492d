"""``genoken demo``: the whole path, on real blood cells or on simulated genotypes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genoken.cli.options import Quiet


def command(
    genotypes: Annotated[
        bool, typer.Option("--genotypes", metavar=" ", help="Simulated people and a trait whose causes are known, not cells.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="Run folder; replaced if it exists. By default runs/demo or runs/demo-genotypes.",
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train on 700 real blood cells of 10 types that come with scanpy; needs no network and no GPU.

    With --genotypes, on simulated people, whose trait has known causes: which variants does a network use, and does it find them?
    """
    from genoken.workflows.demo import demo
    from genoken.workflows.demo_genotypes import demo_genotypes
    from genoken.workflows.show import Show

    run, name = (demo_genotypes, "demo-genotypes") if genotypes else (demo, "demo")
    run(output or Path("runs") / name, overwrite=True, show=Show(quiet=quiet))
