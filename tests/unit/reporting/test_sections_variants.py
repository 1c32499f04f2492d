from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from genoken.reporting import sections_variants
from genoken.reporting.blocks import Finding, Heading, Missing, Panel, Section, Table
from genoken.reporting.load import load_run_folder
from genoken.reporting.report import render


@pytest.fixture
def run(variants_run):
    return load_run_folder(variants_run)


def test_the_section_has_controls_genome_leads_agreement_and_loci(run):
    section = sections_variants.variants(run)
    assert isinstance(section, Section)
    kinds = [type(block) for block in section.blocks]
    assert kinds[:4] == [Finding, Finding, Finding, Panel]
    assert kinds[4:] == [Table, Table, Heading, Panel, Panel, Finding]
    assert "Mean rank over integrated gradients, attention and 2 networks" in section.intro
    texts = " ".join([section.intro, *(f"{block.title} {block.detail}" for block in section.blocks if isinstance(block, Finding))])
    assert "causal" not in texts + render(run).lower().split("<script")[0]


def test_leads_stand_beside_regressions_and_fine_mapping(run):
    table = sections_variants.leads(run.variants)
    first = table.rows[0]
    assert [cell.text for cell in first] == ["rs2", "A/G", "0.950", "75.0 %", "yes", "−0.75", "6.5", "0.80", "1.1"]
    assert [first[place].note for place in (0, 1, 6, 7)] == ["3:2,000", "maf 0.30", "rank 1", "rank 1"]
    assert first[5].note == "log odds of case per copy of A"
    assert [row[0].text for row in table.rows] == ["rs2", "rs5"]  # rs1, rs3 and rs4 are in the clump of rs2
    assert [cell.text for cell in table.rows[1]][7:] == ["–", "–"]


def test_agreement_is_said_with_and_without_components(run):
    table = sections_variants.agreements(run.variant_controls)
    assert [row[1].text for row in table.rows] == [
        "Regressions, with principal components",
        "Regressions, without principal components",
        "Fine-mapping (probabilities within the loci)",
    ]
    assert [row[3].text for row in table.rows] == ["1 of 2", "2 of 2", "1 of 2"]
    assert sections_variants.agreements({}) is None


def test_without_permuted_labels_there_is_a_warning(run):
    findings = sections_variants.control_findings(run.variant_controls | {"null": None})
    assert (findings[0].level, findings[0].title) == ("warning", "Against permuted labels")
    assert sections_variants.control_findings({}) == []


def test_nothing_above_permuted_labels_is_a_warning(run):
    null = run.variant_controls["null"] | {"share_above": {"integrated_gradients": 0.0}}
    assert sections_variants.control_findings(run.variant_controls | {"null": null})[0].level == "warning"


def test_without_the_file_the_section_is_missing(variants_run):
    (variants_run / "explanations" / "variants.tsv").unlink()
    run = load_run_folder(variants_run)
    assert isinstance(sections_variants.variants(run), Missing)
    assert "Variants that the model uses" not in render(run)


def test_the_text_of_ids_and_alleles_is_kept(run):
    assert run.variants["above_null"].tolist()[0] == "False"
    assert run.variants["chrom"].tolist() == ["3"] * 5
    assert run.variants["pos"].dtype == "int64"
    assert pd.isna(run.variants["pip"].iloc[4])


RECOVERY = {
    "causal": ["rs2"],
    "absent": 0,
    "chance": 0.2,
    "rankings": [
        {"ranking": name, "average_precision": value, "recall_at_10": 1.0, "linkage_recall": 1.0, "signal_fdr": 0.0}
        for name, value in (("ensemble", 0.5), ("attention", 0.25), ("pip", 1.0), ("permuted", 0.1))
    ],
}


def test_where_the_truth_is_known_rankings_are_scored_by_it(run):
    heading, table = sections_variants.recovery(RECOVERY)
    assert heading.text == "How well each ranking finds the causal variants"
    assert [[cell.text for cell in row[:2]] for row in table.rows] == [
        ["SuSiE (within the loci)", "1.000"],
        ["Network: mean rank", "0.500"],
        ["Network: attention", "0.250"],
        ["Network of permuted labels", "0.100"],
    ]
    assert "its 1 causal variant" in table.caption
    assert "average precision of 0.200" in table.caption
    known = dataclasses.replace(run, variant_controls=run.variant_controls | {"recovery": RECOVERY})
    section = sections_variants.variants(known)
    assert heading in section.blocks
    panels = [block for block in section.blocks if isinstance(block, Panel)]
    assert [entry.name for entry in panels[0].legend] == ["known to act (simulated)"]
    assert sections_variants.recovery({}) == []
