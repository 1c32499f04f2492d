"""Phenotypes as tables write them: which words stand for a number, for a text, and for no value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "null", "none", "."})
"""Words, lower case, that stand where there is no value."""
MISSING_CODE = -9.0
"""PLINK's number for no value, in whatever way it is written."""
_CASE_CODES = {0.0, 1.0, 2.0}
_NEAR = (-18.0, -8.0)
_MOST_NAMED = 5


@dataclass(frozen=True)
class PhenotypeColumn:
    """The values of one column.

    Parameters
    ----------
    values
        float64 where all that are there are numbers, else texts; NaN where there is none.
    num_coded
        How many of them are missing because they are a code for that: by the code, as text.
    keeps_code
        Whether -9 is a number like its neighbors in this column.
    """

    values: np.ndarray
    num_coded: Mapping[str, int] = field(default_factory=dict)
    keeps_code: bool = False


def phenotype_column(words: Sequence[str], *, case_codes: bool) -> PhenotypeColumn:
    """Return the values of a column as PLINK understands them.

    -9 is missing, however it is written; but it stays where another number of the column is as low, from -18 to below -8.

    Parameters
    ----------
    words
        What the column says.
    case_codes
        Whether 0 is missing too where all numbers are 0, 1 and 2 and some are 2: PLINK's codes of controls (1) and cases (2).
    """
    is_there = np.array([word.strip().lower() not in MISSING_WORDS for word in words], dtype=bool)
    numbers = pd.to_numeric(pd.Series(words, dtype=object).where(is_there, "nan"), errors="coerce").to_numpy(dtype=np.float64)
    others = numbers[is_there & (numbers != MISSING_CODE)]
    is_code = is_there & (numbers == MISSING_CODE)
    keeps_code = bool(is_code.any() and ((others >= _NEAR[0]) & (others < _NEAR[1])).any())
    coded = {} if keeps_code else {"-9": is_code}
    if case_codes and 2.0 in others and set(others.tolist()) <= _CASE_CODES:
        coded["0"] = is_there & (numbers == 0)
    for is_coded in coded.values():
        is_there &= ~is_coded
    values = numbers if not np.isnan(numbers[is_there]).any() else np.array(words, dtype=object)
    return PhenotypeColumn(
        values=np.where(is_there, values, np.nan),
        num_coded={code: int(found.sum()) for code, found in coded.items() if found.any() and is_there.any()},
        keeps_code=keeps_code,
    )


def missing_notes(columns: Mapping[str, PhenotypeColumn]) -> tuple[str, ...]:
    """Return sentences, without a full stop, on the codes that were read as missing, and on those that were not.

    A column in which nothing else is left is not spoken of: it is empty.

    Parameters
    ----------
    columns
        By their names.
    """
    notes = []
    for code in ("-9", "0"):
        counts = {name: column.num_coded[code] for name, column in columns.items() if code in column.num_coded}
        if counts:
            why = " where all numbers are 0, 1 and 2, as PLINK codes cases" if code == "0" else ""
            notes.append(f"{code} is read as missing{why}: {_listed([f'{name} ({count:,})' for name, count in counts.items()])}")
    kept = [name for name, column in columns.items() if column.keeps_code]
    if kept:
        notes.append(f"-9 is read as a number among others that are as low: {_listed(kept)}")
    return tuple(notes)


def _listed(names: Sequence[str]) -> str:
    others = f" and {len(names) - _MOST_NAMED:,} other columns" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + others
