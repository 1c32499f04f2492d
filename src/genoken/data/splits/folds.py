"""Cross-validation: every sample is tested once, by a model that has not seen its group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genoken.core.components import settings
from genoken.core.contracts import Split
from genoken.data.splits import _assign, _problem

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@settings
class FoldsSplit(Split):
    """K folds of whole groups, stratified by label and group size; of samples, stratified by label, when there are no groups."""

    folds: int = 5
    """Number of folds, at least 2."""
    val: float = 0.15
    """Share of the samples outside the test part that choose the stopping point and tune the baselines."""
    validation: Literal["auto", "groups", "samples"] = "auto"
    """Whether whole groups validate, or samples of the train groups; ``auto``: groups when enough remain (8, and 2 per class)."""

    def __post_init__(self) -> None:
        _problem.check_folds(self.folds, zero_is_allowed=False)
        _problem.check_share(self.val)

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
            When that many folds are impossible; the message gives the largest possible number.
        """
        problem = _problem.describe(labels, groups, table)
        _problem.refuse_small_classes(problem)
        return _assign.cross_validation(problem, folds=self.folds, fewer=False, val=self.val, validation=self.validation, seed=seed)
