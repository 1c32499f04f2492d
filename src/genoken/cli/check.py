"""``genoken check``: the input doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from genoken.cli.options import AsJson, Autosomes, File, Group, Label, write_json

if TYPE_CHECKING:
    from genoken.workflows.show import Show

_MARKS = {"ok": "ok     ", "warning": "WARNING", "error": "ERROR  "}
_MOST_COLUMNS = 12


def command(
    file: File,
    label: Label = "",
    group: Group = "",
    source: Annotated[str, typer.Option(metavar="MATRIX", help="Where the values are: auto, X, raw or layers/NAME.")] = "auto",
    phenotypes: Annotated[
        str, typer.Option("--phenotypes", metavar="FILE", help="Table with more columns of obs, by sample id.", show_default=False)
    ] = "",
    autosomes: Autosomes = 22,
    as_json: AsJson = False,
) -> None:
    """Examine a file before anything is trained on it.

    Says what values and gene ids are, what is confounded, and what to do next. Exits with 2 when training would refuse the file.
    """
    from genoken.workflows.check import check
    from genoken.workflows.show import Show

    result = check(file, label=label, group=group, source=source, phenotypes=phenotypes, autosomes=autosomes)
    if as_json:
        write_json(result)
    else:
        show_check(result, Show())
    if any(finding["level"] == "error" for finding in result["findings"]):
        raise typer.Exit(2)


def show_check(result: dict[str, Any], show: Show) -> None:
    """Write the content of ``check.json`` as sentences and small tables.

    Parameters
    ----------
    result
        What :func:`genoken.workflows.check.check` returned.
    show
        Where to write.
    """
    from genoken.core.feature_words import noun_of_identifiers

    noun = noun_of_identifiers(result["identifiers"]["type"])
    show.strong(f"{result['file']}: {result['samples']:,} samples, {result['features']:,} {noun}s")
    show.line(f"about {max(result['memory_mb'], 1):,.0f} MB of memory for the values alone, {_identifiers(result['identifiers'])}")
    show.line()
    _show_matrices(result["matrices"], show)
    _show_label(result["label"], show)
    _show_confounding(result["label"], result["group"], result["confounding"], show)
    _show_findings(result["findings"], show)
    if result["suggestion"]:
        show.strong("Next")
        show.line(f"  {result['suggestion']}")


def _identifiers(identifiers: dict[str, Any]) -> str:
    names = {"symbol": "gene symbols", "ensembl": "Ensembl ids", "unknown": "gene ids of unknown type"}
    text = names.get(identifiers["type"], f"{identifiers['type']} ids")
    text += " with versions" if identifiers["versions"] else ""
    text += f", {identifiers['species']}" if identifiers["species"] not in ("", "unknown") else ""
    return text + (f", {identifiers['duplicates']} of them repeated" if identifiers["duplicates"] else "")


def _show_matrices(matrices: list[dict[str, Any]], show: Show) -> None:
    show.strong("Matrices")
    width = max((len(matrix["name"]) for matrix in matrices), default=0)
    for matrix in matrices:
        used = "used    " if matrix["used"] else "not used"
        show.line(
            f"  {matrix['name']:<{width}}  {used}  {matrix['kind']:<10}  {matrix['density']:>4.0%} not zero; {matrix['evidence']}"
        )
    show.line()


def _show_label(label: dict[str, Any] | None, show: Show) -> None:
    if not label or not label.get("counts"):
        return
    total = sum(label["counts"].values())
    rows = [(name, f"{count:,}", f"{count / total:.1%}") for name, count in label["counts"].items()]
    show.table(f"Label '{label['name']}'", ("class", "samples", "share"), rows)
    show.line()


def _show_confounding(
    label: dict[str, Any] | None, group: dict[str, Any] | None, confounding: dict[str, Any] | None, show: Show
) -> None:
    if not confounding or not label:
        return
    columns = confounding["columns"][:_MOST_COLUMNS]
    rows = [
        (row, *(f"{count:,}" for count in counts[:_MOST_COLUMNS]))
        for row, counts in zip(confounding["rows"], confounding["counts"], strict=True)
    ]
    against = f"'{group['name']}'" if group else "the batch column"
    more = f", the {_MOST_COLUMNS} largest" if len(confounding["columns"]) > _MOST_COLUMNS else ""
    show.table(f"Samples of each class of '{label['name']}' by {against}{more}", ("class", *columns), rows)
    show.line()


def _show_findings(findings: list[dict[str, Any]], show: Show) -> None:
    show.strong("Findings")
    for finding in findings:
        detail = f"; {finding['detail']}" if finding["detail"] else ""
        show.line(f"  {_MARKS[finding['level']]}  {finding['title']}{detail}")
        if finding["remedy"]:
            show.line(f"           → {finding['remedy']}")
    show.line()
