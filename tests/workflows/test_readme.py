"""Every command and every Python block of README.md runs, on small files that have the names and the columns that it uses."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import anndata
import numpy as np
import pytest

import genoken
from genoken.cli.main import main
from genoken.synthetic import planted_markers, planted_trajectory
from genoken.workflows.run import Run
from genoken.workflows.simulate import PeopleModel

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
PROSE = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)

SMALL = {
    "model.width": 8, "model.encoder.layers": 1, "model.encoder.heads": 2, "model.encoder.feed_forward": 8, "training.epochs": 1,
    "training.batch_size": 16, "training.logger": "none",
}  # fmt: skip
SMALL_TRAINING = SMALL | {"evaluation.bootstrap": 50}
SMALL_EFFECTS = {
    "model.width": 3, "model.encoder.effects": 3, "training.epochs": 1, "training.logger": "none", "evaluation.bootstrap": 50,
}  # fmt: skip
"""For the preset of genotypes."""
SHRUNK = {"train": SMALL_TRAINING, "pretrain": SMALL}
SHORTENED = {"simulate": ["--samples", "160", "--variants", "60"], "variants": ["--null", "0", "--components", "2"]}
AS_THEY_STAND = {"check", "pack", "predict", "explain", "compare", "embed", "successors", "next", *SHORTENED}


class Unknown(Exception):
    """Nobody has said how to run this here."""


def commands_of(block: str) -> list[list[str]]:
    """Return the words of each line of a block, without comments and empty lines."""
    return [words for words in (shlex.split(line, comments=True) for line in block.splitlines()) if words]


SHELL_BLOCKS = [commands_of(block) for language, block in BLOCKS if language == "bash"]
ON_CELLS, ON_GENOTYPES = (block for language, block in BLOCKS if language == "python")
IN_PROSE = [shlex.split(text) for text in re.findall(r"`(genoken [^`]+)`", PROSE)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with a file of 24 donors, one without labels, and ten shards."""
    cells = planted_markers(samples=96, features=40, groups=24, seed=3)
    cells.obs["tissue"] = ["blood" if donor < "donor_12" else "spleen" for donor in cells.obs["donor_id"]]
    cells.obs["day"] = np.arange(96) // 2 % 4
    cells.write_h5ad(tmp_path / "cells.h5ad")
    new = planted_markers(samples=12, features=40, groups=2, seed=4)
    new.obs = new.obs[[]]
    new.write_h5ad(tmp_path / "new_cells.h5ad")
    for number in range(10):
        cells[number::10].copy().write_h5ad(tmp_path / f"shard_{number}.h5ad")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_another_run(folder):
    settings = SMALL_TRAINING | {"model.linear_path": False}
    genoken.train("cells.h5ad", label="cell_type", group="donor_id", settings=settings, output=folder)


def make_an_interrupted_run(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "report", interrupt)
        with pytest.raises(InterruptedError):
            genoken.train("cells.h5ad", label="cell_type", settings=SMALL_TRAINING, output=folder)


def make_next_cell_folder(folder):
    cells = planted_trajectory(samples=60, features=40, steps=3, donors=5)
    graph = cells.obsp.pop("next_cell_ids").tocsr()
    parts = {"train": ["donor_00", "donor_01", "donor_02"], "val": ["donor_03"], "test": ["donor_04"]}
    for part, donors in parts.items():
        rows = np.flatnonzero(cells.obs["donor_id"].isin(donors))
        own = Path(folder) / part
        own.mkdir(parents=True)
        cells[rows].copy().write_h5ad(own / "data.h5ad")
        neighbors = {cells.obs_names[row]: list(cells.obs_names[graph[row].indices]) for row in rows}
        (own / "neighbors.json").write_text(json.dumps({"neighbors": neighbors}))
        (own / "medians.json").write_text(json.dumps(dict.fromkeys(cells.var_names, 2.0)))
        vocabulary = {"[CLS]": 0} | {gene: 5 + place for place, gene in enumerate(cells.var_names)}
        (own / "geneformer.vocab").write_text(json.dumps({"vocab": vocabulary}))


def interrupt(*arguments, **named):
    raise InterruptedError


MADE_BEFORE = {"runs/other": make_another_run, "runs/x": make_an_interrupted_run, "data": make_next_cell_folder}
"""Runs and folders that the page takes for granted."""


def small(words: list[str]) -> list[str]:
    """Return the words that make a command quick."""
    verb = words[1]
    shrunk = SMALL_EFFECTS if "genotype" in words else SHRUNK.get(verb, {})
    return [word for path, value in shrunk.items() for word in ("--set", f"{path}={value}")] + SHORTENED.get(verb, [])


