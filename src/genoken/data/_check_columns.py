"""The columns of a sample table: found by name, guessed by their usual names, read as classes or numbers."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from genoken.core.contracts import Task
from genoken.core.errors import DataError, suggestion

GROUP_NAMES = (
    "donorid", "donor", "patientid", "patient", "individualid", "individual", "subjectid", "subject", "participantid",
    "participant", "animalid", "animal", "mouseid", "mouse", "person", "personid", "replicate", "biologicalreplicate", "embryo",
    "embryoid", "family", "familyid", "sampleid", "sample", "origident", "library", "libraryid",
)  # fmt: skip
"""Usual names of columns that say from whom a sample comes, lower case, letters and digits only; the most telling first."""
LABEL_NAMES = (
    "celltype", "celltypes", "bulklabels", "condition", "disease", "diagnosis", "treatment", "status", "response", "phenotype",
    "label", "labels", "class", "perturbation", "stimulation", "genotype", "clusters", "cluster", "annotation", "louvain",
    "leiden", "phase",
)  # fmt: skip
"""Usual names of columns to predict, in the same form."""
MAX_CLASSES_OF_NUMBERS = 20
"""A whole-numbered column with more distinct values than this is a regression target."""
BATCH_WORDS = frozenset(
    {"batch", "batches", "plate", "lane", "run", "chip", "sequencer", "chemistry", "assay", "site", "date", "pool"}
)
"""Words in the names of columns that hold a technical batch."""
NO_LABEL_WORDS = frozenset(
    {
        "",
        "na",
        "n/a",
        "nan",
        "none",
        "null",
        "unknown",
        "unassigned",
        "unlabeled",
        "undetermined",
        "ambiguous",
        "not available",
        "?",
        "-",
    }
)
"""Values, lower case, that say that there is none."""


def _squashed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def require_column(table: pd.DataFrame, name: str, where: str) -> pd.Series:
    """Return a column of the sample table.

    Parameters
    ----------
    table
        Sample table (``obs``).
    name
        Its name.
    where
        File, for the message.

    Returns
    -------
    pandas.Series
        The column.

    Raises
    ------
    DataError
        When there is no such column (the nearest names are offered), or more than one.
    """
    if name not in table.columns:
        remedy = suggestion(name, table.columns, "columns") if len(table.columns) else "the sample table has no column at all"
        raise DataError(f"there is no column '{name}' in the sample table (obs)", where=where, remedy=remedy)
    column = table[name]
    if isinstance(column, pd.DataFrame):
        raise DataError(f"there are {column.shape[1]} columns named '{name}'", where=where, remedy="rename all but one")
    return column


def guess_task(column: pd.Series) -> Task:
    """Say what predicting a column is: regression when it holds real numbers, or more than 20 different whole ones."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return "classification"
    values = column.dropna().to_numpy(dtype=np.float64)
    values = values[np.isfinite(values)]
    whole = bool(np.all(values == np.rint(values)))
    return "classification" if whole and len(np.unique(values)) <= MAX_CLASSES_OF_NUMBERS else "regression"


def classes_of(column: pd.Series) -> pd.Series:
    """Return a column as class names: strings, missing values kept missing, whole numbers without ``.0``."""
    present = column.notna()
    if pd.api.types.is_float_dtype(column) and guess_task(column) == "classification":
        column = column.where(np.isfinite(column)).astype("Int64")
        present = column.notna()
    return column.astype(object).where(present, None).map(str, na_action="ignore")


def _is_categorical(column: pd.Series) -> bool:
    return guess_task(column) == "classification"


def guess_group_column(table: pd.DataFrame) -> str | None:
    """Return the column that most likely says from whom a sample comes, or ``None``.

    It has a usual name (``donor_id``, ``Patient``, ``orig.ident``, … in any case, with any separator), at least 2 values, and fewer
    values than there are samples. Of several, the name that comes first in :data:`GROUP_NAMES` wins.

    Parameters
    ----------
    table
        Sample table (``obs``).

    Returns
    -------
    str or None
        Name of the column.
    """
    found = [(GROUP_NAMES.index(_squashed(name)), place) for place, name in enumerate(table) if _squashed(name) in GROUP_NAMES]
    for _, place in sorted(found):
        if 2 <= table.iloc[:, place].nunique() < len(table):
            return str(table.columns[place])
    return None


def single_group_column(table: pd.DataFrame) -> str | None:
    """Return a column with the usual name of a group that has only one value: all samples come from one donor."""
    usual = [name for name in table if _squashed(name) in GROUP_NAMES and table[name].nunique() == 1]
    return str(min(usual, key=lambda name: GROUP_NAMES.index(_squashed(name)))) if usual else None


def batch_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns whose names say that they hold a technical batch, with at least 2 values and fewer than samples."""
    names = [str(name) for name in table if is_batch_name(str(name))]
    return [name for name in names if 2 <= table[name].nunique() < len(table)]


def is_batch_name(name: str) -> bool:
    """Return whether a column's name has a usual word for a technical batch in it, such as ``batch``, ``plate`` or ``lane``."""
    return any(word in BATCH_WORDS for word in re.split(r"[^a-z]+", name.lower()))


def guess_label_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that could be predicted as classes, the most likely first.

    They have at least 2 and at most 100 classes, at least 3 samples per class on average, and are neither the group column nor
    ``split`` or ``fold``. Usual names (``cell_type``, ``condition``, …) come first, then the others in the table's order.

    Parameters
    ----------
    table
        Sample table (``obs``).

    Returns
    -------
    list of str
        Names of columns.
    """
    group = guess_group_column(table)
    usual: list[tuple[int, str]] = []
    others: list[str] = []
    for place, name in enumerate(table):
        column, key = table.iloc[:, place], _squashed(name)
        if str(name) == group or key in {*GROUP_NAMES, "split", "fold"} or not _is_categorical(column):
            continue
        if not 2 <= column.nunique() <= min(100, len(table) / 3):
            continue
        if key in LABEL_NAMES:
            usual.append((LABEL_NAMES.index(key), str(name)))
        elif not pd.api.types.is_bool_dtype(column) and not is_batch_name(str(name)):
            others.append(str(name))
    return [name for _, name in sorted(usual)] + others


def reads_as_missing(names: pd.Index) -> list[str]:
    """Return the class or group names that say that there is none, such as ``unassigned``."""
    return [str(name) for name in names if str(name).strip().lower() in NO_LABEL_WORDS]
