"""Ranked gene lists for enrichment tools."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from genoken.core.files import write_text


def export_rnk(genes: pd.DataFrame, folder: Path) -> list[Path]:
    """Write ``<class>.rnk`` files for enrichment tools (GSEA's preranked lists): symbol, tab, signed importance; no header.

    The highest importance comes first. A gene without a symbol goes by its identifier; of several genes with one symbol the one of
    largest magnitude stays. Scores of methods without a sign (attention, ensemble) are magnitudes.

    Parameters
    ----------
    genes
        Table with ``class, feature_id, symbol, importance``.
    folder
        Where the files go; it is created if need be.

    Returns
    -------
    list of pathlib.Path
        The files, in the order of the classes.
    """
    folder, written = Path(folder), []
    taken: set[str] = set()
    for name, rows in genes.groupby("class", sort=False):
        symbol = rows["symbol"].where(rows["symbol"].notna() & (rows["symbol"] != ""), rows["feature_id"]).astype(str)
        table = pd.DataFrame({"symbol": symbol.str.replace(r"\s+", " ", regex=True), "score": rows["importance"].astype(float)})
        largest_first = table.iloc[np.argsort(-table["score"].abs().to_numpy(), kind="stable")]
        table = largest_first.drop_duplicates("symbol").sort_values("score", ascending=False, kind="stable")
        path = folder / f"{_file_name(str(name), taken)}.rnk"
        write_text(path, "".join(f"{row.symbol}\t{row.score:.8g}\n" for row in table.itertuples()))
        written.append(path)
    return written


def _file_name(name: str, taken: set[str]) -> str:
    """Return a name that every file system takes and that no earlier class has, whatever the case of its letters."""
    plain = re.sub(r"[^\w.+-]+", "_", name, flags=re.ASCII).strip("._") or "class"
    unique, number = plain, 2
    while unique.lower() in taken:
        unique, number = f"{plain}_{number}", number + 1
    taken.add(unique.lower())
    return unique
