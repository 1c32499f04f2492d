"""Assignment of samples to train, validation and test, shared by the members of this family."""

from __future__ import annotations

from typing import Literal

import numpy as np

from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.data.splits._partition import MISSING_CLASS, partition_groups
from genoken.data.splits._problem import WHERE, Problem

Validation = Literal["auto", "groups", "samples"]

GROUPS_FOR_SINGLE_SPLIT = 20
"""From this many groups on, one split is enough; with fewer, each group is tested once in a cross-validation."""
GROUPS_FOR_INTERVAL = 5
"""No interval is given from fewer test groups, so the test part gets that many when there are enough."""
TRAIN_GROUPS_FOR_VALIDATION_GROUPS = 8
"""With fewer groups outside the test part, none is given away for validation."""
DEFAULT_FOLDS = 5
"""Folds of the automatic cross-validation."""


def single(problem: Problem, *, val: float, test: float, validation: Validation, seed: int) -> np.ndarray:
    """Return one split as words of shape (1, samples).

    Parameters
    ----------
    problem
        Labels and groups.
    val, test
        Shares of all samples.
    validation
        What validates: see :func:`hold_out_validation`.
    seed
        Seed of the run.

    Raises
    ------
    DataError
        When no division into whole groups puts every class into train and test.
    """
    rng = generator(seed, "split", "test")
    if problem.groups is None:
        is_test = draw_samples(problem, np.ones(problem.num_samples, dtype=bool), test, rng)
    else:
        least = np.array([1, GROUPS_FOR_INTERVAL if problem.num_groups >= GROUPS_FOR_SINGLE_SPLIT else 1])
        parts = _partition(problem, np.ones(problem.num_groups, dtype=bool), np.array([1 - test, test]), least, rng)
        if not _covers(problem, parts, 2):
            raise DataError(
                "no division into whole groups puts every class into train and test",
                where=WHERE,
                remedy="leave out or merge the classes with the fewest groups",
            )
        is_test = (parts == 1)[problem.groups]
    return _with_validation(problem, is_test, val / (1 - test), validation, seed, 0)[None]


def cross_validation(problem: Problem, *, folds: int, fewer: bool, val: float, validation: Validation, seed: int) -> np.ndarray:
    """Return K folds as words of shape (folds, samples); every sample is in the test part of exactly one.

    Every class is in the test part of every fold, which limits K to the number of groups (or samples) of the rarest class.

    Parameters
    ----------
    problem
        Labels and groups.
    folds
        Wanted number of folds.
    fewer
        Whether to take fewer folds when that many are impossible.
    val
        Share of the samples outside the test part.
    validation
        What validates: see :func:`hold_out_validation`.
    seed
        Seed of the run.

    Raises
    ------
    DataError
        When that many folds (or, with ``fewer``, two folds) are impossible; the message gives the largest possible number.
    """
    parts = _folds(problem, folds, seed)
    possible = folds
    while parts is None and possible > 2:
        possible -= 1
        parts = _folds(problem, possible, seed)
    if parts is None or (possible < folds and not fewer):
        raise _too_many_folds(problem, folds, possible if parts is not None else 0)
    rows = [_with_validation(problem, parts == fold, val, validation, seed, fold) for fold in range(possible)]
    return np.stack(rows)


def _too_many_folds(problem: Problem, folds: int, possible: int) -> DataError:
    if problem.is_classes:
        units = np.bincount(problem.strata) if problem.groups is None else (problem.counts > 0).sum(axis=0)
        rarest = int(np.argmin(units))
        noun = "sample" if problem.groups is None else "group"
        reason = f"every class must be in the test part of each fold; {problem.names[rarest]} has {units[rarest]} {noun}s"
    else:
        reason = f"there are {problem.num_groups or problem.num_samples} {'groups' if problem.num_groups else 'samples'}"
    remedy = f"at most {possible} folds are possible" if possible else "leave out or merge the classes with the fewest groups"
    return DataError(f"{folds} folds are impossible: {reason}", where=WHERE, remedy=remedy)


def _folds(problem: Problem, folds: int, seed: int) -> np.ndarray | None:
    """Return the fold of each sample, or ``None`` when not every class can be in every fold."""
    rng = generator(seed, "split", "folds", folds)
    if problem.groups is None:
        smallest = np.bincount(problem.strata).min() if problem.is_classes else problem.num_samples
        return _deal_samples(problem, folds, rng) if smallest >= folds else None
    most = (problem.counts > 0).sum(axis=0).min() if problem.is_classes else problem.num_groups
    if most < folds:
        return None
    everything = np.ones(problem.num_groups, dtype=bool)
    parts = _partition(problem, everything, np.full(folds, 1 / folds), np.ones(folds), rng)
    return parts[problem.groups] if _covers(problem, parts, folds) else None


