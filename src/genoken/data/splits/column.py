"""A split that the file brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genoken.core.components import settings
from genoken.core.contracts import Split
from genoken.core.errors import DataError, suggestion
from genoken.core.random import generator
from genoken.data.splits import _assign, _problem

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_WORDS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "unused": "unused"}


@settings
class ColumnSplit(Split):
    """The split that a column of the sample table gives, in the words train, val (valid, validation), test and unused."""

    column: str = "split"
    """Column of the sample table."""
    val: float = 0.15
    """Share of the train samples that validate when the column names none for it."""
    validation: Literal["auto", "groups", "samples"] = "auto"
    """What validates when the column names nothing for it: whole groups or samples; ``auto``: groups when enough remain."""

    def __post_init__(self) -> None:
        _problem.check_share(self.val)

    def assign(self, labels: np.ndarray, groups: np.ndarray | None, table: pd.DataFrame, seed: int) -> np.ndarray:
        """Return the words of the column, in the spelling of :class:`genoken.core.contracts.Split`, of shape (1, samples).

        Parameters
        ----------
        labels
            Real numbers for regression; class codes or class names (which messages then use) otherwise.
        groups
            Group of each sample, or ``None``; used only when validation samples must be chosen.
        table
            Sample table with the column.
        seed
            Seed of the run.

        Raises
        ------
        DataError
            When the column or a part is missing, a word is unknown, the test part has one class, or a class is missing in train.
        """
        words = _words(table, self.column)
        problem = _problem.describe(labels, groups, table)
        for part in ("train", "test"):
            if not (words == part).any():
                raise DataError(
                    f"no sample is marked '{part}'", where=f"obs['{self.column}']", remedy="mark some, or leave --split away"
                )
        _problem.refuse_missing_classes(problem, words, f"obs['{self.column}']", "mark samples of every class 'train' and 'test'")
        if not (words == "val").any():
            rng = generator(seed, "split", "val", 0)
            chosen = _assign.hold_out_validation(problem, words == "train", share=self.val, validation=self.validation, rng=rng)
            words[chosen & (words == "train")] = "val"
        return words[None]


def _words(table: pd.DataFrame, column: str) -> np.ndarray:
    import numpy as np

    if column not in table:
        raise DataError(f"there is no column '{column}'", where="obs", remedy=suggestion(column, table.columns, "columns"))
    written = np.asarray([str(word) for word in table[column]])
    unknown = sorted({word for word in written if word.strip().lower() not in _WORDS})
    if unknown:
        shown = ", ".join(f"'{word}'" for word in unknown[:5])
        raise DataError(
            f"{shown} is no part of a split",
            where=f"obs['{column}']",
            remedy="use train, val and test ('unused' to leave samples out)",
        )
    return np.asarray([_WORDS[word.strip().lower()] for word in written], dtype="<U6")
