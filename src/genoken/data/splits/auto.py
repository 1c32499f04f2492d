"""The split that the data call for: by group when there are groups, in folds when they are few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genoken.core.components import settings
from genoken.core.contracts import Split
from genoken.data.splits import _assign, _problem

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@settings
class AutoSplit(Split):
    """Grouped cross-validation with fewer than 20 groups, one grouped split with more, one stratified random split without groups.

    The cross-validation has 5 folds, or fewer when a class has fewer groups. Every class is in train and test of each fold.
    """

    folds: int = 0
    """Folds of a cross-validation; 0: chosen by the number of groups."""
    train: float = 0.70
    """Share of the samples to learn from, in a single split."""
    val: float = 0.15
    """Share of the samples that choose the stopping point and tune the baselines."""
    test: float = 0.15
    """Share of the samples to be tested on, in a single split."""
    validation: Literal["auto", "groups", "samples"] = "auto"
    """Whether whole groups validate, or samples of the train groups; ``auto``: groups when enough remain (8, and 2 per class)."""

    def __post_init__(self) -> None:
        _problem.check_shares(self.train, self.val, self.test)
        _problem.check_folds(self.folds, zero_is_allowed=True)

    def assign(self, labels: np.ndarray, groups: np.ndarray | None, table: pd.DataFrame, seed: int) -> np.ndarray:
        """Return the words ``train``, ``val``, ``test`` of shape (folds, samples).

        Parameters
        ----------
        labels
            Real numbers for regression; class codes or class names (which messages then use) otherwise.
        groups
            Group of each sample, or ``None``.
        table
            Sample table, indexed by sample id.
        seed
            Seed of the run.

        Raises
        ------
        DataError
            When a class is too small, or the asked number of folds is impossible.
        """
        problem = _problem.describe(labels, groups, table)
        _problem.refuse_small_classes(problem)
        few_groups = problem.groups is not None and problem.num_groups < _assign.GROUPS_FOR_SINGLE_SPLIT
        if self.folds or few_groups:
            return _assign.cross_validation(
                problem,
                folds=self.folds or _assign.DEFAULT_FOLDS,
                fewer=not self.folds,
                val=self.val / (self.train + self.val),
                validation=self.validation,
                seed=seed,
            )
        return _assign.single(problem, val=self.val, test=self.test, validation=self.validation, seed=seed)
