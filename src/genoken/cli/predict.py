"""``genoken predict``: labels, probabilities and embeddings for new samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genoken.cli.flags import PRECISIONS, one_of, with_choices
from genoken.cli.options import Compile, MinCoverage, Phenotypes, Quiet, RunFolder, SeveralFiles, one_or_several


def command(  # noqa: PLR0913, PLR0917 - typer makes an option of each
    run: RunFolder,
    files: SeveralFiles,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="An .h5ad, .csv, .tsv or .parquet file.", show_default=False)
    ],
    batch_size: Annotated[int, typer.Option(metavar="N", help="Samples per batch; 0: as in training.")] = 0,
    precision: Annotated[str, typer.Option(metavar="WORD", help=with_choices("Number format", PRECISIONS))] = "auto",
    compile: Compile = False,  # noqa: A002  (the option's public name)
    no_embedding: Annotated[bool, typer.Option("--no-embedding", metavar=" ", help="Leave the embedding out.")] = False,
    phenotypes: Phenotypes = "",
    min_coverage: MinCoverage = None,
    quiet: Quiet = False,
) -> None:
    """Predict new samples.

    An .h5ad file gets predictions and probabilities in obs and the embedding in obsm["X_genoken"]; a table gets one row per sample.
    """
    chosen_precision = one_of(precision, PRECISIONS, "--precision")
    from genoken.workflows.predict import predict
    from genoken.workflows.show import Show

    predict(
        run,
        one_or_several(files),
        output,
        batch_size=batch_size,
        precision=chosen_precision,
        compile=compile,
        embed=not no_embedding,
        phenotypes=phenotypes,
        min_coverage=min_coverage,
        show=Show(quiet=quiet),
    )
