"""What the input doctor says about the label, the groups and how they go together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.data._check_association import contingency, cramers_v, purity
from genoken.data._check_columns import classes_of, guess_task, is_batch_name, reads_as_missing
from genoken.data._check_finding import Finding, Level, counted, listed

MIN_PER_CLASS = 3
"""Samples, and groups, that a class needs to be in train, validation and test."""
FEW_GROUPS_FOR_INTERVAL = 5
FEW_GROUPS_FOR_SPLIT = 20
STRONG_ASSOCIATION = 0.9
"""Cramér's V from which two columns say nearly the same."""
NOTABLE_ASSOCIATION = 0.5
_CLUSTER_WORDS = ("cluster", "louvain", "leiden", "seurat")
_MEASURED_LABEL = "say so beside the scores; a label measured otherwise is the better test"
_MAX_LEVELS = 100


def label_findings(column: pd.Series, name: str) -> list[Finding]:
    """Return the balance of a label: its classes, missing ones, rare ones; or the range of a number."""
    missing = int(column.isna().sum())
    findings = []
    if missing:
        detail = f"{missing:,} of {counted(len(column), 'sample')} have no '{name}'"
        findings.append(Finding("warning", "Missing labels", detail, "these samples are left out, or refused by --strict"))
    if guess_task(column) == "regression":
        return _number_findings(column, name) + findings
    counts = classes_of(column).value_counts()
    if len(counts) < 2:
        held = f"every sample is '{counts.index[0]}'" if len(counts) else "every label is missing"
        return [Finding("error", f"'{name}' has {counted(len(counts), 'class')}", held, "choose another --label"), *findings]
    if len(counts) > len(column) / MIN_PER_CLASS:
        detail = f"{counted(len(counts), 'class')} for {counted(len(column), 'sample')}: it names samples rather than classes"
        return [Finding("error", f"'{name}' cannot be learned", detail, "choose another --label"), *findings]
    return [_balance(counts, name), *findings, *_odd_classes(counts, name), *_clustered(name)]


def _balance(counts: pd.Series, name: str) -> Finding:
    share = counts.iloc[0] / counts.sum()
    shown = listed([f"{cls} {count:,}" for cls, count in counts.items()], 12)
    if share > 0.9:
        remedy = "judge by macro-F1 and the per-class scores, not by accuracy"
        return Finding("warning", f"'{name}' is unbalanced", f"{share:.0%} are '{counts.index[0]}'; {shown}", remedy)
    return Finding("ok", f"'{name}': {counted(len(counts), 'class')}", shown)


def _odd_classes(counts: pd.Series, name: str) -> list[Finding]:
    findings = []
    rare = counts[counts < MIN_PER_CLASS]
    if len(rare):
        detail = f"fewer than {MIN_PER_CLASS} samples in {listed([f'{cls} ({count})' for cls, count in rare.items()])}"
        remedy = "merge them with another class, or set their label to missing"
        findings.append(Finding("error", "Classes too small to split", detail, remedy))
    empty = reads_as_missing(counts.index)
    if empty:
        shown = listed([f"'{cls}' ({counts[cls]:,} samples)" for cls in empty])
        remedy = f"if so, set it to missing: adata.obs.loc[adata.obs['{name}'] == {empty[0]!r}, '{name}'] = None"
        findings.append(Finding("warning", "A class that reads like no label", shown, remedy))
    return findings


def _clustered(name: str) -> list[Finding]:
    if not any(word in name.lower() for word in _CLUSTER_WORDS):
        return []
    detail = "its name says that it comes from a clustering; if that was of these very values, any model finds it again"
    return [Finding("warning", f"'{name}' looks like a clustering", detail, _MEASURED_LABEL)]


def _number_findings(column: pd.Series, name: str) -> list[Finding]:
    values = column.dropna().to_numpy(dtype=np.float64)
    finite = values[np.isfinite(values)]
    detail = f"from {finite.min():.4g} to {finite.max():.4g}, mean {finite.mean():.4g}, standard deviation {finite.std():.4g}"
    findings = [Finding("ok", f"'{name}' is a number: regression", detail)]
    if len(finite) < len(values):
        infinite = counted(len(values) - len(finite), "infinite label")
        findings.append(Finding("error", "Infinite labels", infinite, "set them to missing, or leave out these samples"))
    return findings


def group_findings(column: pd.Series, name: str) -> list[Finding]:
    """Return how many groups there are, whether they are enough to split by, and which samples have none."""
    groups = classes_of(column)
    counts = groups.value_counts()
    findings = [_enough_groups(counts, name)]
    missing = int(groups.isna().sum())
    if missing:
        detail = f"{missing:,} of {counted(len(groups), 'sample')} have no '{name}'"
        findings.append(Finding("warning", "Samples without a group", detail, "name their group, or leave them out"))
    empty = reads_as_missing(counts.index)
    if empty:
        detail = (
            f"{listed([f'{group!r} ({counts[group]:,} samples)' for group in empty])} would be held out as if it were one donor"
        )
        findings.append(
            Finding("warning", "A group that reads like no group", detail, "leave these samples out, or name their group")
        )
    if len(counts) > 1 and counts.iloc[0] > counts.sum() / 2:
        detail = f"'{counts.index[0]}' has {counts.iloc[0] / counts.sum():.0%} of the samples"
        findings.append(Finding("warning", "One group dominates", detail, "the scores depend on which fold it falls into"))
    return findings


