"""``genoken pack``: genotypes by sample in two bits each, for data too large to be read whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genoken.cli.options import Autosomes, Quiet


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .bed, .pgen, .vcf, .vcf.gz or .bcf file.", show_default=False)],
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="STORE", help="Folder to write; its name ends in .calls.", show_default=False)
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", metavar=" ", help="Replace a store that is there.")] = False,
    autosomes: Autosomes = 22,
    quiet: Quiet = False,
) -> None:
    """Pack genotypes into a store that holds them sample after sample, in bounded memory.

    Any verb takes the store in place of the file, and opens it without reading it whole.
    """
    from genoken.workflows.pack import pack
    from genoken.workflows.show import Show

    pack(file, output, overwrite=overwrite, autosomes=autosomes, show=Show(quiet=quiet))
