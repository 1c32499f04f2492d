"""``genoken next``: which genes the cells that come next express."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genoken.cli.options import File, MinCoverage, Quiet, RunFolder


def command(
    run: RunFolder,
    file: File,
    *,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="An .h5ad file, or a table: .csv, .tsv, .parquet.", show_default=False),
    ],
    num_predictions: Annotated[
        int, typer.Option("--num-predictions", metavar="N", help="Genes of each list: likely, rising, falling.")
    ] = 10,
    steps: Annotated[int, typer.Option("--steps", metavar="N", help="Steps, each from what the one before predicted.")] = 1,
    min_coverage: MinCoverage = None,
    quiet: Quiet = False,
) -> None:
    """Predict from current cells which genes the next ones express, with a run that was pretrained with successors.

    Predictions are means over possible next cells. With several steps they drift toward averages; the run's report says what one
    step is worth.
    """
    from genoken.workflows.predict_next import predict_next_cell
    from genoken.workflows.show import Show

    predict_next_cell(
        run,
        file,
        output,
        num_predictions=num_predictions,
        steps=steps,
        min_coverage=min_coverage,
        show=Show(quiet=quiet),
    )
