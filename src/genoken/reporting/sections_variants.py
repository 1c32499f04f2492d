"""The section on variants: importance beside regressions and fine-mapping, over the genome and within loci."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from genoken.reporting import plots_linkage, plots_variants
from genoken.reporting.blocks import Block, Cell, Column, Finding, Heading, Missing, Section, Table
from genoken.reporting.load import RunFolder, section
from genoken.reporting.wording import count, is_number, number, percent, plain, ranking, shorten

MOST_LOCI = 3
"""Loci that are shown."""
MOST_LEADS = 20
"""Rows of the table of leads."""
_OTHERS = {
    "glm": "Regressions, with principal components",
    "glm_without_components": "Regressions, without principal components",
    "pip": "Fine-mapping (probabilities within the loci)",
}


def variants(run: RunFolder) -> Section | Missing:
    """Return importance, regressions and fine-mapping of the variants."""
    title = "Variants that the model uses"
    table, controls = run.variants, run.variant_controls or {}
    if table is None or table.empty:
        return Missing(title, "explanations/variants.tsv is not in the run folder; run genoken variants on it.")
    known = section(controls, "recovery")
    causal = [str(name) for name in known.get("causal") or []]
    blocks: list[Block] = [*control_findings(controls), plots_variants.manhattan(table, causal), *recovery(known), leads(table)]
    agreement = agreements(controls)
    if agreement is not None:
        blocks.append(agreement)
    for facts in _shown_loci(table, controls):
        blocks += _locus(run, table, facts, causal)
    methods = ", ".join(plain(name).replace("_", " ") for name in controls.get("methods") or [])
    networks = controls.get("models")
    how = f"Mean rank over {methods}" if methods else "Mean rank over methods"
    over = f" and {number(networks)} networks (folds and seeds)" if is_number(networks) and networks > 1 else ""
    return Section("variants", title, f"{how}{over}. Importance says what the model uses, not which variant acts.", tuple(blocks))


def control_findings(controls: dict[str, Any]) -> list[Finding]:
    """Return permuted labels, agreement of networks and all notes as findings.

    Warnings: no variant above the largest importance under permuted labels, no such comparison at all, and an agreement of networks
    below 0.3.
    """
    found = []
    null, methods = section(controls, "null"), controls.get("methods") or [""]
    share = section(null, "share_above").get(methods[0])
    if is_number(share):
        detail = f"Of the variants, {percent(share, 1)} are more important than any is to networks trained on permuted labels."
        found.append(Finding("ok" if share > 0 else "warning", "Against permuted labels", detail))
    elif controls:
        detail = "No network was trained on permuted labels: it is not known what importance chance alone gives."
        found.append(Finding("warning", "Against permuted labels", detail, "genoken variants RUN --null 1"))
    agreement = controls.get("agreement_of_models")
    if is_number(agreement):
        detail = "Spearman correlation of the importances that two networks give (other folds or seeds), mean over pairs."
        found.append(Finding("ok" if agreement >= 0.3 else "warning", f"Agreement between networks {number(agreement, 2)}", detail))
    said = ("labels that were permuted", "permuted labels", "networks agree with")  # by the findings above
    notes = [plain(note) for note in controls.get("notes") or [] if not any(words in note for words in said)]
    return found + [Finding("info", note) for note in notes]


def leads(table: pd.DataFrame) -> Table:
    """Return the variants that lead their clumps, the most important first, beside their ranks in regressions and fine-mapping."""
    ranks = {name: plots_variants.rank_by(table[name]) for name in ("glm_minus_log10_p", "pip")}
    rows = []
    for place, row in plots_variants.top_variants(table, MOST_LEADS).iterrows():
        p_rank, pip_rank = (_rank(ranks, name, place) for name in ("glm_minus_log10_p", "pip"))
        above = {"True": "yes", "False": "no"}.get(str(row.get("above_null", "")), "–")
        rows.append(
            (
                Cell(shorten(row["id"], 40), f"{plain(row['chrom'])}:{number(row['pos'])}", strong=True),
                Cell(f"{plain(row['counted_allele'])}/{plain(row['other_allele'])}", f"maf {number(row['maf'], 2)}"),
                Cell(number(row["ensemble"], 3)),
                Cell(percent(row["stability"])),
                Cell(above),
                Cell(number(row.get("glm_beta"), 2), _effect_note(row)),
                Cell(number(row["glm_minus_log10_p"], 1), p_rank),
                Cell(f"{row['pip']:.2f}" if np.isfinite(row["pip"]) else "–", pip_rank),
                Cell(_set_name(row)),
            )
        )
    columns = (
        Column("Lead"),
        Column("Alleles", hint="Counted allele, the other one, and the frequency of the rarer."),
        Column("Mean rank", numeric=True, hint="Over methods and networks, 1 is the highest."),
        Column("Stability", numeric=True, hint="Share of the rankings that have the variant among their first."),
        Column("Above permuted", hint="More important than any variant is to networks trained on permuted labels."),
        Column("Effect", numeric=True, hint="Single-variant regression: log odds, or change of the number, per copy."),
        Column("−log10 p", numeric=True, hint="Single-variant regression; below: its rank."),
        Column(
            "PIP",
            numeric=True,
            hint="Fine-mapping: probability of the variant, if effects are few and additive; below: rank.",
        ),
        Column("Credible set", hint="Locus and number of the set."),
    )
    return Table(columns, tuple(rows), "Variants in linkage with a more important one are left out. A dash: not computed.")


def recovery(found: dict[str, Any]) -> list[Block]:
    """Return how well each ranking finds the variants that are known to act, the best first; nothing where none is known."""
    rankings = sorted(found.get("rankings") or [], key=lambda row: -float(row["average_precision"]))
    if not rankings:
        return []
    best = rankings[0]["average_precision"]
    rows = [
        (
            Cell(ranking(str(row["ranking"])), strong=str(row["ranking"]) == "ensemble"),
            Cell(number(row["average_precision"]), strong=row["average_precision"] == best),
            *(Cell(percent(row[name], 0)) for name in ("recall_at_10", "linkage_recall", "signal_fdr")),
        )
        for row in rankings
    ]
    columns = (
        Column("Ranking"),
        Column("Average precision", numeric=True, hint="Area under precision over recall of the causal variants themselves."),
        Column("In the first 10", numeric=True, hint="Share of the causal variants among the first ten."),
        Column("Within linkage", numeric=True, hint="The same, found also where a variant with an r² of 0.8 or more stands in."),
        Column("False signals", numeric=True, hint="Of as many signals as there are causal variants, those of none of them."),
    )
    caption = (
        f"The trait was simulated, so its {count(len(found['causal']), 'causal variant')} are known; a random ranking has an "
        f"average precision of {number(found.get('chance'))}. One cohort says little: differences of this size can be chance."
    )
    return [Heading("How well each ranking finds the causal variants"), Table(columns, tuple(rows), caption)]


def agreements(controls: dict[str, Any]) -> Table | None:
    """Return how far each ranking by importance agrees with regressions and fine-mapping; ``None`` where it is not known."""
    found = [row for row in controls.get("agreement") or [] if row.get("other") in _OTHERS]
    if not found:
        return None
    rows = [
        (
            Cell(plots_variants.method_name(str(row["ranking"])).capitalize(), strong=row["ranking"] == "ensemble"),
            Cell(_OTHERS[row["other"]]),
            Cell(number(row.get("spearman"), 2)),
            Cell(f"{number(row.get('shared'))} of {number(row.get('top'))}", f"by chance {number(row.get('expected'), 1)}"),
        )
        for row in found
    ]
    columns = (
        Column("Importance"),
        Column("Against"),
        Column("Spearman", numeric=True),
        Column("Shared first", numeric=True, hint="Variants that are among the first ones of both rankings."),
    )
    caption = (
        "A ranking that agrees with regressions only before the adjustment for principal components follows ancestry rather than "
        "single variants."
    )
    return Table(columns, tuple(rows), caption)


def _shown_loci(table: pd.DataFrame, controls: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the loci of the most important leads."""
    scores = table.set_index("id")["ensemble"]
    known = [facts for facts in controls.get("loci") or [] if facts.get("lead") in scores.index]
    return sorted(known, key=lambda facts: -float(np.nan_to_num(scores[facts["lead"]])))[:MOST_LOCI]


