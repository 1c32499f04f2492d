"""What could make the test scores too good: an audit of the split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genoken.data._check_association import cramers_v
from genoken.data._check_columns import guess_group_column
from genoken.evaluation.bootstrap import LEAST_GROUPS

if TYPE_CHECKING:
    import pandas as pd

Finding = dict[str, str]

CONFOUNDED_FROM = 0.5
"""Cramér's V between label and group in train from which they are called confounded."""
_MOST_NAMES = 5


def audit_split(
    split_table: pd.DataFrame,
    *,
    label: str,
    group: str | None,
    table: pd.DataFrame | None = None,
    row_hashes: np.ndarray | None = None,
    untold_copies: str = "",
) -> list[Finding]:
    """Examine a split for leaks and for what limits its conclusions.

    Looks for: groups on both sides; a column that looks like a group and was not used; identical samples on both sides; classes
    missing in train or never tested; a label that the group decides, or nearly; too few test groups for an interval.

    Parameters
    ----------
    split_table
        Content of ``split.parquet``: ``label``, ``group`` (where there are groups) and ``fold_0`` … with ``train``, ``val``,
        ``test`` or ``unused``.
    label, group
        Names of the columns, for messages; ``None`` when there is no group.
    table
        Sample table in the same order as ``split_table``, to look for a group that was not named.
    row_hashes
        A hash of each sample's values in the same order; equal hashes mean identical samples.
    untold_copies
        Why it cannot be told whether samples that are alike are copies, as a sentence; empty where it can.

    Returns
    -------
    list of dict
        ``{"level": "ok" | "warning" | "error", "title", "detail"}``.
    """
    folds = split_table[[name for name in split_table if str(name).startswith("fold_")]].to_numpy().T
    labels = split_table["label"].to_numpy()
    is_classes = not np.issubdtype(labels.dtype, np.floating)
    findings: list[Finding] = []
    if group is not None:
        groups = split_table["group"].astype(str).to_numpy()
        findings += _groups_on_both_sides(folds, groups, group)
        if 2 * len(np.unique(groups)) <= len(groups):  # where most groups are one sample, they decide anything
            findings += _label_and_group(folds, labels, groups, label, group, is_classes=is_classes)
        findings += _few_test_groups(folds, groups, group)
    else:
        findings += _unnamed_group(folds, table)
    if row_hashes is not None:
        findings += _identical_samples(folds, np.asarray(row_hashes), untold_copies)
    if is_classes:
        findings += _missing_classes(folds, labels.astype(str))
    return findings


def _finding(level: str, title: str, detail: str) -> Finding:
    return {"level": level, "title": title, "detail": detail}


