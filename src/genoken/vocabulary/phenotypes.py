"""Phenotypes as tokens: which columns of the sample table there are, and which entry each of their values has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genoken.core.errors import DataError, RunError, suggestion
from genoken.core.files import read_json
from genoken.core.layout import FIRST_CATEGORY

UNKNOWN_ENTRY = FIRST_CATEGORY
"""Entry of every value that is missing, or that the vocabulary does not hold."""
MOST_CATEGORIES = 5000
"""A column with more values in the train split is an identifier or a measurement, not a phenotype with categories."""
MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "unknown"})
"""Texts, in any case, that say that a value is not known; they become categories only where a given map names them."""
_FORM = 'the form is {"column": ["category", …], …}'


@dataclass(frozen=True)
class PhenotypeVocabulary:
    """Columns and their categories, all in one space of entries: the unknown one, then those of each column in turn.

    Parameters
    ----------
    columns
        Names of the columns, sorted.
    categories
        Values of each column, sorted, at least one per column.
    """

    columns: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if len(self.columns) != len(self.categories) or list(self.columns) != sorted(set(self.columns)):
            raise ValueError("columns are sorted, distinct, and each has its categories")
        if any(not names or list(names) != sorted(set(names)) for names in self.categories):
            raise ValueError("categories are sorted and distinct, and there is at least one")

    @classmethod
    def fit(cls, table: pd.DataFrame, columns: Sequence[str], *, where: str = "") -> PhenotypeVocabulary:
        """Take the values of some columns in the train split's sample table.

        Parameters
        ----------
        table
            Sample table of the train split.
        columns
            Names of the columns, in any order.
        where
            Where the table comes from, for messages.

        Raises
        ------
        DataError
            When a column is absent, named twice, has no value at all, or has too many to be categories.
        """
        names = sorted(columns)
        for name in names:
            if name not in table:
                known = [str(column) for column in table.columns]
                raise DataError(f"there is no phenotype column '{name}'", where=where, remedy=suggestion(name, known, "columns"))
            if names.count(name) > 1:
                raise DataError(f"the phenotype column '{name}' is named twice", where=where, remedy="name each column once")
        found = []
        for name in names:
            categories = tuple(sorted(text for text in set(_texts(table[name])) if text.lower() not in MISSING_WORDS))
            if not categories:
                raise DataError(
                    f"the phenotype column '{name}' has no value in any train sample", where=where, remedy="leave it out"
                )
            if len(categories) > MOST_CATEGORIES:
                raise DataError(
                    f"the phenotype column '{name}' has {len(categories):,} different values, for example '{categories[0]}'",
                    where=where,
                    remedy="leave it out, or sort its values into groups first",
                )
            found.append(categories)
        return cls(tuple(names), tuple(found))

    @classmethod
    def from_map(cls, content: Any, *, where: str = "") -> PhenotypeVocabulary:
        """Take a given map ``{column: [category, …]}``; the order of columns and of categories in it does not matter.

        Raises
        ------
        DataError
            When it is anything else, or a category stands in a column twice.
        """
        if not isinstance(content, Mapping) or not content:
            raise DataError("a phenotype map is an object of columns", where=where, remedy=_FORM)
        for name in content:
            if not isinstance(name, str) or not name:
                raise DataError(f"{name!r} is not the name of a column", where=where, remedy=_FORM)
        columns = tuple(sorted(content))
        return cls(columns, tuple(_checked_categories(name, content[name], where) for name in columns))

    @classmethod
    def read(cls, path: Path) -> PhenotypeVocabulary:
        """Read a map from a JSON file, see :meth:`from_map`.

        Raises
        ------
        DataError
            When the file is missing, is not JSON, or is not such a map.
        """
        try:
            content = read_json(path)
        except RunError as error:
            raise DataError(error.message, where=error.where, remedy="give a JSON file of columns and categories") from error
        return cls.from_map(content, where=str(path))

    def to_map(self) -> dict[str, list[str]]:
        """Return the columns and their categories in JSON's own types; the inverse of :meth:`from_map`."""
        return {name: list(categories) for name, categories in zip(self.columns, self.categories, strict=True)}

    @property
    def bounds(self) -> tuple[int, ...]:
        """The categories of column ``i`` have the entries ``bounds[i]`` to ``bounds[i + 1] - 1``."""
        counts = [len(categories) for categories in self.categories]
        return tuple(int(bound) for bound in np.cumsum([UNKNOWN_ENTRY + 1, *counts]))

    @property
    def num_entries(self) -> int:
        """Number of entries of the phenotype channel, those for tokens without a phenotype and for hidden ones included."""
        return self.bounds[-1]

    def codes(self, table: pd.DataFrame) -> np.ndarray:
        """Return the entry of each sample in each column, int64 of shape (samples, columns).

        Missing values, values that the vocabulary does not hold, and columns that the table does not have are ``UNKNOWN_ENTRY``.
        """
        codes = np.full((len(table), len(self.columns)), UNKNOWN_ENTRY, dtype=np.int64)
        for index, (name, categories) in enumerate(zip(self.columns, self.categories, strict=True)):
            if name in table:
                found = pd.Index(categories).get_indexer(_texts(table[name]))
                codes[:, index] = np.where(found >= 0, self.bounds[index] + found, UNKNOWN_ENTRY)
        return codes

    def given(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return each column's values as texts (samples,), empty where none is known; values that are not in the vocabulary too."""
        found = {}
        for name, categories in zip(self.columns, self.categories, strict=True):
            texts = _texts(table[name]) if name in table else [""] * len(table)
            known = set(categories)
            found[name] = np.array(
                [text if text in known or text.lower() not in MISSING_WORDS else "" for text in texts], dtype=object
            )
        return found

    def count_new(self, table: pd.DataFrame) -> dict[str, dict[str, int]]:
        """Return how many samples have each value that the vocabulary does not hold, by column; missing values do not count."""
        counts: dict[str, dict[str, int]] = {}
        for name, categories in zip(self.columns, self.categories, strict=True):
            known, texts = set(categories), _texts(table[name]) if name in table else []
            found = Counter(text for text in texts if text not in known and text.lower() not in MISSING_WORDS)
            if found:
                counts[name] = dict(sorted(found.items()))
        return counts


def _checked_categories(column: str, categories: Any, where: str) -> tuple[str, ...]:
    """Return a column's categories from a given map, sorted."""
    if not isinstance(categories, list) or not categories:
        raise DataError(f"'{column}' has no list of categories", where=where, remedy=_FORM)
    for category in categories:
        if not isinstance(category, str) or not category.strip():
            raise DataError(f"'{column}' has a category that is not a name: {category!r}", where=where, remedy=_FORM)
    names = sorted(category.strip() for category in categories)
    twice = [name for name, following in pairwise(names) if name == following]
    if twice:
        raise DataError(f"'{column}' has the category '{twice[0]}' twice", where=where, remedy="name each category once")
    return tuple(names)


def _texts(column: pd.Series) -> list[str]:
    """Return the values as texts, stripped; missing ones are empty."""
    return column.astype(object).where(column.notna(), "").astype(str).str.strip().tolist()
