"""A random split of samples: honest only when samples are independent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genoken.core.components import settings
from genoken.core.contracts import Split
from genoken.data.splits import _assign, _problem

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@settings
class RandomSplit(Split):
    """A random split, stratified by label; groups are ignored, so with grouped data it is too optimistic."""

    folds: int = 0
    """Folds of a cross-validation; 0 for a single split."""
    train: float = 0.70
    """Share of the samples to learn from, in a single split."""
    val: float = 0.15
    """Share of the samples that choose the stopping point and tune the baselines."""
    test: float = 0.15
    """Share of the samples to be tested on, in a single split."""

    def __post_init__(self) -> None:
        _problem.check_shares(self.train, self.val, self.test)
        _problem.check_folds(self.folds, zero_is_allowed=True)

    def assign(self, labels: np.ndarray, groups: np.ndarray | None, table: pd.DataFrame, seed: int) -> np.ndarray:
        """Return the words ``train``, ``val``, ``test`` of shape (folds, samples).

        Real labels are stratified by their quantiles.

        Parameters
        ----------
        labels
            Real numbers for regression; class codes or class names (which messages then use) otherwise.
        groups
            Ignored.
        table
            Sample table, indexed by sample id.
        seed
            Seed of the run.

        Raises
        ------
        DataError
            When a class has fewer than three samples, or fewer than there are folds.
        """
        problem = _problem.describe(labels, None, table)
        _problem.refuse_small_classes(problem)
        if self.folds:
            val = self.val / (self.train + self.val)
            return _assign.cross_validation(problem, folds=self.folds, fewer=False, val=val, validation="samples", seed=seed)
        return _assign.single(problem, val=self.val, test=self.test, validation="samples", seed=seed)
