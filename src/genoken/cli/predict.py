"""``genoken predict``: labels, probabilities and embeddings for new samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genoken.cli.flags import PRECISIONS, one_of, with_choices
from genoken.cli.options import Compile, File, MinCoverage, Quiet, RunFolder


def command(
    run: RunFolder,
    file: File,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="An .h5ad, .csv, .tsv or .parquet file.", show_default=False)
    ],
    batch_size: Annotated[int, typer.Option(metavar="N", help="Samples per batch; 0: as in training.")] = 0,
    precision: Annotated[str, typer.Option(metavar="WORD", help=with_choices("Number format", PRECISIONS))] = "auto",
    compile: Compile = False,  # noqa: A002  (the option's public name)
    no_embedding: Annotated[bool, typer.Option("--no-embedding", metavar=" ", help="Leave the embedding out.")] = False,
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
        file,
        output,
        batch_size=batch_size,
        precision=chosen_precision,
        compile=compile,
        embed=not no_embedding,
        min_coverage=min_coverage,
        show=Show(quiet=quiet),
    )
