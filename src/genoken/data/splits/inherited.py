"""The split of a pretraining run, taken over so that no test sample was pretrained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from genoken.core.components import settings
from genoken.core.contracts import Split
from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.data.holdout import give_to_known_groups
from genoken.data.splits import _assign, _partition, _problem

if TYPE_CHECKING:
    import pandas as pd

PART_COLUMN = "pretraining_part"
"""Column of the sample table with the part that a sample had in pretraining; empty for those that it did not know."""


@settings
class InheritedSplit(Split):
    """Samples that the pretraining run knows keep their part; others are divided in the usual shares, whole groups only.

    A new sample of a group that pretraining knows goes where that group is: into train where any of it is, else into validation,
    else into test. Where pretraining held no sample, or not one of each class, out for validation, some of the train samples
    validate.
    """

    train: float = 0.70
    """Share of the new samples to learn from."""
    val: float = 0.15
    """Share of the new samples that choose the stopping point; of the train samples, where pretraining left too few."""
    test: float = 0.15
    """Share of the new samples to be tested on."""
    validation: Literal["auto", "groups", "samples"] = "auto"
    """What validates when pretraining left too few: whole groups or samples; ``auto``: groups when enough remain."""

    def __post_init__(self) -> None:
        _problem.check_shares(self.train, self.val, self.test)

    def assign(self, labels: np.ndarray, groups: np.ndarray | None, table: pd.DataFrame, seed: int) -> np.ndarray:
        """Return the words ``train``, ``val``, ``test`` of shape (1, samples).

        Parameters
        ----------
        labels
            Real numbers for regression; class codes or class names (which messages then use) otherwise.
        groups
            Group of each sample, or ``None``.
        table
            Sample table with the column ``pretraining_part``.
        seed
            Seed of the run.

        Raises
        ------
        DataError
            Without that column, when pretraining learned from all samples, or when a tested class is missing in train.
        """
        if PART_COLUMN not in table:
            raise DataError(
                "no pretraining run is there to inherit a split from",
                where=_problem.WHERE,
                remedy="add --from, or leave --split out",
            )
        problem = _problem.describe(labels, groups, table)
        words = table[PART_COLUMN].to_numpy().astype("<U6")
        if problem.groups is not None:
            give_to_known_groups(problem.groups, words)
        self._divide_new(problem, words, seed)
        self._refuse_empty(words)
        _problem.refuse_missing_classes(problem, words, "the split of the pretraining run", "pretrain with more samples held out")
        self._complete_validation(problem, words, seed)
        return words[None]

    def _divide_new(self, problem: _problem.Problem, words: np.ndarray, seed: int) -> None:
        """Divide samples that have no part yet in the usual shares, in place."""
        new = words == ""
        if not new.any():
            return
        if problem.groups is None:
            rng = generator(seed, "split", "new")
            words[new] = "train"
            is_test = _assign.draw_samples(problem, new, self.test, rng)
            words[_assign.draw_samples(problem, new & ~is_test, self.val / (self.train + self.val), rng)] = "val"
            words[is_test] = "test"
            return
        codes, of_group = np.unique(problem.groups[new], return_inverse=True)
        counts = problem.counts[codes]
        parts = _partition.partition_groups(
            counts[:, counts.sum(axis=0) > 0],
            np.array([self.train, self.val, self.test]),
            cover=np.zeros(3),
            least_groups=np.array([1.0, 0.0, 0.0]),
            rng=generator(seed, "split", "new"),
        )
        words[new] = np.array(["train", "val", "test"])[parts][of_group]

    @staticmethod
    def _refuse_empty(words: np.ndarray) -> None:
        if not (words == "test").any():
            raise DataError(
                "pretraining learned from all of these samples, so none is left to be tested on",
                where=_problem.WHERE,
                remedy="pretrain with samples held out (--test-share), or test on a file of new samples (--train, --test)",
            )
        if not (words == "train").any():
            raise DataError(
                "pretraining held all of these samples out for tests, so none is left to learn from",
                where=_problem.WHERE,
                remedy="add samples that it learned from, or new ones",
            )

    def _complete_validation(self, problem: _problem.Problem, words: np.ndarray, seed: int) -> None:
        """Let train samples validate where no sample, or none of some class, does, in place."""
        validating = words == "val"
        is_whole = set(problem.strata[validating].tolist()) >= set(problem.strata[words == "train"].tolist())
        if validating.any() and (is_whole or not problem.is_classes):
            return
        chosen = _assign.hold_out_validation(
            problem,
            words == "train",
            share=self.val / (self.train + self.val),
            validation=self.validation,
            rng=generator(seed, "split", "val", 0),
        )
        words[chosen & (words == "train")] = "val"
