"""Every example runs as it stands, is short, and leaves what it says."""

from __future__ import annotations

import runpy
import shlex
from pathlib import Path

import pytest

from genoken.cli.main import main

FOLDER = Path(__file__).resolve().parents[2] / "examples"
FIRST = ("make_cells", "train")
MOST_LINES = 16
LEAVES = {
    "make_cells": ["cells.h5ad", "other.h5ad"],
    "train": ["train/report.html", "train/metrics.json"],
    "check": [],
    "cross_validation": ["folds/metrics.json", "folds/folds/1/history.csv"],
    "three_files": ["three/metrics.json"],
    "own_split": ["own_split/split.parquet"],
    "regression": ["regression/report.html"],
    "evaluate": [],
    "compare": ["mlp/predictions.parquet"],
    "predict": ["predicted.h5ad"],
    "embed": ["genes.parquet", "genes_in_context.parquet"],
    "explain": [],
    "config": ["config/config.yaml"],
    "next_cell": ["next_cell/report.html", "next_cell/next_cells.parquet"],
    "lightning_trainer": [],
    "own_loop": [],
    "pretrain": ["pretrained/report.html", "filled_in.tsv"],
    "genotypes": ["genotypes/report.html", "genotypes/explanations/variants.tsv"],
}
SAYS = {
    "check": "genoken train runs/cells.h5ad --label cell_type --group donor_id",
    "cross_validation": "2 folds, ",
    "own_split": "'test': ",
    "regression": "regression",
    "evaluate": "cells\n",
    "predict": "obsm: 'X_genoken'",
    "embed": "(50, ",
    "explain": "planted",
    "config": "32 1 ",
    "next_cell": "Predictions are means over the cells that may come next",
    "lightning_trainer": "validation loss ",
    "own_loop": "step 2: cross-entropy ",
    "pretrain": "Masked phenotypes: The model ",
    "genotypes": "  True\n",
}


def run_example(name: str) -> None:
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder in which the examples that come first have run, in their order, exactly as they would for a user."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "examples").symlink_to(FOLDER)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in FIRST:
            run_example(name)
    return folder


def test_every_script_is_tested_and_listed():
    names = sorted(path.name for path in FOLDER.glob("*.*") if path.suffix != ".md")
    assert sorted(LEAVES) == sorted(name.removesuffix(".py") for name in names if name.endswith(".py"))
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in names if f"examples/{name}" not in page] == []
    assert {path.suffix for path in FOLDER.iterdir()} <= {".py", ".sh", ".yaml", ".md"}
    assert [name for name in names if name.endswith(".sh")] == ["command_line.sh"], "test_command_line executes this one"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.[psy]*")), ids=lambda path: path.name)
def test_examples_are_short(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) < MOST_LINES + 5 * (path.suffix == ".yaml")


@pytest.mark.parametrize("name", sorted(set(LEAVES) - set(FIRST)))
def test_script(name, workplace, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    run_example(name)
    assert SAYS.get(name, "") in capsys.readouterr().out
    assert [file for file in LEAVES[name] if not (workplace / "runs" / file).is_file()] == []


def test_the_first_ones_leave_what_the_others_need(workplace):
    assert [file for name in FIRST for file in LEAVES[name] if not (workplace / "runs" / file).is_file()] == []
    assert {path.name for path in workplace.iterdir()} == {"examples", "runs"}


def test_command_line(workplace, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    lines = (FOLDER / "command_line.sh").read_text(encoding="utf-8").splitlines()
    commands = [shlex.split(line) for line in lines if not line.startswith("#")]
    assert [words[0] for words in commands] == ["genoken"] * len(commands)
    for words in commands:
        code = main(words[1:])
        written = capsys.readouterr()
        assert (code, written.err) == (0, ""), " ".join(words)
        assert written.out
    left = ("first/report.html", "second/report.html", "predicted.csv", "gene_vectors.tsv", "top_genes.tsv", "hidden/report.html",
            "tuned/report.html", "states.h5ad", "phenotypes.tsv")  # fmt: skip
    assert [name for name in left if not (workplace / "runs" / name).stat().st_size] == []
