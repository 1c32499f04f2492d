"""One split by group: no group is on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genoken.core.components import settings
from genoken.core.contracts import Split
from genoken.core.errors import DataError
from genoken.data.splits import _assign, _problem

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@settings
class GroupSplit(Split):
    """One split into whole groups, stratified by label and group size; with few groups the test says little: prefer folds."""

    train: float = 0.70
    """Share of the samples to learn from."""
    val: float = 0.15
    """Share of the samples that choose the stopping point and tune the baselines."""
    test: float = 0.15
    """Share of the samples to be tested on."""
    validation: Literal["auto", "groups", "samples"] = "auto"
    """Whether whole groups validate, or samples of the train groups; ``auto``: groups when enough remain (8, and 2 per class)."""

    def __post_init__(self) -> None:
        _problem.check_shares(self.train, self.val, self.test)

    def assign(self, labels: np.ndarray, groups: np.ndarray | None, table: pd.DataFrame, seed: int) -> np.ndarray:
        """Return the words ``train``, ``val``, ``test`` of shape (1, samples).

        With at least 20 groups the test part gets at least 5, because no interval is given from fewer.

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
            When there are no groups, or a class is in too few of them.
        """
        if groups is None:
            raise DataError(
                "a split by group needs a group column", where=_problem.WHERE, remedy="name it with --group, or use --split random"
            )
        problem = _problem.describe(labels, groups, table)
        _problem.refuse_small_classes(problem)
        return _assign.single(problem, val=self.val, test=self.test, validation=self.validation, seed=seed)
