"""Arguments and options that several verbs share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run that genoken wrote.", show_default=False)]
File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="An .h5ad, .zarr, .gctx, .gct, .bed, .pgen, .vcf or .calls file, or 10x (.h5 or folder).",
        show_default=False,
    ),
]
SeveralFiles = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help="A file as for genoken train, or several, which are joined.", show_default=False),
]
Phenotypes = Annotated[
    str,
    typer.Option("--phenotypes", metavar="FILE", help="Table with more columns of obs, by sample id.", show_default=False),
]
Label = Annotated[str, typer.Option("--label", metavar="COLUMN", help="Column of obs to predict.", show_default=False)]
Group = Annotated[
    str,
    typer.Option(
        "--group", metavar="COLUMN", help="Column of obs that must not straddle a split, such as a donor.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", metavar=" ", help="Write JSON to stdout and nothing else.")]
Autosomes = Annotated[
    int, typer.Option("--autosomes", metavar="N", help="Chromosomes of the species before X in PLINK's numbers.", min=1, max=95)
]
Quiet = Annotated[bool, typer.Option("--quiet", metavar=" ", help="Write nothing but errors.")]
MinCoverage = Annotated[
    float | None,
    typer.Option(
        "--min-coverage",
        metavar="SHARE",
        help="Share of the model's genes that the file must hold; by default the run's.",
        show_default=False,
    ),
]
Compile = Annotated[bool, typer.Option("--compile", metavar=" ", help="Compile each encoder layer with torch.compile.")]


def one_or_several(files: Sequence[Path]) -> Path | list[Path]:
    """Return the file that was typed, or all where there are several."""
    return files[0] if len(files) == 1 else list(files)


def write_json(content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write plain values to stdout as JSON, indented, without NaN."""
    from genoken.core.files import to_json

    typer.echo(json.dumps(to_json(content), indent=2, ensure_ascii=False, allow_nan=False))
