from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genoken.reporting import sections_data
from genoken.reporting.blocks import Finding, Missing, Panel, Section, Table
from genoken.reporting.load import load_run_folder
from genoken.reporting.wording import contrast_sentence


def test_doctor_lists_the_worst_finding_first(evil_run: Path) -> None:
    part = sections_data.doctor(load_run_folder(evil_run))
    assert isinstance(part, Section)
    levels = [block.level for block in part.blocks if isinstance(block, Finding)]
    assert levels == ["error", "warning", "ok"]
    assert part.intro == "12 samples and 765 genes in cells.h5ad."
    keys = [plot.key for block in part.blocks if isinstance(block, Panel) for plot in block.plots]
    assert keys == ["label-counts", "label-by-group"]
    said = [getattr(block, "text", "") for block in part.blocks]
    assert "Gene identifiers: symbols, species human, without version suffixes, 0 duplicated." in said
    # what training takes is not what the values take, and the doctor alone knows the latter only
    assert "Memory: the values and their prepared copy alone about 310 MB." in said
    path = evil_run / "check.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"training_memory_mb": 611.7}), encoding="utf-8")
    part = sections_data.doctor(load_run_folder(evil_run))
    assert isinstance(part, Section)
    line = "Memory: training about 612 MB (estimated before it began); the values and their prepared copy alone about 310 MB."
    assert line in [getattr(block, "text", "") for block in part.blocks]


def test_what_became_of_the_variants_of_joined_files_is_a_table(evil_run: Path) -> None:
    rows = [("NA", "same", 12_000, "both count it"), ("NA", "elsewhere", 0, "no"), ("all", "kept", 12_000, "used")]
    table = pd.DataFrame(rows, columns=["file", "outcome", "variants", "meaning"])
    table.to_csv(evil_run / "join.tsv", sep="\t", index=False)
    part = sections_data.doctor(load_run_folder(evil_run))
    assert isinstance(part, Section)
    (found,) = [block for block in part.blocks if isinstance(block, Table) and block.columns[0].name == "File"]
    assert [[cell.text for cell in row] for row in found.rows] == [
        ["NA", "12,000", "same", "both count it"],
        ["all", "12,000", "kept", "used"],
    ]


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (
            {"kind": "folds", "folds": 5, "note": "5-fold cross-validation over samples; every sample is tested once"},
            "5-fold cross-validation over samples; every sample is tested once.",
        ),
        ({"kind": "column", "folds": 1, "note": "as the column 'split' says"}, "As the column 'split' says."),
        (
            {"kind": "folds", "group": "donor", "folds": 5},
            "Whole groups ('donor') held out, 5-fold cross-validation. "
            "Every sample is predicted once, by a model that has not seen it.",
        ),
    ],
)
def test_how_samples_were_divided_is_said_once(facts: dict[str, Any], sentence: str) -> None:
    assert sections_data.split_sentence(facts) == sentence


def test_what_the_audit_says_is_not_said_again(evil_run: Path) -> None:
    path = evil_run / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    finding = {"level": "ok", "title": "No group is in both train and test", "detail": "All 8 values stay on one side."}
    path.write_text(json.dumps(metrics | {"leakage": {"findings": [finding]}}), encoding="utf-8")
    part = sections_data.split(load_run_folder(evil_run))
    assert isinstance(part, Section)
    titles = [block.title for block in part.blocks if isinstance(block, Finding)]
    assert titles == ["No group is in both train and test", "No sample is in both train and test"]


def test_overlap_is_counted_in_the_split_itself() -> None:
    table = pd.DataFrame(
        {
            "sample_id": ["a", "b", "c", "d"],
            "group": ["g", "g", "h", "i"],
            "fold_0": ["train", "test", "val", "unused"],
            "fold_1": ["test", "train", "unused", "test"],
        }
    )
    group, sample = sections_data.overlap_findings(table)
    assert (group.level, group.title) == ("error", "1 group in training and in test")
    assert group.detail.endswith(": g.")
    assert sample.level == "ok"
    table["sample_id"] = ["a", "b", "c", "a"]
    assert [finding.level for finding in sections_data.overlap_findings(table.drop(columns="group"))] == ["ok"]
    repeated = table.assign(fold_0=["train", "train", "val", "test"]).drop(columns=["group", "fold_1"])
    assert sections_data.overlap_findings(repeated)[0].title == "1 sample in training and in test"


def test_validation_groups_count_as_seen() -> None:
    table = pd.DataFrame({"sample_id": ["a", "b"], "group": ["g", "g"], "fold_0": ["val", "test"]})
    assert sections_data.overlap_findings(table)[0].level == "error"


def test_no_groups_or_no_folds_is_no_finding() -> None:
    table = pd.DataFrame({"sample_id": ["a"], "group": [None], "fold_0": ["train"]})
    assert [finding.title for finding in sections_data.overlap_findings(table)] == ["No sample is in both train and test"]
    assert sections_data.overlap_findings(table[["sample_id", "group"]]) == []


def test_split_of_an_honest_run_shows_what_a_random_one_would_claim(evil_run: Path) -> None:
    run = load_run_folder(evil_run)
    part = sections_data.split(run)
    assert isinstance(part, Section)
    keys = [plot.key for block in part.blocks if isinstance(block, Panel) for plot in block.plots]
    assert keys == ["contrast", "composition"]
    panel = next(block for block in part.blocks if isinstance(block, Panel))
    assert panel.plots[0].figure.data[0].x[0] == run.test["model"]["macro_f1"]
    assert panel.plots[0].figure.data[1].x[0] == run.metrics["contrast"]["random_split"]["model"]["macro_f1"]
    said = [getattr(block, "text", "") for block in part.blocks]
    assert contrast_sentence("macro_f1", run.test["model"], run.metrics["contrast"]["random_split"]["model"]) in said
    assert not [block for block in part.blocks if isinstance(block, Finding) and block.level == "error"]
    assert any(isinstance(block, Table) for block in part.blocks)


def test_leaky_split_has_a_banner_and_the_audit_sees_it(binary_leaky_run: Path) -> None:
    part = sections_data.split(load_run_folder(binary_leaky_run))
    assert isinstance(part, Section)
    errors = [block.title for block in part.blocks if isinstance(block, Finding) and block.level == "error"]
    assert errors == ["This split leaks", "5 groups in training and in test"]
    assert part.intro.startswith("Asked for by name.")


def test_absent_sections(minimal_run: Path) -> None:
    run = load_run_folder(minimal_run)
    assert isinstance(sections_data.doctor(run), Missing)
    assert isinstance(sections_data.split(run), Missing)


def test_what_rules_left_out_is_a_table(evil_run: Path) -> None:
    (evil_run / "quality.tsv").write_text("rule\tthreshold\tvariants\ncall rate\t≥ 0.95\t12\nkept\t\t4321\n", encoding="utf-8")
    part = sections_data.doctor(load_run_folder(evil_run))
    assert isinstance(part, Section)
    (found,) = [block for block in part.blocks if isinstance(block, Table) and block.columns[0].name == "Rule"]
    assert [[cell.text for cell in row] for row in found.rows] == [["call rate", "≥ 0.95", "12"], ["kept", "", "4,321"]]
