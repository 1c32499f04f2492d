"""``genoken variants``: how important each variant is to a run on genotypes, beside regressions and fine-mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genoken.cli.options import Quiet, RunFolder


def command(  # noqa: PLR0913 - one argument for each flag
    run: RunFolder,
    *,
    method: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="A method whose ranks are averaged; repeat it for several.", show_default=False),
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="N", help="Networks per fold: the run's own, and others fitted anew.")] = 1,
    null: Annotated[int, typer.Option(metavar="N", help="Networks to fit on permuted labels.")] = 1,
    strata: Annotated[
        str, typer.Option(metavar="COLUMN", help="Permute labels within the values of this column alone.", show_default=False)
    ] = "",
    components: Annotated[int, typer.Option(metavar="N", help="Principal components in the regressions.")] = 10,
    covariate: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A covariate of the regressions, not the run's; may be repeated.", show_default=False),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth", metavar="FILE", help="NAME.truth.tsv of genoken simulate: scores each ranking.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="A .tsv, .csv or .parquet file for a copy of the table.", show_default=False
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """List the variants that a run on genotypes uses, beside regressions, fine-mapping and networks of permuted labels."""
    from genoken.workflows.glance import refuse_runs_without_variants

    refuse_runs_without_variants(run)

    from genoken.workflows.show import Show
    from genoken.workflows.variant_options import DEFAULT_METHODS, VariantOptions
    from genoken.workflows.variant_truth import read_truth
    from genoken.workflows.variants import explain_variants

    show = Show(quiet=quiet)
    options = VariantOptions(
        methods=tuple(method or DEFAULT_METHODS),
        seeds=seeds,
        null=null,
        strata=strata,
        components=components,
        covariates=tuple(covariate) if covariate else None,
        causal=() if truth is None else read_truth(truth),
    )
    explain_variants(run, options=options, output=output, show=show)
