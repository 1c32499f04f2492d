"""Phenotypes and covariates in a table of their own, joined to samples by sample id."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from genoken.core.errors import DataError
from genoken.core.phenotypes import MISSING_WORDS, missing_notes, phenotype_column
from genoken.core.samples import Samples

ID_COLUMNS = ("sample_id", "IID", "iid", "id")
"""Names of the column of sample ids, the most telling first; without one of them it is the first column."""
_FAMILY = ("FID", "fid")


@dataclass(frozen=True)
class Phenotypes:
    """A table of phenotypes.

    Parameters
    ----------
    table
        Indexed by sample id: the individual's, or FAMILY_INDIVIDUAL where individuals of several families have the same. Columns
        are numbers where all values are; a column ``FID`` of families is named ``family``.
    family_ids
        FAMILY_INDIVIDUAL of each line, where the table names families.
    notes
        Sentences, without a full stop, on what was read as missing.
    """

    table: pd.DataFrame
    family_ids: pd.Index | None = None
    notes: tuple[str, ...] = ()


def read_phenotypes(path: Path) -> Phenotypes:
    """Read a table of phenotypes: separated by commas, semicolons, tabs or spaces, as its line of names shows.

    What is missing: see :func:`genoken.core.phenotypes.phenotype_column`. 0 is, among PLINK's codes of controls and cases, where
    the table has PLINK's two columns of ids, FID and IID; elsewhere 0, 1 and 2 are three classes.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DataError
        When the file cannot be read, a line does not fit, or a sample or a column occurs twice.
    """
    names, rows = _read_rows(Path(path))
    place = next((names.index(name) for name in ID_COLUMNS if name in names), 0)
    family = next((names.index(name) for name in _FAMILY if name in names and names.index(name) != place), None)
    ids = pd.Index([row[place] for row in rows], dtype=object)
    both = None if family is None else pd.Index([f"{row[family]}_{row[place]}" for row in rows], dtype=object)
    index = both if both is not None and ids.has_duplicates else ids
    if index.has_duplicates:
        repeated = list(index[index.duplicated()].unique())
        verb = "id occurs" if len(repeated) == 1 else "ids occur"
        what = f"{len(repeated):,} sample {verb} more than once ({', '.join(repeated[:3])})"
        raise DataError(what, where=str(path), remedy="keep one line for each sample")
    is_plink = family is not None and names[place].upper() == "IID"
    phenotypes = {
        name: phenotype_column([row[number] for row in rows], case_codes=is_plink)
        for number, name in enumerate(names)
        if number not in (place, family)
    }
    columns = {name: column.values for name, column in phenotypes.items()}
    if family is not None:
        columns = {"family": _families([row[family] for row in rows], is_plink), **columns}
    return Phenotypes(pd.DataFrame(columns, index=index), both, missing_notes(phenotypes))


def _families(words: Sequence[str], is_plink: bool) -> np.ndarray:
    """Return the names of families as text; ``0`` is none in PLINK's tables."""
    missing = MISSING_WORDS | ({"0"} if is_plink else set())
    return np.array([np.nan if word.lower() in missing else word for word in words], dtype=object)


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


def says_all_are_there(note: str) -> bool:
    """Return whether a note of :func:`join_phenotypes` says that every sample has its phenotypes, and nothing else was found."""
    return re.fullmatch(r"([\d,]+) of \1 samples have phenotypes in \S+", note) is not None


def join_phenotypes(samples: Samples, phenotypes: Phenotypes, path: str) -> Samples:
    """Add a table of phenotypes to the sample table; a column that is in both is the phenotypes'.

    Samples without a line keep no value in the new columns, but for their family; how many there are, and how many lines are of
    other samples, is noted. Samples and lines are matched by sample id, or by FAMILY_INDIVIDUAL where that matches more of them:
    where several families have the same ids.

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
    keys, lines = _best_match(table, phenotypes)
    known = keys.isin(lines.index)
    if not known.any():
        first, other = str(table.index[0]), str(lines.index[0])
        what = f"none of the {len(table):,} samples is among its {len(lines):,} sample ids"
        raise DataError(what, where=path, remedy=f"the samples are named like '{first}', the table's lines like '{other}'")
    found = lines.reindex(keys).set_axis(table.index, axis=0)
    if "family" in found and "family" in table:
        found["family"] = found["family"].where(found["family"].notna(), table["family"])
    joined = pd.concat([table.drop(columns=lines.columns, errors="ignore"), found], axis=1)
    num_others = len(lines) - int(known.sum())
    note = f"{int(known.sum()):,} of {len(table):,} samples have phenotypes in {Path(path).name}"
    note += f", which has {num_others:,} other sample{'s' if num_others != 1 else ''} too" if num_others else ""
    return replace(samples, table=joined, notes=(*samples.notes, note, *phenotypes.notes))


def _best_match(table: pd.DataFrame, phenotypes: Phenotypes) -> tuple[pd.Index, pd.DataFrame]:
    """Return the key of each sample and the lines by such keys, of the ways to name people the one that matches most samples."""
    pairs = [(table.index, phenotypes.table)]
    if phenotypes.family_ids is not None and not phenotypes.family_ids.has_duplicates:
        by_family = phenotypes.table.set_axis(phenotypes.family_ids, axis=0)
        pairs.append((table.index, by_family))
        if "family" in table:
            families = table["family"].astype(object).where(table["family"].notna(), "0")
            names = pd.Index([f"{family}_{name}" for family, name in zip(families, table.index, strict=True)], dtype=object)
            pairs.append((names, by_family))
    return max(pairs, key=lambda pair: int(pair[0].isin(pair[1].index).sum()))  # the first of equals