def _partition(
    problem: Problem, taken: np.ndarray, shares: np.ndarray, least_groups: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Divide the taken groups so that every class is in every part; groups not taken get part -1."""
    counts = problem.counts[taken]
    present = counts.sum(axis=0) > 0
    cover = np.full(len(shares), MISSING_CLASS if problem.is_classes else 0.0)
    parts = np.full(problem.num_groups, -1)
    parts[taken] = partition_groups(counts[:, present], shares, cover=cover, least_groups=least_groups, rng=rng)
    return parts


def _covers(problem: Problem, parts: np.ndarray, num_parts: int) -> bool:
    """Return whether each part has a group and, for classes, every class."""
    counts = np.stack([problem.counts[parts == part].sum(axis=0) for part in range(num_parts)])
    return bool((counts > 0).all() if problem.is_classes else (counts.sum(axis=1) > 0).all())


def _with_validation(
    problem: Problem, is_test: np.ndarray, share: float, validation: Validation, seed: int, fold: int
) -> np.ndarray:
    words = np.where(is_test, "test", "train").astype("<U6")
    words[hold_out_validation(problem, ~is_test, share=share, validation=validation, rng=generator(seed, "split", "val", fold))] = (
        "val"
    )
    return words


def hold_out_validation(
    problem: Problem, rest: np.ndarray, *, share: float, validation: Validation, rng: np.random.Generator
) -> np.ndarray:
    """Return which samples of the rest (everything but test) validate.

    ``groups``: whole groups. ``samples``: a stratified share of the samples of the groups that are also learned from; that costs
    train no group, but says less about unseen groups. The test groups are unseen either way. ``auto``: groups when at least 8
    remain outside the test part, every class keeps at least 2 groups in train and every class is in validation; samples otherwise.

    Parameters
    ----------
    problem
        Labels and groups.
    rest
        Mask of shape (samples,).
    share
        Share of the rest.
    validation
        What validates.
    rng
        Where the draw comes from.

    Returns
    -------
    numpy.ndarray
        Mask of shape (samples,).

    Raises
    ------
    DataError
        When ``groups`` is asked for and train would lose a class.
    """
    if problem.groups is None or validation == "samples":
        return draw_samples(problem, rest, share, rng)
    taken = np.zeros(problem.num_groups, dtype=bool)
    taken[problem.groups[rest]] = True
    if validation == "auto" and taken.sum() < TRAIN_GROUPS_FOR_VALIDATION_GROUPS:
        return draw_samples(problem, rest, share, rng)
    parts = _validation_groups(problem, taken, share, rng)
    if validation == "groups" and not _train_keeps(problem, parts, taken, 1):
        raise DataError(
            "validation on whole groups would take the last group of a class (or the last group) from train",
            where=WHERE,
            remedy="set split.validation=samples",
        )
    if validation == "auto" and problem.is_classes:
        in_val = problem.counts[parts == 1].sum(axis=0) > 0
        if not (_train_keeps(problem, parts, taken, 2) and in_val[problem.counts[taken].sum(axis=0) > 0].all()):
            return draw_samples(problem, rest, share, rng)
    return (parts == 1)[problem.groups]


def _validation_groups(problem: Problem, taken: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return part 0 (train), 1 (validation) or -1 (not taken) of each group; a class is missing in validation before in train."""
    counts = problem.counts[taken]
    present = counts.sum(axis=0) > 0
    cover = np.array([MISSING_CLASS, 1.0]) if problem.is_classes else np.zeros(2)
    parts = np.full(problem.num_groups, -1)
    if taken.sum() < 2:
        return parts
    parts[taken] = partition_groups(counts[:, present], np.array([1 - share, share]), cover=cover, least_groups=np.ones(2), rng=rng)
    return parts


def _train_keeps(problem: Problem, parts: np.ndarray, taken: np.ndarray, least: int) -> bool:
    """Return whether every class of the taken groups has at least ``least`` groups in part 0."""
    if not (parts == 0).any() or not (parts == 1).any():
        return False
    if not problem.is_classes:
        return True
    present = problem.counts[taken].sum(axis=0) > 0
    return bool(((problem.counts[parts == 0] > 0).sum(axis=0)[present] >= least).all())


def draw_samples(problem: Problem, rest: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return a stratified random share of the rest as a mask: at least one sample of each stratum that has two."""
    drawn = np.zeros(problem.num_samples, dtype=bool)
    order = problem.order[rest[problem.order]]
    strata = [order[problem.strata[order] == stratum] for stratum in range(len(problem.names))]
    sizes = np.array([len(rows) for rows in strata])
    for rows, quota in zip(strata, quotas(sizes, share), strict=True):
        drawn[rng.permutation(rows)[:quota]] = True
    return drawn


def quotas(sizes: np.ndarray, share: float) -> np.ndarray:
    """Return how many samples of each stratum are drawn: in proportion, at least one of two or more, never all.

    Fractions are rounded by the largest remainder, so that the total is the nearest whole number to ``share * sizes.sum()`` unless
    the bounds forbid it.
    """
    least = (sizes >= 2).astype(np.int64)
    most = np.maximum(sizes - 1, 0)
    wanted = np.clip(sizes * share, least, most)
    quota = np.floor(wanted).astype(np.int64)
    missing = round(sizes.sum() * share) - int(quota.sum())
    for stratum in np.argsort(-(wanted - quota), kind="stable"):
        if missing <= 0:
            break
        if quota[stratum] < most[stratum] and wanted[stratum] > quota[stratum]:
            quota[stratum] += 1
            missing -= 1
    return quota


def _deal_samples(problem: Problem, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Deal shuffled samples round robin, stratum by stratum, so that folds differ by at most one sample, also per stratum."""
    fold = np.zeros(problem.num_samples, dtype=np.int64)
    strata = [problem.order[problem.strata[problem.order] == stratum] for stratum in range(len(problem.names))]
    dealt = np.concatenate([rng.permutation(rows) for rows in strata])
    fold[dealt] = np.arange(problem.num_samples) % folds
    return fold
