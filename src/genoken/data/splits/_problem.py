"""What is to be divided: samples with a class (or a bin of a real label) and a group; and what cannot be divided at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from genoken.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

WHERE = "split"
"""Place of every error of a split, for messages."""
LEAST_SAMPLES = 3
"""A class needs a sample for each of train, validation and test."""
_LABEL_BINS = 5
_SAMPLES_PER_BIN = 6
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Problem:
    """Samples as a split sees them.

    Parameters
    ----------
    strata
        Class of each sample, or bin of its real label, int64 of shape (samples,).
    names
        Name of each stratum for messages.
    is_classes
        Whether strata are classes, which every part must hold, or bins of a real label, which should only be spread evenly.
    groups
        Group of each sample, int64 of shape (samples,); ``None`` when samples are independent.
    group_names
        Sorted names of the groups.
    order
        Rows sorted by sample id, so that draws belong to samples and not to the order of the file's rows.
    """

    strata: np.ndarray
    names: tuple[str, ...]
    is_classes: bool
    groups: np.ndarray | None
    group_names: tuple[str, ...]
    order: np.ndarray

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return len(self.strata)

    @property
    def num_groups(self) -> int:
        """Number of groups; 0 when samples are independent."""
        return len(self.group_names)

    @cached_property
    def counts(self) -> np.ndarray:
        """Samples per group and stratum, of shape (groups, strata)."""
        if self.groups is None:
            raise ValueError("independent samples have no groups to count")
        return np.bincount(self.groups * len(self.names) + self.strata, minlength=self.num_groups * len(self.names)).reshape(
            self.num_groups, len(self.names)
        )

    def without_groups(self) -> Problem:
        """Return the problem with its samples taken as independent."""
        return replace(self, groups=None, group_names=())


def describe(labels: np.ndarray, groups: np.ndarray | None, table: pd.DataFrame) -> Problem:
    """Return labels, groups and sample ids as a :class:`Problem`.

    Parameters
    ----------
    labels
        Of shape (samples,): real numbers (any float type) for regression; else class codes, or class names, which messages show.
    groups
        Group of each sample, of shape (samples,), or ``None``.
    table
        Sample table; only its index, the sample ids, is used.

    Raises
    ------
    DataError
        When labels or groups have missing values, or there is one class only.
    """
    import pandas as pd

    labels = np.asarray(labels)
    if not len(labels) == len(table) == (len(labels) if groups is None else len(groups)):
        raise ValueError(
            f"{len(labels)} labels, {len(table)} rows and {'no' if groups is None else len(groups)} groups do not match"
        )
    if pd.isna(labels).any():
        raise DataError("some samples have no label", where=WHERE, remedy="leave them out before splitting")
    is_classes = not np.issubdtype(labels.dtype, np.floating)
    strata, names = _classes(labels) if is_classes else _bins(labels)
    group_codes, group_names = None, ()
    if groups is not None:
        if pd.isna(groups).any():
            raise DataError("some samples have no group", where=WHERE, remedy="give each a group, or leave these samples out")
        found, group_codes = np.unique(np.asarray(groups).astype(str), return_inverse=True)
        group_names = tuple(found.tolist())
    order = np.argsort(np.asarray(table.index.astype(str), dtype=str), kind="stable")
    return Problem(strata, names, is_classes, group_codes, group_names, order)


def _classes(labels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    is_code = np.issubdtype(labels.dtype, np.integer)
    found, codes = np.unique(labels if is_code else labels.astype(str), return_inverse=True)
    if len(found) < 2:
        raise DataError("all samples have the same class", where=WHERE, remedy="choose a label with at least two classes")
    return codes, tuple(f"class {code}" if is_code else f"'{code}'" for code in found.tolist())


def _bins(labels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Cut real labels at their quantiles into at most five bins of at least six samples."""
    if len(labels) and np.ptp(labels) == 0:
        raise DataError("all samples have the same label", where=WHERE, remedy="choose a label that varies")
    num_bins = int(np.clip(len(labels) // _SAMPLES_PER_BIN, 1, _LABEL_BINS))
    edges = np.quantile(labels, np.arange(1, num_bins) / num_bins)
    found, codes = np.unique(np.searchsorted(edges, labels, side="right"), return_inverse=True)
    return codes, tuple(f"bin {code}" for code in found.tolist())


def refuse_small_classes(problem: Problem) -> None:
    """Refuse classes that cannot be in train and in test.

    A class needs three samples. With groups it also needs two groups (one to learn from, one to be tested on), and three when there
    are only two classes: with fewer, one animal or donor would stand for its whole class on both sides. Among more classes one may
    be that rare, because the others still tell whether the model works.

    Raises
    ------
    DataError
        Naming every such class with its number of samples or groups.
    """
    if not problem.is_classes:
        _refuse_few_units(problem)
        return
    samples = np.bincount(problem.strata, minlength=len(problem.names))
    small = [f"{problem.names[index]} ({_counted(samples[index], 'sample')})" for index in np.flatnonzero(samples < LEAST_SAMPLES)]
    if small:
        raise _too_small(small, "at least 3 samples", "leave them out, or merge the class with another")
    if problem.groups is None:
        return
    _refuse_few_units(problem)
    least = 3 if len(problem.names) == 2 else 2
    groups = (problem.counts > 0).sum(axis=0)
    small = [f"{problem.names[index]} ({_counted(groups[index], 'group')})" for index in np.flatnonzero(groups < least)]
    if small:
        raise _too_small(
            small,
            f"at least {least} groups",
            "leave the class out, merge it with another, or add groups; --split random ignores groups and is too optimistic",
        )


def refuse_missing_classes(problem: Problem, words: np.ndarray, where: str, remedy: str) -> None:
    """Refuse a given split whose test part has one class alone, or a class that train lacks.

    Parameters
    ----------
    problem
        Labels.
    words
        ``train``, ``val``, ``test`` or ``unused``, of shape (samples,), with a test sample.
    where, remedy
        Where the split comes from and how it can be mended, for messages.

    Raises
    ------
    DataError
        Naming the classes.
    """
    if not problem.is_classes:
        return
    in_test, in_train = set(problem.strata[words == "test"].tolist()), set(problem.strata[words == "train"].tolist())
    if len(in_test) < 2:
        raise DataError(f"the test samples have one class only, {problem.names[in_test.pop()]}", where=where, remedy=remedy)
    missing = sorted(in_test - in_train)
    if missing:
        names = ", ".join(problem.names[code] for code in missing)
        raise DataError(f"no train sample has {names}, which the test has", where=where, remedy=remedy)


def _refuse_few_units(problem: Problem) -> None:
    num_units, noun = (problem.num_samples, "sample") if problem.groups is None else (problem.num_groups, "group")
    if num_units < 2 or problem.num_samples < LEAST_SAMPLES:
        raise DataError(f"{_counted(num_units, noun)} cannot be divided into train and test", where=WHERE, remedy="add samples")


def _too_small(small: list[str], need: str, remedy: str) -> DataError:
    return DataError(f"a class needs {need} to be in train and in test; too few: {', '.join(small)}", where=WHERE, remedy=remedy)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def check_shares(train: float, val: float, test: float) -> None:
    """Refuse shares that are not positive or do not sum to 1.

    Raises
    ------
    ConfigError
        Naming the three shares.
    """
    total = train + val + test
    if min(train, val, test) <= 0 or abs(total - 1) > _TOLERANCE:
        raise ConfigError(
            f"the shares train={train:g}, val={val:g}, test={test:g} must be positive and sum to 1 (they sum to {total:g})",
            where=WHERE,
            remedy="for example train=0.7, val=0.15, test=0.15",
        )


def check_share(val: float) -> None:
    """Refuse a share of validation samples that is not between 0 and 1.

    Raises
    ------
    ConfigError
        Naming the share.
    """
    if not 0 < val < 1:
        raise ConfigError(f"the share val={val:g} must lie between 0 and 1", where=WHERE, remedy="for example val=0.15")


def check_folds(folds: int, *, zero_is_allowed: bool) -> None:
    """Refuse a number of folds that is no cross-validation.

    Raises
    ------
    ConfigError
        Naming the number.
    """
    if folds < 2 and not (zero_is_allowed and folds == 0):
        instead = "0 for a single split, or at least 2" if zero_is_allowed else "at least 2"
        raise ConfigError(f"{folds} folds are no cross-validation", where=WHERE, remedy=f"give {instead}")
