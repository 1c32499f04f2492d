"""Covariates: columns of the sample table as numbers, coded as the train split taught, and never the label in disguise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from genoken.core.errors import ConfigError, DataError
from genoken.data._check_columns import classes_of, require_column

MOST_LEVELS = 50
"""A covariate of text with more values than this says who a sample is, rather than something about it."""
_SAME = 1e-9


@dataclass(frozen=True)
class ColumnCoding:
    """How one column becomes numbers.

    Parameters
    ----------
    name
        Column of the sample table.
    levels
        Values that have a column of zeros and ones each; the most frequent one of train has none. Empty for a number.
    reference
        That most frequent value; ``None`` for a number.
    center, scale
        Mean and standard deviation in train, of a number; a scale of 0: it does not vary there and has no column.
    has_missing
        Whether train lacks some of its values; a last column then says where there is none.
    """

    name: str
    levels: tuple[str, ...] = ()
    reference: str | None = None
    center: float = 0.0
    scale: float = 0.0
    has_missing: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return self.reference is None

    @property
    def names(self) -> list[str]:
        """Names of the columns that it becomes."""
        own = [self.name] if self.scale else [f"{self.name}={level}" for level in self.levels]
        return [*own, f"{self.name} missing"] if self.has_missing else own


@dataclass(frozen=True)
class CovariateCoding:
    """How all covariates become numbers, learned on train.

    Parameters
    ----------
    columns
        In the order in which they were asked for.
    """

    columns: tuple[ColumnCoding, ...]

    @property
    def names(self) -> list[str]:
        """Names of the columns of the matrix."""
        return [name for column in self.columns for name in column.names]

    def to_json(self) -> list[dict[str, Any]]:
        """Return it as plain values."""
        return [asdict(column) | {"levels": list(column.levels)} for column in self.columns]

    @classmethod
    def from_json(cls, content: Sequence[Mapping[str, Any]]) -> CovariateCoding:
        """Return what :meth:`to_json` wrote."""
        # runs of earlier versions wrote an empty text where a number has no most frequent value
        coded = (dict(column) | {"levels": tuple(column["levels"]), "reference": column["reference"] or None} for column in content)
        return cls(tuple(ColumnCoding(**column) for column in coded))


def fit_coding(table: pd.DataFrame, covariates: Sequence[str], where: str) -> CovariateCoding:
    """Learn how columns become numbers from the train split.

    Parameters
    ----------
    table
        Sample table of the train split.
    covariates
        Names of its columns.
    where
        Where the samples came from, for messages.

    Raises
    ------
    DataError
        When a column is missing, has no value at all, or has more than 50 different texts.
    """
    return CovariateCoding(tuple(_fit_column(require_column(table, name, where), where) for name in covariates))


def _fit_column(column: pd.Series, where: str) -> ColumnCoding:
    column = _without_empty_text(column)
    name, has_missing = str(column.name), bool(column.isna().any())
    if column.isna().all():
        raise DataError(f"the covariate '{name}' has no value in the train samples", where=where, remedy="leave it out")
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.astype(np.float64)
        deviation = float(numbers.std(ddof=0))
        scale = deviation if deviation > _SAME * max(abs(float(numbers.mean())), 1.0) else 0.0
        return ColumnCoding(name, center=float(numbers.mean()), scale=scale, has_missing=has_missing)
    counts = classes_of(column).value_counts()
    if len(counts) > MOST_LEVELS:
        raise DataError(
            f"the covariate '{name}' has {len(counts):,} different texts in the train samples, more than {MOST_LEVELS}",
            where=where,
            remedy="make it a number, or merge its values",
        )
    ordered = sorted(counts.index, key=lambda level: (-counts[level], level))
    return ColumnCoding(name, levels=tuple(sorted(ordered[1:])), reference=ordered[0], has_missing=has_missing)


def _without_empty_text(column: pd.Series) -> pd.Series:
    """Return the column with text that is empty, or only spaces, as missing."""
    if pd.api.types.is_numeric_dtype(column):
        return column
    values = column.astype(object)
    return values.mask(values.map(lambda value: isinstance(value, str) and not value.strip()), np.nan)


def encode(table: pd.DataFrame, coding: CovariateCoding, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the covariates of samples as numbers, and sentences on values that train did not have.

    Numbers are standardized, a missing one is the train mean, 0; text has a column of zeros and ones for each value but the most
    frequent one, and zeros where it is missing or train did not have it.

    Parameters
    ----------
    table
        Sample table of any samples.
    coding
        What :func:`fit_coding` returned.
    where
        Where they came from, for messages.

    Returns
    -------
    tuple
        float64 (samples, columns), and sentences without a full stop.

    Raises
    ------
    DataError
        When a column is missing, or holds text where train had numbers.
    """
    parts = [np.zeros((len(table), 0))]
    notes: list[str] = []
    for column in coding.columns:
        if column.name not in table:
            raise DataError(
                f"there is no column '{column.name}', which is a covariate of the model",
                where=where,
                remedy="add it to the sample table, or name a table with --phenotypes; values that are not known may be missing",
            )
        values = _without_empty_text(require_column(table, column.name, where))
        parts.append(_numbers(values, column, where) if column.is_number else _indicators(values, column, notes))
        if column.has_missing:
            parts.append(values.isna().to_numpy(dtype=np.float64)[:, None])
    return np.hstack(parts), tuple(notes)


