"""An explanation as small tables on the terminal."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd

from genoken.core.feature_words import noun_of_columns
from genoken.interpretation.gene_table import shared_scores
from genoken.workflows.show import Show

MOST_SHOWN = 10
"""Features of a list that are printed."""
_HINTS = {
    "gene": "Add -o genes.tsv to keep the whole table, with .rnk files for enrichment tools.",
    "variant": "Add -o variants.tsv to keep the whole table. genoken variants RUN puts regressions, fine-mapping and networks of "
    "permuted labels beside these variants.",
    "block": "Add -o blocks.tsv to keep the whole table.",
}


def show_lists(table: pd.DataFrame, show: Show, *, with_hint: bool) -> None:
    """Write the leading features of each class or group.

    Parameters
    ----------
    table
        What :func:`genoken.workflows.explain.explain` returned.
    show
        Where to write.
    with_hint
        Say how to keep the table.
    """
    noun = noun_of_columns(table.columns)
    for name, rows in table.groupby("class", sort=False):
        _show_list(name, rows, noun, show)
    if with_hint:
        show.line(_HINTS[noun])


def _show_list(name: Hashable, rows: pd.DataFrame, noun: str, show: Show) -> None:
    shown = rows.head(MOST_SHOWN)
    cells = {
        noun: [str(symbol) for symbol in shown["symbol"]],
        "importance": _numbers(shown["importance"], ".4g"),
        "stability": _numbers(shown["stability"], ".2f"),
        "correlation": _numbers(shown["correlation"], "+.2f"),
    }
    if noun == "variant":
        places = [f"{row.chrom}:{row.pos:,}" for row in shown.itertuples()]
        cells = {noun: cells.pop(noun), "place": places, **cells}
    title = f"{name}: {len(shown)} of {len(rows)} {noun}s"
    show.table(title, tuple(cells), list(zip(*cells.values(), strict=True)))
    note = shared_scores(shown["importance"].to_numpy(), noun)
    if note:
        show.line(note)
    show.line()


def _numbers(values: pd.Series, form: str) -> list[str]:
    """Return numbers as text, a dash where there is none."""
    return [format(value, form) if np.isfinite(value) else "-" for value in values]