def _locus(run: RunFolder, table: pd.DataFrame, facts: dict[str, Any], causal: list[str]) -> list[Block]:
    own = table[table["locus"] == facts["number"]]
    pairs = run.loci[run.loci["locus"] == facts["number"]] if run.loci is not None else None
    if own.empty or pairs is None or pairs.empty:
        return []
    place = f"{plain(facts['chrom'])}:{number(facts['start_bp'])}–{number(facts['end_bp'])}"
    sets = facts.get("credible_sets") or []
    listed = "; ".join(
        f"set {number(found['number'])} holds {plain(found['variants'][0])}" + (f" and {others} more" if others else "")
        for found in sets
        for others in (len(found["variants"]) - 1,)
    )
    detail = "Sum of single effects, sets of 95 % coverage; it assumes additive effects."
    found = Finding("info", f"Fine-mapping: {listed or 'no credible set'}", detail)
    return [
        Heading(f"Locus {place}, lead {shorten(facts['lead'], 40)}"),
        plots_variants.locus(own, facts, causal),
        plots_linkage.locus_heatmaps(pairs, int(facts["number"])),
        found,
    ]


def _effect_note(row: pd.Series) -> str:
    """Return of what the effect is, and of which allele: runs of an older version do not say the class."""
    named = plain(row.get("glm_class", "") or "")
    odds = f"log odds of {shorten(named, 24)} " if named else ""
    return f"{odds}per copy of {shorten(row['counted_allele'], 12)}"


def _rank(ranks: dict[str, pd.Series], name: str, place: Any) -> str:
    value = ranks[name][place]
    return f"rank {number(int(value))}" if np.isfinite(value) else ""


def _set_name(row: pd.Series) -> str:
    value = row["credible_set"]
    return f"{number(int(row['locus']))}.{number(int(value))}" if is_number(value) and value > 0 else "–"