def _enough_groups(counts: pd.Series, name: str) -> Finding:
    number = len(counts)
    if number < 2:
        detail = "a score says nothing about other groups"
        return Finding("warning", f"'{name}' has one value only", detail, "test on a file with other donors: genoken evaluate")
    sizes = f"{counts.min():,} to {counts.max():,} samples each"
    title = f"'{name}': {counted(number, 'group')}"
    if counts.max() == 1:
        return Finding("warning", title, "every sample is its own group, so grouping changes nothing", "choose another --group")
    if number < MIN_PER_CLASS:
        remedy = "ask for --split random and read the scores as those of known groups"
        return Finding("error", title, f"{sizes}; train, validation and test need one each", remedy)
    if number < FEW_GROUPS_FOR_INTERVAL:
        return Finding("warning", title, f"{sizes}; too few for an interval of the score", "add groups if you can")
    how = "pooled over cross-validation folds" if number < FEW_GROUPS_FOR_SPLIT else "held out once"
    return Finding("ok", title, f"{sizes}; {how}")


def number_by_group_findings(column: pd.Series, groups: pd.Series, label: str, group: str) -> list[Finding]:
    """Return whether a numeric label is the same for all samples of a group, as an age is for those of a donor."""
    values = column.groupby(groups.to_numpy()).nunique()
    if len(values) < 2 or int(values.max()) > 1:
        return []
    detail = f"every value of '{group}' has a single '{label}', so there are {len(values):,} independent observations"
    return [
        Finding(
            "warning", f"'{label}' cannot be told from '{group}'", detail, "hold out whole groups, and do not read a random split"
        )
    ]


def confounding_findings(labels: pd.Series, groups: pd.Series, label: str, group: str) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the table of classes by groups, with what it means for learning the one apart from the other."""
    table = contingency(labels, groups)
    findings = []
    per_class = (table > 0).sum(axis=1)
    strength = cramers_v(table)
    if table.shape[1] > 1 and bool(((table > 0).sum(axis=0) == 1).all()):
        sizes = listed([f"{cls} {count}" for cls, count in per_class.items()])
        detail = f"every value of '{group}' has a single '{label}' (Cramér's V {strength:.2f}), so there are {table.shape[1]} "
        detail += f"independent observations, not {table.to_numpy().sum():,}: {sizes}"
        remedy = "hold out whole groups, and do not read a random split"
        findings.append(Finding("warning", f"'{label}' cannot be told from '{group}'", detail, remedy))
    elif strength >= NOTABLE_ASSOCIATION:
        detail = f"Cramér's V {strength:.2f} (0: independent, 1: the same); see the table"
        findings.append(Finding("warning", f"'{label}' goes with '{group}'", detail, "hold out whole groups"))
    elif table.shape[1] > 1:
        findings.append(
            Finding("ok", f"'{label}' is spread over '{group}'", f"Cramér's V {strength:.2f} (0: independent, 1: the same)")
        )
    return table, findings


def rare_class_findings(table: pd.DataFrame, group: str) -> list[Finding]:
    """Return the classes that occur in too few groups to be in train, validation and test, from a table of classes by groups."""
    per_class = (table > 0).sum(axis=1)
    few = per_class[per_class < MIN_PER_CLASS]
    if not len(few) or table.shape[1] < MIN_PER_CLASS:
        return []
    detail = f"in fewer than {MIN_PER_CLASS} values of '{group}': {listed([f'{cls} ({count})' for cls, count in few.items()])}"
    return [
        Finding(
            "error", "Classes in too few groups to split", detail, "merge them with another class, or set their label to missing"
        )
    ]


def other_column_findings(table: pd.DataFrame, labels: pd.Series, label: str, group: str) -> list[Finding]:
    """Return the other columns that nearly decide the label: batches, clusterings, or the label under another name."""
    findings = _predicted_labels(table, label)
    for place, name in enumerate(table):
        column = table.iloc[:, place]
        if str(name) in (label, group) or guess_task(column) != "classification" or not 2 <= column.nunique() <= _MAX_LEVELS:
            continue
        values = classes_of(column)
        both = labels.notna().to_numpy() & values.notna().to_numpy()
        if values.nunique() > both.sum() / MIN_PER_CLASS:
            continue
        counts = contingency(labels[both], values[both])
        strength = cramers_v(counts)
        decides = strength > STRONG_ASSOCIATION and purity(counts) > STRONG_ASSOCIATION
        if decides or (strength >= NOTABLE_ASSOCIATION and is_batch_name(str(name))):
            findings.append(_meaning(str(name), label, strength))
    return findings


def _meaning(name: str, label: str, strength: float) -> Finding:
    lower = name.lower()
    level: Level = "warning"
    if any(word in lower for word in _CLUSTER_WORDS):
        detail = (
            f"Cramér's V {strength:.2f}: the label may come from a clustering of these very values, which any model finds again"
        )
        return Finding(level, f"'{name}' decides '{label}'", detail, _MEASURED_LABEL)
    if is_batch_name(name):
        detail = f"Cramér's V {strength:.2f}: a model may learn the batch in place of the label"
        return Finding(level, f"'{label}' goes with '{name}'", detail, f"use --group '{name}', or samples where both vary")
    detail = f"Cramér's V {strength:.2f}: the label under another name, or what it follows from; obs is never given to the model"
    return Finding("ok", f"'{name}' decides '{label}'", detail)


def _predicted_labels(table: pd.DataFrame, label: str) -> list[Finding]:
    """Find a true-or-false column that marks labels as predicted, such as ``cell_type_is_predicted``."""
    for name in table:
        lower = str(name).lower()
        marks = table[name]
        if not (lower.startswith(label.lower()) and "predicted" in lower and pd.api.types.is_bool_dtype(marks)):
            continue
        count = int(marks.sum())
        if count:
            detail = f"'{name}' marks {count:,} of {counted(len(table), 'label')} as the output of another model"
            return [Finding("warning", "Predicted labels", detail, "train and score on the measured labels only")]
    return []
