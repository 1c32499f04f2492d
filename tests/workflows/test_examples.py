"""Every example runs as it stands, is short, and leaves what it says."""

from __future__ import annotations

import runpy
import shlex
from pathlib import Path

import pytest

from genoken.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples"
MOST_LINES = 15
LEAVES = {
    "check": ["runs/cells.h5ad"],
    "train": ["runs/train/report.html", "runs/train/metrics.json"],
    "cross_validation": ["runs/folds/metrics.json", "runs/folds/folds/2/history.csv"],
    "three_files": ["runs/three_files/metrics.json"],
    "own_split": ["runs/own_split/split.parquet"],
    "regression": ["runs/regression/report.html"],
    "evaluate": ["runs/evaluate/model.safetensors"],
    "compare": ["runs/transformer/predictions.parquet", "runs/mlp/predictions.parquet"],
    "predict": ["runs/predicted.h5ad"],
    "embed": ["runs/genes.parquet", "runs/genes_in_context.parquet"],
    "explain": ["runs/explain/manifest.json"],
    "make_cells": ["runs/cells.h5ad", "runs/other.h5ad"],
    "config": ["runs/config/config.yaml"],
}
SAYS = {
    "check": "genoken train runs/cells.h5ad --label cell_type --group donor_id",
    "cross_validation": "3 folds, 180 cells tested",
    "own_split": "'test': 40",
    "regression": "regression",
    "predict": "obsm: 'X_genoken'",
    "embed": "(240, ",
    "config": "32 1 ",
}


def test_every_script_is_tested():
    assert sorted(LEAVES) == sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.*")), ids=lambda path: path.name)
def test_examples_are_short(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES + 3 * (path.suffix == ".yaml")


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_script(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    assert [file for file in LEAVES[name] if not (tmp_path / file).is_file()] == []
    assert SAYS.get(name, "") in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} <= {"runs"}


def test_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(FOLDER)
    runpy.run_path(str(FOLDER / "make_cells.py"), run_name="__main__")
    lines = (FOLDER / "command_line.sh").read_text(encoding="utf-8").splitlines()
    commands = [shlex.split(line) for line in lines if not line.startswith("#")]
    assert [words[0] for words in commands] == ["genoken"] * len(commands)
    capsys.readouterr()
    for words in commands:
        code = main(words[1:])
        written = capsys.readouterr()
        assert (code, written.err) == (0, ""), " ".join(words)
        assert written.out
    left = ("first/report.html", "second/report.html", "predicted.csv", "gene_vectors.tsv", "top_genes.tsv")
    assert [name for name in left if not (tmp_path / "runs" / name).stat().st_size] == []
