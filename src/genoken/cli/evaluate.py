"""``genoken evaluate``: a run on new data with labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genoken.cli.options import AsJson, Group, Label, MinCoverage, Phenotypes, RunFolder, SeveralFiles, one_or_several, write_json


def command(
    run: RunFolder,
    files: SeveralFiles,
    label: Label = "",
    group: Group = "",
    phenotypes: Phenotypes = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FOLDER", help="Folder for metrics.json and predictions.")
    ] = None,
    min_coverage: MinCoverage = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", metavar=" ", help="Refuse samples whose label is missing or unknown, and empty ones."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score a trained model and its baselines on other files: the same metrics, intervals and sentences as after training.

    Label and group are the columns that the run was trained with, unless others are named. Samples with labels that the
    run does not know are left out with a count.
    """
    from genoken.workflows.evaluate import evaluate
    from genoken.workflows.show import Show

    result = evaluate(
        run,
        one_or_several(files),
        label=label,
        group=group,
        phenotypes=phenotypes,
        output=output,
        min_coverage=min_coverage,
        strict=strict,
        show=Show(quiet=as_json),
    )
    if as_json:
        write_json(result)