def run_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a line of the page, or what a make target or the shell would do; return what it wrote.

    Raises
    ------
    Unknown
        When this is a command of which nobody has said how to run it here.
    """
    if words[0] == "genoken" and ("--help" in words or "--resume" in words):
        return run_genoken(words[1:], capsys)
    if words[0] == "genoken" and words[1] in AS_THEY_STAND | set(SHRUNK):
        return run_genoken([*words[1:], *small(words)], capsys)
    if words == ["source", ".venv/bin/activate"]:
        assert ".venv/bin" in recipe("lint"), "make installs into the folder that is activated"
        return ".venv"
    if words == ["make", "demo"]:
        assert shlex.split(recipe("demo").splitlines()[-1]) == [".venv/bin/genoken", "demo"]
        return run_genoken(["demo"], capsys)
    if words == ["make", "demo-genotypes"]:
        assert shlex.split(recipe("demo-genotypes").splitlines()[-1]) == [".venv/bin/genoken", "demo", "--genotypes"]
        return run_genoken(["demo", "--genotypes"], capsys)
    if words == ["make", "test"]:
        assert " -m pytest" in recipe("test")
        return "tests"
    raise Unknown(shlex.join(words))


def run_genoken(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    for name in set(MADE_BEFORE) & set(words):
        MADE_BEFORE[name](name)
    capsys.readouterr()
    code = main(words)
    written = capsys.readouterr()
    assert (code, written.err) == (0, ""), shlex.join(words)
    assert written.out.strip(), shlex.join(words)
    if "-o" in words:
        left = Path(words[words.index("-o") + 1])
        whole = left / ("report.html" if (left / "config.yaml").exists() else "calls.bin") if left.is_dir() else left
        assert whole.stat().st_size > 0, shlex.join(words)
    return written.out


def recipe(target: str) -> str:
    """Return what make would do."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"}
    done = subprocess.run(["make", "-n", target], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(autouse=True)
def _quick_demo(monkeypatch):
    """Let the demo train a small network."""
    from genoken.workflows import demo, demo_genotypes

    small_demo = SMALL_TRAINING | {"tokenizer.hvgs": 50, "evaluation.baselines": ["majority", "linear"]}
    monkeypatch.setattr(demo, "train", functools.partial(genoken.train, settings=small_demo))
    people = PeopleModel(samples=160, variants=60, populations=2)
    settings = {"training.epochs": 2, "training.logger": "none", "evaluation.bootstrap": 50}
    quick = functools.partial(demo_genotypes.demo_genotypes, people=people, settings=settings)
    monkeypatch.setattr(demo_genotypes, "demo_genotypes", quick)


def test_the_page_is_read():
    assert {language for language, _ in BLOCKS} == {"bash", "python", ""}
    assert [words for commands in SHELL_BLOCKS for words in commands if words[0] not in ("make", "source", "genoken")] == []
    assert sum(map(len, SHELL_BLOCKS)) >= 13
    assert ["genoken", "train", "cells.h5ad", "--label", "cell_type", "--group", "donor_id", "-o", "runs/types"] in SHELL_BLOCKS[1]
    assert ["genoken", "train", "--resume", "runs/x"] in IN_PROSE
    assert not [
        block for language, block in BLOCKS if not language and re.search(r"^ *(genoken|make|python) ", block, re.MULTILINE)
    ]


@pytest.mark.parametrize(
    "line", ["genoken frobnicate runs/x", "genoken demo --quick", "make coffee", "pip install genoken", "source other"]
)
def test_a_command_that_nobody_knows_how_to_run_would_be_found(line, capsys):
    with pytest.raises(Unknown):
        run_command(shlex.split(line), capsys)


@pytest.mark.parametrize("commands", SHELL_BLOCKS, ids=[" ".join(commands[-1][:2]) for commands in SHELL_BLOCKS])
def test_commands(commands, folder, capsys):
    for words in commands:
        assert run_command(words, capsys)


@pytest.mark.parametrize("words", IN_PROSE, ids=shlex.join)
def test_commands_in_prose(words, folder, capsys):
    out = run_command(words, capsys)
    if "--help" in words:
        assert "Usage: genoken" in out
    else:
        name = "x" if "--resume" in words else "pretrained-data"
        assert (folder / "runs" / name / "report.html").is_file()


def test_python(folder, monkeypatch, capsys):
    monkeypatch.setattr(genoken, "train", functools.partial(genoken.train, settings=SMALL_TRAINING))
    names = {"adata": anndata.read_h5ad("cells.h5ad"), "new": anndata.read_h5ad("new_cells.h5ad")}
    *statements, last = ast.parse(ON_CELLS).body
    exec(compile(ast.Module(statements, []), "README.md", "exec"), names)
    assert capsys.readouterr().out == f"{names['run'].verdict}\n"
    score, predicted, genes, states = eval(compile(ast.Expression(last.value), "README.md", "eval"), names)
    assert 0 <= score <= 1
    assert set(predicted["predicted"]) <= {"type_0", "type_1", "type_2"}
    assert len(predicted) == len(states) == 12
    assert {"class", "symbol", "importance"} <= set(genes.columns)


def test_python_on_genotypes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(genoken, "train", functools.partial(genoken.train, settings=SMALL_EFFECTS))
    monkeypatch.setattr(Run, "variants", functools.partialmethod(Run.variants, null=0, components=1))
    rng = np.random.default_rng(0)
    dosages = rng.integers(0, 3, size=(90, 30))
    *statements, last = ast.parse(ON_GENOTYPES).body
    labels = np.where(dosages[:, 4] > 0, "one", "other")
    names = {"genoken": genoken, "dosages": dosages, "populations": labels, "ages": rng.normal(50, 9, 90)}
    exec(compile(ast.Module(statements, []), "README.md", "exec"), names)
    leading = eval(compile(ast.Expression(last.value), "README.md", "eval"), names)
    assert list(leading["rank"]) == [1, 2, 3, 4, 5]


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert len(links) > 5
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []
