"""``genoken embed``: embeddings of samples or of genes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genoken.cli.options import MinCoverage, Phenotypes, Quiet, RunFolder, one_or_several


def command(
    run: RunFolder,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="A file, or several, as for genoken train; --genes needs none.", show_default=False),
    ] = None,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="A .csv, .tsv, .parquet or .h5ad file.", show_default=False)
    ],
    genes: Annotated[bool, typer.Option("--genes", metavar=" ", help="Embeddings of genes instead of samples.")] = False,
    contextual: Annotated[
        bool,
        typer.Option("--contextual", metavar=" ", help="With --genes: a gene's mean state over samples, not the learned table."),
    ] = False,
    phenotypes: Phenotypes = "",
    min_coverage: MinCoverage = None,
    quiet: Quiet = False,
) -> None:
    """Write the model's embeddings of samples, or with --genes of genes."""
    from genoken.workflows.embed import embed
    from genoken.workflows.show import Show

    embed(
        run,
        one_or_several(files) if files else None,
        output,
        genes=genes or contextual,
        contextual=contextual,
        phenotypes=phenotypes,
        min_coverage=min_coverage,
        show=Show(quiet=quiet),
    )