def _numbers(values: pd.Series, column: ColumnCoding, where: str) -> np.ndarray:
    found = pd.to_numeric(values.astype(object), errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~np.isfinite(found) & values.notna().to_numpy()
    if wrong.any():
        example = values.iloc[int(np.flatnonzero(wrong)[0])]
        raise DataError(
            f"the covariate '{column.name}' is a number, but {int(wrong.sum()):,} samples have none, for example '{example}'",
            where=where,
            remedy="write numbers, or leave the value out",
        )
    if not column.scale:
        return np.zeros((len(found), 0))
    return np.nan_to_num((found - column.center) / column.scale)[:, None]


def _indicators(values: pd.Series, column: ColumnCoding, notes: list[str]) -> np.ndarray:
    names = classes_of(values)
    unknown = names.notna() & ~names.isin([column.reference, *column.levels])
    if unknown.any():
        count, example = int(unknown.sum()), names[unknown].iloc[0]
        said = f"{count:,} {'sample has' if count == 1 else 'samples have'} a value of the covariate '{column.name}'"
        notes.append(f"{said} that the train samples do not have, for example '{example}'; it counts as '{column.reference}'")
    return np.column_stack([np.zeros((len(values), 0)), *((names == level).to_numpy(dtype=float) for level in column.levels)])


def refuse_telling(table: pd.DataFrame, covariates: Sequence[str], label: str, group: str, where: str) -> None:
    """Refuse covariates that are the label or the group, by name or by content.

    A covariate equals a label of classes when each value of one goes with one value of the other; a label of numbers when the
    numbers are a linear function of it, or when each of its few texts has a single number.

    Parameters
    ----------
    table
        Sample table.
    covariates
        Names of columns.
    label, group
        Names of the columns of label and group; the group may be empty, or no column.
    where
        Where the samples came from, for messages.

    Raises
    ------
    ConfigError
        Naming the covariate.
    """
    for place, name in enumerate(covariates):
        if name in covariates[:place]:
            raise ConfigError(f"the covariate '{name}' is named twice", where=where, remedy="name it once")
        if name == group:
            raise ConfigError(
                f"'{name}' is both covariate and group", where=where, remedy="choose another --group, or leave it out"
            )
        if name == label or _tells(require_column(table, name, where), require_column(table, label, where)):
            what = "is the label" if name == label else f"equals the label '{label}'"
            raise ConfigError(f"the covariate '{name}' {what}", where=where, remedy="leave it out of data.covariates")


def _tells(covariate: pd.Series, label: pd.Series) -> bool:
    both = (covariate.notna() & label.notna()).to_numpy()
    if both.sum() < 3:
        return False
    covariate, label = covariate[both], label[both]
    one, other = (pd.factorize(classes_of(column))[0] for column in (covariate, label))
    num_pairs = len(set(zip(one.tolist(), other.tolist(), strict=True)))
    num_values, num_labels = len(set(one.tolist())), len(set(other.tolist()))
    if num_pairs == num_values == num_labels > 1 and 2 * num_labels <= len(one):  # two columns without repeats always match
        return True
    if not pd.api.types.is_numeric_dtype(label):
        return False
    numbers = label.to_numpy(dtype=np.float64)
    if pd.api.types.is_numeric_dtype(covariate):
        values = covariate.to_numpy(dtype=np.float64)
        return bool(np.ptp(values) > 0 and np.ptp(numbers) > 0 and np.corrcoef(values, numbers)[0, 1] ** 2 > 1 - _SAME)
    return num_pairs == num_values > 1 and 2 * num_values <= len(numbers)
