"""The input doctor: what is in a file, what may go wrong with it, and the command to train on it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from genoken.core.errors import DataError
from genoken.core.samples import Samples
from genoken.data._check_columns import (
    batch_columns,
    classes_of,
    guess_group_column,
    guess_label_columns,
    guess_task,
    require_column,
    single_group_column,
)
from genoken.data._check_finding import Finding, listed
from genoken.data._check_genotypes import genotype_findings, no_family_findings, variant_identifiers
from genoken.data._check_label import (
    confounding_findings,
    group_findings,
    label_findings,
    number_by_group_findings,
    other_column_findings,
    rare_class_findings,
)
from genoken.data._check_values import duplicate_findings, identifier_findings, memory_mb, value_findings
from genoken.data.phenotypes import says_all_are_there

__all__ = ["check_samples", "guess_group_column", "guess_label_columns", "guess_task", "require_column"]

MAX_TABLE_COLUMNS = 60
"""Groups in the table of classes by groups, the largest first."""
_NO_LABEL = "COLUMN"


def check_samples(
    samples: Samples,
    matrices: Sequence[Mapping[str, Any]],
    *,
    label: str,
    group: str,
    file: str,
    source: str = "auto",
    phenotypes: str = "",
    problems: Sequence[DataError] = (),
) -> dict[str, Any]:
    """Examine samples and return the content of ``check.json``.

    Parameters
    ----------
    samples
        What the reader returned.
    matrices
        The file's matrices: name, kind, evidence, density, used.
    label
        Column to predict; empty: no label is examined, and a likely one is suggested.
    group
        Column that must not straddle a split; empty: one with a usual name is taken if there is one.
    file
        Path of the file, for the suggested command; empty for an object in memory.
    source
        The source that was asked for, for the suggested command.
    phenotypes
        The table of phenotypes that was joined, for the suggested command.
    problems
        What the reader would have refused.

    Returns
    -------
    dict
        See ``docs/run-folder.md``: file, samples, features, matrices, identifiers, label, group, confounding, memory_mb,
        suggestion (empty while there is an error), findings.
    """
    table = samples.table.loc[:, ~samples.table.columns.duplicated()]
    findings = [_problem(problem) for problem in problems]
    label_name, label_problem = _existing(samples.table, label, "label", file)
    group_name, group_problem = _existing(samples.table, group, "group", file)
    group_name = group_name or guess_group_column(table.drop(columns=label_name or [])) or ""
    labels = classes_of(table[label_name]) if label_name and guess_task(table[label_name]) == "classification" else None
    groups = classes_of(table[group_name]) if group_name else None

    is_genotypes = samples.value_kind == "dosage"
    identifiers, about_ids = variant_identifiers(samples) if is_genotypes else identifier_findings(samples)
    findings += [
        Finding("ok" if says_all_are_there(note) else "warning", note[:1].upper() + note[1:], samples.origin)
        for note in samples.notes
    ]
    if is_genotypes:
        findings += genotype_findings(samples)
    else:
        findings += value_findings(samples, matrices) + _finite(problems) + _without_repeats(about_ids, problems)
        findings += duplicate_findings(samples, labels, groups)
    findings += group_problem
    findings += label_findings(table[label_name], label_name) if label_name else label_problem or _label_candidates(table)
    findings += group_findings(table[group_name], group_name) if group_name else _no_group(table, is_genotypes=is_genotypes)
    confounding, about_groups = _confounding(table, labels, label_name, group_name)
    findings += about_groups
    settings = {"data.source": source} if source != "auto" else {}
    if samples.value_kind == "real":
        settings["tokenizer.tokens"] = "all"
    memory = memory_mb(samples)
    findings.append(
        Finding("ok", f"About {max(memory, 1):,.0f} MB of memory for the values", "and for the copy that training works on")
    )
    refused = any(finding.level == "error" for finding in findings)
    likely = label_name or _likely_label(table)
    given = {}
    if phenotypes or (is_genotypes and likely == _NO_LABEL):  # files of genotypes seldom hold the trait
        given["phenotypes"] = phenotypes or "FILE"
    if is_genotypes:
        given["preset"] = "genotype"
    return {
        "file": file or "AnnData",
        "samples": samples.num_samples,
        "features": samples.num_features,
        "matrices": [dict(matrix) for matrix in matrices],
        "identifiers": vars(identifiers).copy(),
        "label": _label_summary(table, labels, label_name),
        "group": {"name": group_name, "count": int(groups.nunique())} if groups is not None else None,
        "confounding": confounding,
        "memory_mb": memory,
        "suggestion": "" if refused else _command(table, file, likely, group_name, groups, given, settings),
        "findings": [vars(finding).copy() for finding in findings],
    }


def _problem(problem: DataError) -> Finding:
    return Finding("error", problem.message[:1].upper() + problem.message[1:], problem.where, problem.remedy)


def _existing(table: pd.DataFrame, name: str, option: str, file: str) -> tuple[str, list[Finding]]:
    """Return the column's name when it exists, or nothing and why not."""
    if not name:
        return "", []
    try:
        require_column(table, name, file)
    except DataError as error:
        return "", [Finding("error", f"No {option}: {error.message}", f"--{option} {name}", error.remedy)]
    return name, []


