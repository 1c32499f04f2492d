"""Each group tested once, alone, by a model that learned from all others: leave one population, or cohort, out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from genoken.core.components import settings
from genoken.core.contracts import Split
from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.data.splits import _assign, _problem

if TYPE_CHECKING:
    import pandas as pd

MOST_GROUPS = 50
"""A model is trained for each group, so that more groups than this are surely a mistake."""


@settings
class LeaveGroupOutSplit(Split):
    """As many folds as there are groups, each with one group in its test part; that group need not hold every class."""

    val: float = 0.15
    """Share of the samples outside the test part that choose the stopping point and tune the baselines."""
    validation: Literal["auto", "groups", "samples"] = "auto"
    """Whether whole groups validate, or samples of the train groups; ``auto``: groups when enough remain (8, and 2 per class)."""

    def __post_init__(self) -> None:
        _problem.check_share(self.val)

    def assign(self, labels: np.ndarray, groups: np.ndarray | None, table: pd.DataFrame, seed: int) -> np.ndarray:
        """Return the words ``train``, ``val``, ``test`` of shape (groups, samples), folds by the groups' sorted names.

        Parameters
        ----------
        labels
            Real numbers for regression; class codes or class names (which messages then use) otherwise.
        groups
            Group of each sample.
        table
            Sample table, indexed by sample id.
        seed
            Seed of the run.

        Raises
        ------
        DataError
            When there are no groups, one group alone or more than 50, or a class is in too few. Two groups are enough where both
            hold at least three samples of every class, as two cohorts do.
        """
        problem = _problem.describe(labels, groups, table)
        if problem.groups is None:
            raise DataError("leaving groups out needs a group column", where=_problem.WHERE, remedy="name it with --group")
        if not 2 <= problem.num_groups <= MOST_GROUPS:
            raise DataError(
                f"{problem.num_groups:,} groups cannot be left out one by one: a model is trained for each",
                where=_problem.WHERE,
                remedy=f"name a column with 2 to {MOST_GROUPS} values, or use --split folds",
            )
        if not problem.is_classes or (problem.counts < _problem.LEAST_SAMPLES).any():
            _problem.refuse_small_classes(problem)
        return np.stack([self._fold(problem, group, seed) for group in range(problem.num_groups)])

    def _fold(self, problem: _problem.Problem, group: int, seed: int) -> np.ndarray:
        assert problem.groups is not None  # noqa: S101
        is_test = problem.groups == group
        words = np.where(is_test, "test", "train").astype("<U6")
        rng = generator(seed, "split", "val", group)
        words[_assign.hold_out_validation(problem, ~is_test, share=self.val, validation=self.validation, rng=rng)] = "val"
        return words