def _shared(fold: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return which values occur in the test part and in train or validation of a fold."""
    return np.intersect1d(values[fold == "test"], values[np.isin(fold, ("train", "val"))])


def _names(values: np.ndarray) -> str:
    shown = ", ".join(str(value) for value in values[:_MOST_NAMES])
    return f"{shown} and {len(values) - _MOST_NAMES:,} more" if len(values) > _MOST_NAMES else shown


def _groups_on_both_sides(folds: np.ndarray, groups: np.ndarray, group: str) -> list[Finding]:
    straddling = np.unique(np.concatenate([_shared(fold, groups) for fold in folds]))
    total = len(np.unique(groups))
    if len(straddling):
        detail = (
            f"{len(straddling):,} of {total:,} values of '{group}' are in train and in test ({_names(straddling)}): the scores "
            "say how well known groups are recognized, not how the model does on new ones."
        )
        return [_finding("error", "The split is leaky", detail)]
    return [
        _finding("ok", "No group is in both train and test", f"All {total:,} values of '{group}' stay on one side of each fold.")
    ]


def _unnamed_group(folds: np.ndarray, table: pd.DataFrame | None) -> list[Finding]:
    column = None if table is None else guess_group_column(table)
    if table is None or column is None:
        detail = (
            "Samples are taken as independent. If some are relatives, or share a donor, animal, family or plate, the scores are "
            "too optimistic."
        )
        return [_finding("warning", "No group column was used", detail)]
    groups = table[column].astype(str).to_numpy()
    straddling = np.unique(np.concatenate([_shared(fold, groups) for fold in folds]))
    if not len(straddling):
        return [
            _finding(
                "ok", "No likely group straddles the split", f"'{column}' was not named as the group, but is on one side only."
            )
        ]
    detail = (
        f"'{column}' looks like a group, and {len(straddling):,} of its {len(np.unique(groups)):,} values are in train and in test "
        f"({_names(straddling)}). Name it as the group to test on values that were not seen."
    )
    return [_finding("error", "The split ignores a likely group", detail)]


def _identical_samples(folds: np.ndarray, hashes: np.ndarray, untold: str) -> list[Finding]:
    twins = np.zeros(len(hashes), dtype=bool)
    for fold in folds:
        twins |= (fold == "test") & np.isin(hashes, _shared(fold, hashes))
    if untold:
        counted = (
            f"{int(twins.sum()):,} test samples have exactly the values of a train or validation sample. " if twins.any() else ""
        )
        return [_finding("warning", "It cannot be told whether test samples are repeated in train", counted + untold)]
    if not twins.any():
        return [_finding("ok", "No test sample is repeated in train", f"The values of all {len(hashes):,} samples were compared.")]
    detail = f"{int(twins.sum()):,} test samples have exactly the values of a train or validation sample."
    return [_finding("warning", "Identical samples are in train and in test", detail)]


def _missing_classes(folds: np.ndarray, labels: np.ndarray) -> list[Finding]:
    findings = []
    every = np.unique(labels)
    unlearned = [np.setdiff1d(np.unique(labels[fold == "test"]), np.unique(labels[fold == "train"])) for fold in folds]
    missing = np.unique(np.concatenate(unlearned))
    if len(missing):
        detail = f"{_names(missing)}: in the test part of a fold whose train part has no such sample, so it cannot be predicted."
        findings.append(_finding("error", "A class is missing in train", detail))
    untested = np.setdiff1d(every, np.unique(labels[(folds == "test").any(axis=0)]))
    if len(untested):
        findings.append(_finding("warning", "A class is never tested", f"{_names(untested)}: the scores say nothing about it."))
    if not findings:
        findings.append(
            _finding("ok", "Every tested class is in train", f"All {len(every):,} classes are learned from and tested.")
        )
    return findings


def _label_and_group(
    folds: np.ndarray, labels: np.ndarray, groups: np.ndarray, label: str, group: str, *, is_classes: bool
) -> list[Finding]:
    import pandas as pd

    values = labels.astype(str) if is_classes else labels
    per_group = pd.Series(values).groupby(groups).nunique()
    if (per_group == 1).all():
        detail = (
            f"Every value of '{group}' has one value of '{label}', so there are {len(per_group):,} independent units, "
            f"not {len(labels):,}; whatever else differs between them can pass for the label."
        )
        return [_finding("warning", "The group decides the label", detail)]
    if not is_classes:
        return []
    association = max(cramers_v(pd.crosstab(values[fold == "train"], groups[fold == "train"])) for fold in folds)
    detail = f"Cramér's V between '{label}' and '{group}' in train is {association:.2f} (0: independent, 1: one decides the other)."
    if association >= CONFOUNDED_FROM:
        detail += " A model can score by recognizing the group."
        return [_finding("warning", "Label and group are confounded", detail)]
    return [_finding("ok", "Label and group are not confounded", detail)]


def _few_test_groups(folds: np.ndarray, groups: np.ndarray, group: str) -> list[Finding]:
    tested = len(np.unique(groups[(folds == "test").any(axis=0)]))
    if tested >= LEAST_GROUPS:
        return []
    detail = f"{tested} values of '{group}' were tested; no interval is given from fewer than {LEAST_GROUPS}."
    return [_finding("warning", "Few groups were tested", detail)]
