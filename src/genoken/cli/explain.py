"""``genoken explain``: which genes or variants the model looks at, with controls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from genoken.cli.flags import one_of, with_choices
from genoken.cli.options import MinCoverage, Phenotypes, Quiet, RunFolder, one_or_several
from genoken.core.components import kinds

Aggregate = Literal["mean", "max", "median"]
By = Literal["class", "group"]

METHODS = kinds("attributions")
"""Ways to score genes and variants."""
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)
"""Ways to sum a feature's scores up over samples."""
UNITS: tuple[By, ...] = get_args(By)
"""What a list is made for."""


def command(  # noqa: PLR0913, PLR0917 - typer makes an option of each
    run: RunFolder,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...",
            help="A file, or several, as for genoken train; the run's own test samples when left out.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(metavar="WORD", help=with_choices("How genes or variants are scored", METHODS))
    ] = "integrated_gradients",
    aggregate: Annotated[
        str, typer.Option(metavar="WORD", help=with_choices("How scores are summed up over samples", AGGREGATES))
    ] = "mean",
    by: Annotated[str, typer.Option(metavar="WORD", help=with_choices("One list for each", UNITS))] = "class",
    top: Annotated[int, typer.Option(metavar="N", help="Genes or variants per list.")] = 50,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="A .tsv, .csv or .parquet file for the whole table.", show_default=False
        ),
    ] = None,
    phenotypes: Phenotypes = "",
    min_coverage: MinCoverage = None,
    quiet: Quiet = False,
) -> None:
    """List the genes or variants that the model's outputs depend on, beside controls: random ones, randomized weights."""
    chosen_method = one_of(method, METHODS, "--method")
    chosen_aggregate = one_of(aggregate, AGGREGATES, "--aggregate")
    chosen_by = one_of(by, UNITS, "--by")

    from genoken.workflows.explain import explain
    from genoken.workflows.explain_words import show_lists
    from genoken.workflows.show import Show

    show = Show(quiet=quiet)
    found = explain(
        run,
        one_or_several(files) if files else None,
        method=chosen_method,
        aggregate=chosen_aggregate,
        by=chosen_by,
        top=top,
        output=output,
        phenotypes=phenotypes,
        min_coverage=min_coverage,
        show=show,
    )
    show_lists(found, show, with_hint=output is None)
