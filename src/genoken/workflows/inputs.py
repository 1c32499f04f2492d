"""From what was read to a study: samples with a target, groups, and everything that was left out, counted."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from genoken.core.calls import Calls
from genoken.core.config import DataSettings
from genoken.core.contracts import TargetState, Task
from genoken.core.errors import ConfigError, DataError, suggestion
from genoken.core.random import generator
from genoken.core.samples import Samples
from genoken.data._check_columns import classes_of
from genoken.data.check import check_samples, guess_task, require_column
from genoken.data.monomorphic import without_monomorphic
from genoken.workflows.grouping import find_groups
from genoken.workflows.source import SPLIT_COLUMN, Source

UNAFFECTED = frozenset({"control", "controls", "ctrl", "unaffected", "healthy", "normal", "none", "no", "false", "negative"})
"""Names, in lower case, of the class that others are set against: of two classes it is never the positive one unless asked for."""


@dataclass(frozen=True)
class Study:
    """Samples with a target.

    Parameters
    ----------
    samples
        Those that are used.
    task
        ``classification`` or ``regression``.
    label
        Name of the target's column.
    labels
        Class codes, int64, or real targets, float64, of shape (samples,).
    classes
        Class names in code order; of two, the second is the positive one, see :data:`UNAFFECTED`. Empty for regression.
    positive
        The class that stands against all others, if one was asked for.
    group
        Name of the group column, or empty.
    groups
        Group of each sample, or ``None``.
    notes
        Sentences for the user: what was left out, what was guessed.
    """

    samples: Samples
    task: Task
    label: str
    labels: np.ndarray
    classes: tuple[str, ...]
    positive: str
    group: str
    groups: np.ndarray | None
    notes: tuple[str, ...]

    def take(self, rows: np.ndarray) -> Study:
        """Return the study of these rows."""
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, samples=self.samples.take(rows), labels=self.labels[rows], groups=groups)

    def named_labels(self) -> np.ndarray:
        """Return class names, or the targets themselves."""
        return np.asarray(self.classes, dtype=object)[self.labels] if self.classes else self.labels


def build_study(
    samples: Samples,
    settings: DataSettings,
    *,
    seed: int,
    guess_group: bool,
    target: TargetState | None = None,
    keep_features: bool = False,
) -> Study:
    """Take target and groups from the sample table; leave out, and count, samples that have no target or no values.

    Parameters
    ----------
    samples
        What was read.
    settings
        Column names, task, positive class, limits.
    seed
        Seed of the draw that ``limit_samples`` makes.
    guess_group
        Whether groups are looked for when none are named, see :func:`genoken.workflows.grouping.find_groups`.
    target
        What a run learned about its label, when its samples are to be scored: labels are then coded as its classes, those that it
        does not know are left out, and counted, like missing ones, and a label need not vary.
    keep_features
        Keep variants that do not vary, where a vocabulary is given: left out, they would count as missing.

    Raises
    ------
    DataError
        With the column, what is wrong and how to mend it.
    """
    if not settings.label:
        raise ConfigError(
            "no label column is named", where=samples.origin, remedy="add --label COLUMN; genoken check lists the candidates"
        )
    column = require_column(samples.table, settings.label, samples.origin)
    task: Task = guess_task(column) if settings.task == "auto" else settings.task
    if task == "regression" and settings.positive:
        raise ConfigError(
            f"'{settings.label}' is a number to be regressed on, and has no class '{settings.positive}'",
            where=samples.origin,
            remedy="leave out --positive, choose another --label, or use --set data.task=classification",
        )
    if task == "classification":
        column = classes_of(column)  # whole numbers that a missing value made real are the same classes in every file
    if target is not None and target.classes:
        column = _as_known(column, target.classes, settings.positive)
    samples, column, notes = _usable(samples, column, settings, () if target is None else target.classes)
    if target is None and samples.value_kind == "dosage" and not keep_features:
        samples, left_out = without_monomorphic(samples)
        notes += left_out
    classes: tuple[str, ...] = ()
    positive = ""
    if task == "regression":
        labels = _numbers(column, samples.origin, may_be_constant=target is not None)
    elif target is not None:
        labels, classes, positive = _codes_in(column, target.classes), target.classes, settings.positive
    else:
        labels, classes, positive = _class_codes(column, settings.positive, samples.origin)
    if settings.group == settings.label:
        raise ConfigError(f"'{settings.label}' is both label and group", where=samples.origin, remedy="choose another --group")
    group, groups, about_groups = find_groups(samples, settings, guess=guess_group)
    notes += about_groups
    study = Study(samples, task, settings.label, labels, classes, positive, group, groups, tuple(notes))
    if settings.limit_samples and settings.limit_samples < samples.num_samples:
        rows = _limited(labels, classes, settings.limit_samples, seed)
        why = "as asked" if len(rows) == settings.limit_samples else "to have three of each class"
        note = f"{len(rows):,} of {samples.num_samples:,} samples are used, {why} (data.limit_samples)"
        study = replace(study.take(rows), notes=(*notes, note))
    return study


def _as_known(column: pd.Series, classes: tuple[str, ...], positive: str) -> pd.Series:
    """Return class names with all that are not ``positive`` under the one name that a run of one class against the rest has."""
    rest = _rest(positive)
    return column.where(column.isna() | (column == positive), rest) if positive and rest in classes else column


def _rest(positive: str) -> str:
    return f"not {positive}"


def _usable(
    samples: Samples, column: pd.Series, settings: DataSettings, known: tuple[str, ...]
) -> tuple[Samples, pd.Series, list[str]]:
    """Leave out samples without a label, without values, or, where classes are known, with another label."""
    missing = column.isna().to_numpy()
    empty, emptiness = _empty(samples)
    foreign = ~missing & ~column.isin(known).to_numpy() if known else np.zeros_like(missing)
    notes = list(samples.notes)
    for flags, words in (
        (missing, f"no value in '{settings.label}'"),
        (foreign, _foreign_words(column[foreign], known)),
        (empty & ~missing & ~foreign, emptiness),
    ):
        notes += _left_out(flags, words, samples.origin, strict=settings.strict)
    keep = np.flatnonzero(~(missing | foreign | empty))
    if len(keep) == 0:
        raise DataError("no sample is left", where=samples.origin, remedy="; ".join(notes))
    return samples.take(keep), column.iloc[keep], notes


def _left_out(flags: np.ndarray, words: str, where: str, *, strict: bool) -> list[str]:
    """Return a note on how many samples are left out, if any; with ``strict`` they are refused."""
    count = int(flags.sum())
    said = f"{count:,} {'sample has' if count == 1 else 'samples have'} {words}"
    if count and strict:
        raise DataError(said, where=where, remedy="remove them, or run without --strict")
    return [f"{said} and {'is' if count == 1 else 'are'} left out"] if count else []


def _empty(samples: Samples) -> tuple[np.ndarray, str]:
    """Return which samples have nothing to learn from, bool (samples,), and in words what they lack."""
    if samples.value_kind != "dosage":
        return np.diff(samples.values.indptr) == 0, "no values above zero"
    return Calls.of(samples.values).missing_of_samples() == samples.num_features, "no genotype at all"


def without_empty(samples: Samples, *, strict: bool) -> Samples:
    """Leave out samples in which nothing is expressed or no genotype is called, with a note.

    Those of panels of real numbers have no such zeros.

    Raises
    ------
    DataError
        When there are some and ``strict``, or no other is left.
    """
    empty, emptiness = _empty(samples)
    if samples.value_kind == "real" or not empty.any():
        return samples
    notes = _left_out(empty, emptiness, samples.origin, strict=strict)
    if empty.all():
        raise DataError("no sample is left", where=samples.origin, remedy=notes[0])
    return replace(samples.take(~empty), notes=(*samples.notes, *notes))


def _foreign_words(column: pd.Series, known: tuple[str, ...]) -> str:
    if column.empty:
        return ""
    name = min(column)
    return f"a label that the run does not know, for example '{name}' ({suggestion(name, known, 'its classes')})"


def _codes_in(column: pd.Series, classes: tuple[str, ...]) -> np.ndarray:
    return pd.Categorical(column, categories=list(classes)).codes.astype(np.int64)


def _class_codes(column: pd.Series, positive: str, where: str) -> tuple[np.ndarray, tuple[str, ...], str]:
    names = column.to_numpy()
    found = tuple(sorted(set(names)))
    if len(found) < 2:
        raise DataError(f"'{column.name}' has a single class, '{found[0]}'", where=where, remedy="choose another --label")
    if positive:
        if positive not in found:
            raise DataError(
                f"'{positive}' is not a class of '{column.name}'", where=where, remedy=suggestion(positive, found, "classes")
            )
        others = [name for name in found if name != positive]
        classes: tuple[str, ...] = (others[0] if len(others) == 1 else _rest(positive), positive)
        return (names == positive).astype(np.int64), classes, positive
    if len(found) == 2 and found[1].lower() in UNAFFECTED and found[0].lower() not in UNAFFECTED:
        found = found[::-1]
    return _codes_in(column, found), found, ""


def _numbers(column: pd.Series, where: str, *, may_be_constant: bool = False) -> np.ndarray:
    numbers = pd.to_numeric(column.astype(object), errors="coerce").to_numpy(dtype=np.float64)
    bad = ~np.isfinite(numbers)
    if bad.any():
        raise DataError(
            f"'{column.name}' is to be regressed on, but {int(bad.sum())} of its values are not finite numbers, "
            f"for example '{column.iloc[int(np.flatnonzero(bad)[0])]}'",
            where=where,
            remedy="mend the column, or use --set data.task=classification",
        )
    if numbers.std() == 0 and not may_be_constant:
        raise DataError(f"'{column.name}' has the same value everywhere", where=where, remedy="choose another --label")
    return numbers


def _limited(labels: np.ndarray, classes: tuple[str, ...], count: int, seed: int) -> np.ndarray:
    """Draw ``count`` rows, each class in proportion; more only where three of each class are, so that it can still be split."""
    rng = generator(seed, "limit_samples")
    if not classes:
        return np.sort(rng.choice(len(labels), size=count, replace=False))
    codes, sizes = np.unique(labels, return_counts=True)
    drawn = zip(codes, _class_shares(sizes, count), strict=True)
    rows = [rng.choice(np.flatnonzero(labels == code), size=share, replace=False) for code, share in drawn]
    return np.sort(np.concatenate(rows))


def _class_shares(sizes: np.ndarray, count: int) -> np.ndarray:
    """Return how many of ``count`` samples each class of these sizes gets: at least three, and the largest remainders decide."""
    exact = count * sizes / sizes.sum()
    least = np.minimum(sizes, 3)
    shares = np.maximum(np.floor(exact).astype(np.int64), least)
    while shares.sum() < count:
        shares[np.argmax(exact - shares)] += 1
    while shares.sum() > count and (shares > least).any():
        shares[np.argmax(np.where(shares > least, shares - exact, -np.inf))] -= 1
    return shares


def has_split_column(table: pd.DataFrame) -> bool:
    """Return whether the table has a column ``split`` made of the words for train, validation, test and unused."""
    if SPLIT_COLUMN not in table:
        return False
    words = {str(word).lower() for word in table[SPLIT_COLUMN].dropna().unique()}
    return "train" in words and "test" in words and words <= {"train", "val", "valid", "validation", "test", "unused"}


def examine(source: Source, settings: DataSettings, *, group: str) -> dict[str, Any]:
    """Return the input doctor's findings on what was read, as in ``check.json``."""
    paths = [entry["path"] for entry in source.files if entry["path"]]
    found = check_samples(
        source.samples,
        list(source.matrices),
        label=settings.label,
        group=group if group in source.samples.table else "",
        file=paths[0] if paths else "",
        source=settings.source,
        phenotypes=settings.phenotypes_file,
    )
    for finding in found["findings"]:
        if finding["title"] == f"'{group}': 2 groups":  # three parts cannot be made of two groups, but each can be left out
            finding["level"] = "warning"
    if len(paths) < 2 or SPLIT_COLUMN in source.samples.table:
        return found
    command = found["suggestion"].replace(shlex.quote(paths[0]), shlex.join(paths), 1)
    return found | {"file": ", ".join(paths), "suggestion": command}