def _finite(problems: Sequence[DataError]) -> list[Finding]:
    if any("missing or infinite" in problem.message for problem in problems):
        return []
    return [Finding("ok", "No missing values", "every value is a finite number")]


def _without_repeats(findings: list[Finding], problems: Sequence[DataError]) -> list[Finding]:
    """Leave out what the reader's own problems say already."""
    said = any("gene name" in problem.message for problem in problems)
    return [finding for finding in findings if not (said and finding.title == "Repeated feature names")]


def _label_candidates(table: pd.DataFrame) -> list[Finding]:
    names = guess_label_columns(table)
    if not names:
        detail = f"columns: {listed([str(name) for name in table])}" if len(table.columns) else "the sample table has no column"
        return [Finding("warning", "No column looks like a label", detail, "add one to adata.obs, then name it with --label")]
    return [Finding("ok", "No label was named", f"columns that could be predicted: {listed(names)}", "name one with --label")]


def _no_group(table: pd.DataFrame, *, is_genotypes: bool) -> list[Finding]:
    if is_genotypes:
        return no_family_findings()
    single = single_group_column(table)
    if single:
        return group_findings(table[single], single)
    batches = batch_columns(table)
    remedy = (
        f"for example --group {shlex.quote(batches[0])}"
        if batches
        else "if samples share a donor, add that column and name it with --group"
    )
    return [
        Finding(
            "warning", "No donor column was found", "a random split is too easy when samples of one donor are on both sides", remedy
        )
    ]


def _confounding(
    table: pd.DataFrame, labels: pd.Series | None, label: str, group: str
) -> tuple[dict[str, Any] | None, list[Finding]]:
    """Hold the label against the groups, or else against the first batch column, and against all other columns."""
    if labels is None:
        return None, number_by_group_findings(table[label], classes_of(table[group]), label, group) if label and group else []
    if label == group:
        return None, [Finding("error", "Label and group are the same column", label, "choose another --group")]
    against = group or next((name for name in batch_columns(table) if name != label), "")
    findings = other_column_findings(table, labels, label, against) if labels.nunique() > 1 else []
    if not against or min(labels.nunique(), table[against].nunique()) < 2:
        return None, findings
    counts, about_groups = confounding_findings(labels, classes_of(table[against]), label, against)
    findings = (rare_class_findings(counts, group) if group else []) + about_groups + findings
    if not counts.size:
        return None, findings
    largest = counts.sum(axis=0).sort_values(ascending=False, kind="stable").index[:MAX_TABLE_COLUMNS]
    shown = counts[[name for name in counts.columns if name in set(largest)]]
    return {"rows": list(shown.index), "columns": list(shown.columns), "counts": shown.to_numpy().tolist()}, findings


def _label_summary(table: pd.DataFrame, labels: pd.Series | None, name: str) -> dict[str, Any] | None:
    if not name:
        return None
    counts = labels.value_counts() if labels is not None else pd.Series(dtype=int)
    return {"name": name, "counts": {str(cls): int(count) for cls, count in counts.items()}}


def _likely_label(table: pd.DataFrame) -> str:
    return next(iter(guess_label_columns(table)), _NO_LABEL)


def _command(
    table: pd.DataFrame,
    file: str,
    label: str,
    group: str,
    groups: pd.Series | None,
    given: Mapping[str, str],
    settings: Mapping[str, str],
) -> str:
    """Return the ``genoken train`` command for this file, with options that have a flag and settings that have none."""
    if not file:
        named = {"label": label, "group": group, "preset": given.get("preset", "")}
        arguments = "".join(f", {name}={value!r}" for name, value in named.items() if value)
        return f"genoken.train(adata{arguments})"
    words = ["genoken", "train", file, "--label", label]
    if group and group != label and group in table and groups is not None:
        words += ["--group", group] if groups.nunique() >= 3 else ["--split", "random"]
    for name, value in given.items():
        words += [f"--{name}", value]
    for path, value in settings.items():
        words += ["--set", f"{path}={value}"]
    words += ["-o", f"runs/{Path(file).name.split('.')[0] or 'run'}"]
    return shlex.join(words)
