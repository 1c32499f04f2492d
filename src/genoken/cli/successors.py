"""``genoken successors``: which cells come next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from genoken.cli.flags import one_of, with_choices
from genoken.cli.options import File, Quiet

RULES: tuple[Literal["time", "pseudotime", "knn"], ...] = ("time", "pseudotime", "knn")
"""What makes one cell the successor of another."""


def command(  # noqa: PLR0913 - one argument for each flag
    file: File,
    *,
    by: Annotated[
        str, typer.Option("--by", metavar="WORD", help=with_choices("What makes a cell the next", RULES), show_default=False)
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The .h5ad file to write.", show_default=False)],
    column: Annotated[
        str, typer.Option("--column", metavar="COLUMN", help="Column of obs with the time or pseudotime.", show_default=False)
    ] = "",
    within: Annotated[
        str,
        typer.Option(
            "--within", metavar="COLUMN", help="Column of obs, such as a lineage, that no edge leaves.", show_default=False
        ),
    ] = "",
    neighbors: Annotated[int, typer.Option("--neighbors", metavar="N", help="Nearest cells of each cell.")] = 15,
    key: Annotated[str, typer.Option("--key", metavar="KEY", help="Key of obsp to write.")] = "next_cell_ids",
    representation: Annotated[
        str,
        typer.Option(
            "--representation",
            metavar="KEY",
            help="Key of obsm; by default principal components of the values.",
            show_default=False,
        ),
    ] = "",
    source: Annotated[str, typer.Option(metavar="MATRIX", help="Where the values are: auto, X, raw or layers/NAME.")] = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", metavar=" ", help="Replace the output, or a graph of that key.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Say for each cell which cells come next, and write that into obsp of a copy of the file.

    By time: its nearest cells of the next time point. By pseudotime: those of its nearest cells that are later. By knn: its nearest
    cells.
    """
    rule = one_of(by, RULES, "--by")
    from genoken.workflows.show import Show
    from genoken.workflows.successors import successors

    successors(
        file,
        by=rule,
        column=column,
        within=within,
        neighbors=neighbors,
        key=key,
        representation=representation,
        source=source,
        output=output,
        overwrite=overwrite,
        show=Show(quiet=quiet),
    )
