"""``genoken variants``: how important each variant is to a run on genotypes, beside regressions and fine-mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genoken.cli.options import Quiet, RunFolder

MOST_SHOWN = 10
"""Variants that are printed."""


def command(
    run: RunFolder,
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
        typer.Option(metavar="COLUMN", help="A covariate of the regressions; repeat it for several.", show_default=False),
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
    from genoken.workflows.show import Show
    from genoken.workflows.variant_options import DEFAULT_METHODS, VariantOptions
    from genoken.workflows.variants import explain_variants

    show = Show(quiet=quiet)
    options = VariantOptions(
        methods=tuple(method or DEFAULT_METHODS),
        seeds=seeds,
        null=null,
        strata=strata,
        components=components,
        covariates=tuple(covariate or ()),
    )
    table = explain_variants(run, options=options, output=output, show=show)
    leads = table[table["clump_lead"] == table["id"]].sort_values("rank").head(MOST_SHOWN)
    shown = [
        (row.id, f"{row.chrom}:{row.pos:,}", f"{row.ensemble:.3f}", f"{row.stability:.0%}", f"{row.glm_p:.2g}", f"{row.pip:.2f}")
        for row in leads.itertuples()
    ]
    show.table("Leading variants", ("variant", "place", "mean rank", "stability", "GLM p", "PIP"), shown)
    show.line(f"Wrote {run / 'explanations' / 'variants.tsv'}, variants.bed beside it, and the report.")
