"""Times as numbers: from columns of numbers, of ordered categories, and of words that hold a number."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from genoken.core.errors import DataError

_WORD = re.compile(r"([^\d]*)(\d+(?:\.\d+)?)(.*)", re.DOTALL)
_BOUNDS = "<>≤≥=~ "
"""What may stand before a bin's number, as in ``> 650``, without being part of its name."""


def time_points(column: pd.Series, where: str) -> np.ndarray:
    """Return the time of each sample, float64, NaN where it is missing.

    Numbers are taken as they are, ordered categories by their place. Other words must begin alike and hold a number, as ``E8.5``,
    ``day 3`` or ``270-330``, of which the first one counts.

    Parameters
    ----------
    column
        One value per sample.
    where
        Where it was found, for messages.

    Raises
    ------
    DataError
        When the values have no order that can be told.
    """
    if isinstance(column.dtype, pd.CategoricalDtype) and column.dtype.ordered:
        codes = column.cat.codes.to_numpy(dtype=np.float64)
        return np.where(codes < 0, np.nan, codes)
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_bool_dtype(column.dtype):
        raise _no_order(column, "it holds true and false", where)
    known = column[column.notna()].astype(str)
    by_word = _numbers_of_words(pd.unique(known), column, where)
    return column.map(lambda word: by_word.get(str(word), np.nan)).to_numpy(dtype=np.float64)


def require_several(times: np.ndarray, column: str, where: str) -> None:
    """Refuse times of which there is only one.

    Raises
    ------
    DataError
        When there is only one, or none at all.
    """
    found = len(np.unique(times[np.isfinite(times)]))
    if found < 2:
        what = "a single time point, so nothing comes later in it" if found else "no time point"
        raise DataError(f"'{column}' has {what}", where=where, remedy="choose another column")


def _numbers_of_words(words: np.ndarray, column: pd.Series, where: str) -> dict[str, float]:
    numbers = pd.to_numeric(pd.Series(words, dtype=object), errors="coerce")
    if numbers.notna().all():
        return dict(zip(words, numbers.astype(float), strict=True))
    matches = {word: _WORD.fullmatch(word) for word in words}
    without = [word for word, match in matches.items() if match is None]
    if without:
        raise _no_order(column, f"'{without[0]}' holds no number", where)
    found = {word: match for word, match in matches.items() if match is not None}
    beginnings = sorted({match.group(1).strip(_BOUNDS) for match in found.values()})
    if len(beginnings) > 1:
        raise _no_order(column, f"some begin with '{beginnings[0]}' and some with '{beginnings[1]}'", where)
    return {word: float(match.group(2)) for word, match in found.items()}


def _no_order(column: pd.Series, why: str, where: str) -> DataError:
    return DataError(
        f"the order of the values of '{column.name}' cannot be told: {why}",
        where=where,
        remedy="give numbers, or make it an ordered categorical",
    )
