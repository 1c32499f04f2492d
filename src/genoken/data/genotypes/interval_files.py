"""Files along the genome: tables of intervals (TSV, BED, PLINK's ``.blocks.det``) and genetic maps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from genoken.core.errors import DataError, suggestion
from genoken.core.genotypes import CENTIMORGAN, CHROMOSOME, HUMAN_AUTOSOMES, POSITION, coded_chromosomes, plain_chromosome
from genoken.data.genotypes.blocks import COLUMNS, END, METHOD, PARAMETERS, START, check_intervals

_PLINK_BYTES = b"\x6c\x1b"
_TSV_NAMES = {CHROMOSOME: (CHROMOSOME, "chrom", "chr", "#chrom"), START: (START, "start", "bp1"), END: (END, "end", "stop", "bp2")}
_MAP_NAMES = {
    CHROMOSOME: (CHROMOSOME, "chr", "chrom"),
    POSITION: (POSITION, "pos", "position(bp)", "position", "bp"),
    CENTIMORGAN: (CENTIMORGAN, "cm", "map(cm)", "genetic_map(cm)"),
}


def read_intervals(path: Path, num_autosomes: int = HUMAN_AUTOSOMES) -> pd.DataFrame:
    """Read blocks from a file and return them as an interval table, ordered as in the file.

    Parameters
    ----------
    path
        ``.bed``: chromosome, start and end without a header, where the start is counted from 0 and the end is outside, so that 1
        is added to the start; lines of ``track``, ``browser`` and ``#`` are left out. ``.det``: what ``plink --blocks`` writes.
        Others: tab-separated with a header that names ``chromosome``, ``start_bp`` and ``end_bp`` (or ``chrom``, ``start``,
        ``end``), both ends inside; ``method`` and ``parameters`` are taken over where they are there.
    num_autosomes
        The four numbers after it are the chromosomes X, Y, XY and MT, as in PLINK's files.

    Returns
    -------
    pandas.DataFrame
        ``chromosome`` as the readers of genotypes name it, ``start_bp``, ``end_bp``, ``method``, ``parameters``.

    Raises
    ------
    DataError
        When the file cannot be read as such, or its intervals overlap.
    """
    suffix = path.suffix.lower()
    if suffix == ".bed":
        found = _read_bed(path)
    else:
        raw = _read_table(path, r"\s+" if suffix == ".det" else "\t")
        found = _renamed(raw, _TSV_NAMES, path)
    found[CHROMOSOME] = _chromosomes(found[CHROMOSOME], num_autosomes)
    for column in (START, END):
        found[column] = _whole(found[column], path)
    if suffix == ".bed":
        found[START] += 1
    defaults = {METHOD: "plink" if suffix == ".det" else "file", PARAMETERS: json.dumps({"file": path.name})}
    for column, value in defaults.items():
        found[column] = found.get(column, value)
    found = found[list(COLUMNS)]
    check_intervals(found, str(path))
    return found


def read_genetic_map(path: Path, num_autosomes: int = HUMAN_AUTOSOMES) -> pd.DataFrame:
    """Read a genetic map with a header, separated by spaces or tabs, plain or compressed.

    Needed are columns for the chromosome (``chr``, ``chromosome``), the position in base pairs (``pos``, ``position_bp``,
    ``Position(bp)``) and in centimorgans (``cM``, ``position_cm``, ``Map(cM)``), in any order.

    Parameters
    ----------
    path, num_autosomes
        See :func:`read_intervals`.

    Returns
    -------
    pandas.DataFrame
        ``chromosome`` (text, as the readers of genotypes name it), ``position_bp`` (int64), ``position_cm`` (float64), in the order
        of the file.

    Raises
    ------
    DataError
        When a column is missing or holds no numbers.
    """
    found = _renamed(_read_table(path, r"\s+"), _MAP_NAMES, path)[[CHROMOSOME, POSITION, CENTIMORGAN]]
    found[CHROMOSOME] = _chromosomes(found[CHROMOSOME], num_autosomes)
    found[POSITION] = _whole(found[POSITION], path)
    found[CENTIMORGAN] = _numbers(found[CENTIMORGAN], path)
    return found


def _chromosomes(column: pd.Series, num_autosomes: int) -> pd.Series:
    codes = coded_chromosomes(num_autosomes)
    return column.map(lambda name: codes.get(plain_chromosome(name), plain_chromosome(name)))


def genetic_positions(features: pd.DataFrame, genetic_map: pd.DataFrame) -> np.ndarray:
    """Return each variant's position in centimorgans, float64 (variants,), linear between the points of the map.

    Before the first and after the last point it is theirs; NaN on a chromosome that the map lacks.
    """
    found = np.full(len(features), np.nan)
    names, positions = features[CHROMOSOME].to_numpy(dtype=str), features[POSITION].to_numpy(dtype=np.float64)
    for name, points in genetic_map.groupby(CHROMOSOME):
        here = names == str(name)
        ordered = points.sort_values(POSITION)
        known = ordered[POSITION].to_numpy(dtype=np.float64), ordered[CENTIMORGAN].to_numpy(dtype=np.float64)
        found[here] = np.interp(positions[here], *known)
    return found


def _read_table(path: Path, separator: str) -> pd.DataFrame:
    try:
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"it cannot be read as a table ({error})", where=str(path)) from error


def _read_bed(path: Path) -> pd.DataFrame:
    try:
        content = path.read_bytes()
        if content.startswith(_PLINK_BYTES):
            raise DataError("it holds PLINK genotypes, not intervals", where=str(path), remedy="give a BED file of intervals")
        lines = [line.split() for line in content.decode().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"it cannot be read as text ({error})", where=str(path)) from error
    rows = [line for line in lines if line and line[0] not in ("track", "browser") and not line[0].startswith("#")]
    if any(len(row) < 3 for row in rows):
        raise DataError("a line has fewer than the three columns of BED: chromosome, start, end", where=str(path))
    return pd.DataFrame([row[:3] for row in rows], columns=[CHROMOSOME, START, END], dtype=str)


def _renamed(table: pd.DataFrame, known: dict[str, tuple[str, ...]], path: Path) -> pd.DataFrame:
    by_lower = {str(column).lower(): column for column in table.columns}
    chosen = {}
    for name, aliases in known.items():
        column = next((by_lower[alias] for alias in aliases if alias in by_lower), None)
        if column is None:
            raise DataError(f"there is no column '{name}'", where=str(path), remedy=suggestion(name, table.columns, "its"))
        chosen[column] = name
    return table.rename(columns=chosen)


def _numbers(column: pd.Series, path: Path) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.isna().any():
        raise DataError(f"'{column[numbers.isna()].iloc[0]}' in '{column.name}' is no number", where=str(path))
    return numbers.astype(np.float64)


def _whole(column: pd.Series, path: Path) -> pd.Series:
    numbers = _numbers(column, path)
    if (numbers % 1 != 0).any():
        raise DataError(f"'{column[numbers % 1 != 0].iloc[0]}' in '{column.name}' is no whole number", where=str(path))
    return numbers.astype(np.int64)
