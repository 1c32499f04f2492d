from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from genoken.reporting import sections_model
from genoken.reporting.blocks import Code, Fold, Missing, Panel, Row, Section, Table
from genoken.reporting.load import load_run_folder


def keys(part: Section | Missing) -> list[str]:
    assert isinstance(part, Section)
    panels = [panel for block in part.blocks for panel in (block.panels if isinstance(block, Row) else (block,))]
    return [plot.key for panel in panels if isinstance(panel, Panel) for plot in panel.plots]


def test_training(evil_run: Path) -> None:
    part = sections_model.training(load_run_folder(evil_run))
    assert keys(part) == ["loss", "validation", "learning-rate", "memory"]
    assert isinstance(part, Section)
    assert part.intro.startswith("Thin lines are the 3 trainings")


def test_map_and_genes(evil_run: Path) -> None:
    run = load_run_folder(evil_run)
    assert keys(sections_model.embedding(run)) == ["map-model", "map-pca"]
    part = sections_model.genes(run)
    assert keys(part) == ["importance", "correlation", "deletion", "attention"]
    assert isinstance(part, Section)
    assert part.intro.startswith("Method: integrated gradients.")
    fold = next(block for block in part.blocks if isinstance(block, Fold))
    assert sum(isinstance(block, Table) for block in fold.blocks) == 4
    assert any(isinstance(block, Table) and block.summary.startswith("Neighbors") for block in part.blocks)


@pytest.mark.parametrize(
    ("controls", "levels"),
    [
        ({"completeness_error": 0.0099}, ["ok"]),
        ({"completeness_error": 0.01}, ["warning"]),
        ({"completeness_error": None, "randomized_weights_correlation": -0.6}, ["warning"]),
        ({"randomized_weights_correlation": 0.1, "notes": ["n"]}, ["ok", "info"]),
        ({"fold_agreement": 0.3}, ["ok"]),
        ({"fold_agreement": 0.29}, ["warning"]),
        ({"fold_agreement": None}, []),
        ({"deletion": {"importance": [0.9, 0.2], "random": [0.9, 0.8]}}, ["ok"]),
        ({"deletion": {"importance": [0.9, 0.8], "random": [0.9, 0.8]}}, ["warning"]),
        ({}, []),
    ],
)
def test_controls_become_findings(controls: dict, levels: list[str]) -> None:
    assert [finding.level for finding in sections_model.control_findings(controls)] == levels


def test_deletion_gap_is_the_mean_difference() -> None:
    finding = sections_model.control_findings({"deletion": {"importance": [1.0, 0.5], "random": [1.0, 0.75]}})[0]
    assert "lower by 0.125 on average" in finding.detail


def test_model_says_what_was_used_and_why(evil_run: Path) -> None:
    part = sections_model.model(load_run_folder(evil_run))
    assert isinstance(part, Section)
    table = next(block for block in part.blocks if isinstance(block, Table))
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["Attention backend", "sdpa: no CUDA device; exact attention per length group"],
        ["Precision", "fp32: CPU"],
        ["Parameters", "583,178"],
    ]
    bars = next(block for block in part.blocks if isinstance(block, Panel)).plots[0].figure.data[0]
    assert list(bars.x) == [98048.0, 256.0, 397440.0, 7650.0, 79784.0]


def test_long_architecture_is_folded(evil_run: Path) -> None:
    run = load_run_folder(evil_run)
    assert run.manifest is not None
    long = dataclasses.replace(run, manifest=run.manifest | {"model": {"summary": "a\nb"}})
    part = sections_model.model(long)
    assert isinstance(part, Section)
    assert [block.text for block in part.blocks if isinstance(block, Code)] == ["a\nb"]


def test_speed_and_hardware(evil_run: Path) -> None:
    part = sections_model.speed(load_run_folder(evil_run))
    assert isinstance(part, Section)
    measured, hardware = (block for block in part.blocks if isinstance(block, Table))
    assert ["Batch fill (real tokens over slots)", "98.1 %"] in [[cell.text for cell in row] for row in measured.rows]
    assert not any("FLOP" in row[0].text for row in measured.rows)
    assert ["CPU", "Some CPU <1>"] in [[cell.text for cell in row] for row in hardware.rows]


def test_reproduce(evil_run: Path) -> None:
    part = sections_model.reproduce(load_run_folder(evil_run))
    assert isinstance(part, Section)
    codes = [block for block in part.blocks if isinstance(block, Code)]
    assert codes[0].text == "genoken train cells.h5ad --label cell_type --group donor -o runs/cells"
    assert codes[1].text.startswith("label: cell_type")
    assert any("abababab" in getattr(block, "text", "") for block in part.blocks)


def test_absent_sections_say_why(minimal_run: Path) -> None:
    run = load_run_folder(minimal_run)
    for build in (
        sections_model.training,
        sections_model.embedding,
        sections_model.genes,
        sections_model.model,
        sections_model.speed,
        sections_model.reproduce,
    ):
        part = build(run)
        assert isinstance(part, Missing)
        assert part.reason
