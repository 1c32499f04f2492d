"""Sections on the data: what the input doctor found, how the samples were split, and whether anything leaks."""

from __future__ import annotations

from typing import Any

import pandas as pd

from genoken.reporting import plots_data, plots_scores, tables
from genoken.reporting.blocks import Block, Finding, Heading, Missing, Paragraph, Section
from genoken.reporting.load import RunFolder, section
from genoken.reporting.wording import contrast_sentence, count, is_number, number, plain, shorten, split_words


def doctor(run: RunFolder) -> Section | Missing:
    """Return the input doctor's findings, the matrices, identifiers and labels of the file."""
    check = run.check
    if check is None:
        return Missing(
            "Data doctor", "check.json is not in the run folder; run genoken check on the data file to see its findings."
        )
    blocks: list[Block] = list(findings(check.get("findings")))
    if check.get("matrices"):
        blocks += [Heading("What the file holds"), tables.matrices(check["matrices"])]
    if run.joined is not None:
        blocks += [Heading("What became of the variants of each file"), tables.joined(run.joined)]
    if run.quality is not None:
        blocks += [Heading("Quality of the variants in the train split"), tables.quality(run.quality)]
    blocks += [Paragraph(line) for line in (_identifier_line(section(check, "identifiers")), _memory_line(check)) if line]
    counts = section(section(check, "label"), "counts")
    if counts:
        order = dict(sorted(counts.items(), key=lambda item: -item[1]))
        caption = "Samples of each class in the whole file; rare classes are hard to learn and their scores are uncertain."
        blocks.append(plots_data.horizontal_bars("label-counts", "Samples per class", caption, order, "samples"))
    confounding = section(check, "confounding")
    if confounding.get("rows") and confounding.get("columns"):
        blocks.append(plots_data.label_by_group(confounding["rows"], confounding["columns"], confounding["counts"]))
    intro = (
        f"{count(check.get('samples'), 'sample')} and {count(check.get('features'), run.feature_noun_of_file)} in "
        f"{plain(check.get('file', 'the file'))}."
    )
    return Section("doctor", "Data doctor", intro, tuple(blocks))


def findings(entries: Any) -> list[Finding]:
    """Return findings, the worst first, in their own order otherwise."""
    rank = {"error": 0, "warning": 1, "info": 2, "ok": 3}
    listed = [
        Finding(
            str(entry.get("level", "info")),
            plain(entry.get("title", "")),
            plain(entry.get("detail") or ""),
            plain(entry.get("remedy") or ""),
        )
        for entry in entries or []
    ]
    return sorted(listed, key=lambda finding: rank.get(finding.level, 2))


def _identifier_line(identifiers: dict[str, Any]) -> str:
    if not identifiers:
        return ""
    if identifiers.get("type") == "variant":
        return f"Identifiers of variants: {number(identifiers.get('duplicates', 0))} duplicated."
    parts = [f"Gene identifiers: {plain(identifiers.get('type', 'unknown'))}"]
    if identifiers.get("species"):
        parts.append(f"species {plain(identifiers['species'])}")
    parts.append("with version suffixes" if identifiers.get("versions") else "without version suffixes")
    parts.append(f"{number(identifiers.get('duplicates', 0))} duplicated")
    return ", ".join(parts) + "."


def _memory_line(check: dict[str, Any]) -> str:
    training, values = check.get("training_memory_mb"), check.get("memory_mb")
    parts = [f"training about {training:,.0f} MB (estimated before it began)"] if is_number(training) else []
    parts += [f"the values and their prepared copy alone about {max(values, 1):,.0f} MB"] if is_number(values) else []
    return f"Memory: {'; '.join(parts)}." if parts else ""


def split(run: RunFolder) -> Section | Missing:
    """Return how the samples were split, the leak audit, and the leaky result beside the honest one when both were computed."""
    facts = section(run.metrics, "split")
    if not facts and run.split is None:
        return Missing("Split and leak audit", "the run folder says nothing about its split.")
    blocks: list[Block] = []
    if facts.get("leaky"):
        blocks.append(leaky_banner(facts))
    audited = findings(section(run.metrics, "leakage").get("findings"))
    blocks += audited
    if run.split is not None:
        seen = {finding.title for finding in audited}
        blocks += [finding for finding in overlap_findings(run.split) if finding.title not in seen]
    if facts.get("samples"):
        blocks.append(tables.parts(facts["samples"], facts.get("groups")))
    blocks += _contrast(run, facts)
    if run.split is not None and run.classes and {"label", "fold_0"} <= set(run.split.columns):
        blocks.append(plots_data.composition(run.split, run.classes))
    return Section("split", "Split and leak audit", split_sentence(facts), tuple(blocks))


def split_sentence(facts: dict[str, Any]) -> str:
    """Return how the samples were divided: the run's own note, or else the kind of split in one or two sentences."""
    note = plain(facts.get("note") or "").rstrip(".")
    if note:
        return f"{note[:1].upper()}{note[1:]}."
    folds = facts.get("folds")
    words = split_words(facts.get("kind"), facts.get("group"), folds)
    cross = " Every sample is predicted once, by a model that has not seen it." if is_number(folds) and folds > 1 else ""
    return f"{words[:1].upper()}{words[1:]}.{cross}"


def leaky_banner(facts: dict[str, Any]) -> Finding:
    """Return the red banner of a split in which groups straddle training and test."""
    group = f"'{shorten(facts['group'], 40)}'" if facts.get("group") else "a group"
    detail = (
        f"Samples of the same {group} are in training and in test. The scores say how well the model recognizes groups "
        "that it has seen, "
        "not how well it predicts new ones; expect lower scores there."
    )
    return Finding("error", "This split leaks", detail, "Train again with --group and without --split random for an honest score.")


def overlap_findings(table: pd.DataFrame) -> list[Finding]:
    """Return what the split table itself shows: groups, and repeated samples, that are in training and in test.

    Parameters
    ----------
    table
        ``split.parquet``: ``sample_id``, ``group`` where known, and ``fold_0`` ….
    """
    folds = [name for name in table.columns if name.startswith("fold_")]
    result = []
    for column, noun in (("group", "group"), ("sample_id", "sample")):
        if not folds or column not in table or table[column].isna().all():
            continue
        shared = {str(name) for fold in folds for name in _shared(table, column, fold)}
        if shared:
            shown = ", ".join(shorten(name, 24) for name in sorted(shared)[:5]) + (
                f" and {len(shared) - 5} more" if len(shared) > 5 else ""
            )
            title = f"{count(len(shared), noun)} in training and in test"
            result.append(Finding("error", title, f"Counted in split.parquet: {shown}."))
        else:
            result.append(Finding("ok", f"No {noun} is in both train and test", "Counted in split.parquet, in every fold."))
    return result


def _shared(table: pd.DataFrame, column: str, fold: str) -> set[Any]:
    seen = table.loc[table[fold].isin(["train", "val"]), column].dropna()
    return set(seen) & set(table.loc[table[fold] == "test", column].dropna())


def _contrast(run: RunFolder, facts: dict[str, Any]) -> list[Block]:
    leaky = section(section(run.metrics, "contrast"), "random_split")
    name = run.primary_metric
    if not leaky or name is None:
        return []
    theirs = {"model": section(leaky, "model")} | section(leaky, "baselines")
    held = f"whole groups ({shorten(facts['group'], 30)}) held out" if facts.get("group") else "groups held out"
    text = contrast_sentence(name, run.predictors["model"], theirs["model"])
    panel = plots_scores.contrast(run.predictors, theirs, name, held, "random samples")
    return [Heading("What a random split would have claimed"), Paragraph(text), panel]
