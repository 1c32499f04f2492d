"""Phenotypes and covariates in a table of their own, joined to samples by sample id."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from genoken.core.errors import DataError
from genoken.core.samples import Samples

ID_COLUMNS = ("sample_id", "IID", "iid", "id")
"""Names of the column of sample ids, the most telling first; without one of them it is the first column."""
MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "null", "none", ".", "-9", "-9.0"})
"""Words, lower case, that stand where there is no value."""
_FAMILY = ("FID", "fid")


def read_phenotypes(path: Path) -> pd.DataFrame:
    """Read a table of phenotypes: separated by commas, semicolons, tabs or spaces, as its line of names shows.

    Parameters
    ----------
    path
        The file. Columns become numbers where all values are; :data:`MISSING_WORDS`, PLINK's ``-9`` among them, are missing.

    Returns
    -------
    pandas.DataFrame
        Indexed by sample id; a column ``FID`` of families is named ``family``.

    Raises
    ------
    DataError
        When the file cannot be read, a line does not fit, or a sample or a column occurs twice.
    """
    names, rows = _read_rows(Path(path))
    column = next((name for name in ID_COLUMNS if name in names), None)
    place = names.index(column) if column else 0
    ids = pd.Index([row[place] for row in rows], dtype=object)
    if ids.has_duplicates:
        repeated = list(ids[ids.duplicated()].unique())
        verb = "id occurs" if len(repeated) == 1 else "ids occur"
        what = f"{len(repeated):,} sample {verb} more than once ({', '.join(repeated[:3])})"
        raise DataError(what, where=str(path), remedy="keep one line for each sample")
    columns = {
        "family" if name in _FAMILY else name: _values([row[number] for row in rows])
        for number, name in enumerate(names)
        if number != place
    }
    return pd.DataFrame(columns, index=ids)


def _read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            lines = [line for line in handle.read().splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise DataError("the file of phenotypes does not exist", where=str(path), remedy="check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"the file of phenotypes cannot be read ({error})", where=str(path), remedy="write it as text (UTF-8)"
        ) from error
    if len(lines) < 2:
        raise DataError("a table of phenotypes has a line of names and one for each sample", where=str(path))
    separator = next((mark for mark in ("\t", ",", ";") if mark in lines[0]), None)
    rows = [_fields(line, separator) for line in lines]
    names = [name.lstrip("#") for name in rows[0]]
    if len(names) > 1 and names[0] not in ID_COLUMNS and all(_is_number(name) for name in names[1:]):
        what = f"the first line looks like data, not like names ({', '.join(names[:3])})"
        raise DataError(what, where=str(path), remedy="write a first line of names, for example: sample_id trait")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"the column '{repeated[0]}' occurs twice", where=str(path), remedy="rename or remove one")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            what = f"the line has {len(row):,} fields, and the line of names has {len(names):,}"
            raise DataError(what, where=f"{path}, row {number}", remedy="write the file again")
    return names, rows[1:]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _fields(line: str, separator: str | None) -> list[str]:
    if separator is None:
        return line.split()
    return [field.strip() for field in next(csv.reader([line], delimiter=separator))]


def _values(words: Sequence[str]) -> np.ndarray:
    """Return numbers where all words that are not missing are numbers, else the words, NaN where there is none."""
    missing = np.array([word.lower() in MISSING_WORDS for word in words])
    known = pd.Series([word for word, absent in zip(words, missing, strict=True) if not absent], dtype=object)
    numbers = pd.to_numeric(known, errors="coerce")
    if numbers.isna().any():
        return np.where(missing, np.nan, np.array(words, dtype=object))
    found = np.full(len(words), np.nan)
    found[~missing] = numbers.to_numpy(dtype=np.float64)
    return found


def says_all_are_there(note: str) -> bool:
    """Return whether a note of :func:`join_phenotypes` says that every sample has its phenotypes, and nothing else was found."""
    return re.fullmatch(r"([\d,]+) of \1 samples have phenotypes in \S+", note) is not None


def join_phenotypes(samples: Samples, phenotypes: pd.DataFrame, path: str) -> Samples:
    """Add a table of phenotypes to the sample table; a column that is in both is the phenotypes'.

    Samples without a line keep no value in the new columns; how many there are, and how many lines are of other samples, is noted.

    Parameters
    ----------
    samples
        Indexed by sample id.
    phenotypes
        See :func:`read_phenotypes`.
    path
        Where they come from, for messages.

    Raises
    ------
    DataError
        When no sample has a line.
    """
    table = samples.table
    known = table.index.isin(phenotypes.index)
    if not known.any():
        first, other = str(table.index[0]), str(phenotypes.index[0])
        what = f"none of the {len(table):,} samples is among its {len(phenotypes):,} sample ids"
        raise DataError(what, where=path, remedy=f"the samples are named like '{first}', the table's lines like '{other}'")
    joined = pd.concat([table.drop(columns=phenotypes.columns, errors="ignore"), phenotypes.reindex(table.index)], axis=1)
    num_others = len(phenotypes) - int(known.sum())
    note = f"{int(known.sum()):,} of {len(table):,} samples have phenotypes in {Path(path).name}"
    note += f", which has {num_others:,} other sample{'s' if num_others != 1 else ''} too" if num_others else ""
    return replace(samples, table=joined, notes=(*samples.notes, note))
