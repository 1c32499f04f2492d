"""Both verbs that train: going on takes the folder alone, stopping says how to go on, libraries tell what is asked for."""

from __future__ import annotations

import importlib
import logging
import signal
from pathlib import Path

import pytest

from genoken.cli.stop import Stopped


@pytest.fixture(params=["train", "pretrain"])
def verb(request):
    return request.param


@pytest.fixture
def begun(recorded, verb):
    return recorded(verb)


def test_a_new_run_gets_the_files_and_whether_to_be_quiet(call, verb, begun):
    assert call(verb, "cells.h5ad", "-o", "runs/x").code == 0
    assert call(verb, "cells.h5ad", "-o", "runs/x", "--quiet").code == 0
    assert [arguments["show"].quiet for arguments in begun] == [False, True]
    assert [arguments["output"] for arguments in begun] == [Path("runs/x")] * 2
    assert begun[0]["data"] == (Path("cells.h5ad") if verb == "train" else ["cells.h5ad"])
    assert "resume" not in begun[0]


def test_resume_passes_the_folder_alone(call, verb, begun):
    assert call(verb, "--resume", "runs/x", "--quiet", "--log-level", "info").code == 0
    (arguments,) = begun
    assert arguments.pop("show").quiet is True
    assert arguments == {"arguments": (), "resume": Path("runs/x")}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("cells.h5ad", "cells.h5ad"),
        ("cells.h5ad --epochs 5 --group y", "cells.h5ad, --group, --epochs"),
        ("--set a=1 --overwrite", "--set, --overwrite"),
        ("--from runs/p", "--from"),
        ("--seed 0", "--seed"),
    ],
)
def test_resume_refuses_settings(call, verb, begun, words, names):
    answer = call(verb, *words.split(), "--resume", "runs/x")
    line = f"genoken: error: --resume: a resumed run goes on with its own file and settings — leave out {names}\n"
    assert (answer.code, answer.error) == (2, line)
    assert begun == []


def test_resume_refuses_each_of_several_files(call, recorded):
    begun = recorded("pretrain")
    answer = call("pretrain", "a.h5ad", "b.h5ad", "--phenotypes", "sex", "--resume", "runs/x")
    assert answer.error.endswith("leave out a.h5ad, b.h5ad, --phenotypes\n")
    assert (answer.code, begun) == (2, [])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("words", ["cells.h5ad -o", "--resume"])
def test_stopping_says_how_to_go_on(call, recorded, verb, tmp_path, words, number, code):
    recorded(verb, Stopped(number))
    folder = tmp_path / "my run"
    folder.mkdir()
    (folder / "state.json").write_text("{}", encoding="utf-8")
    answer = call(verb, *words.split(), folder)
    assert (answer.code, answer.error) == (code, f"genoken: stopped; go on with: genoken {verb} --resume '{folder}'\n")


def test_stopping_before_anything_was_written(call, recorded, verb, tmp_path):
    recorded(verb, Stopped(signal.SIGINT))
    answer = call(verb, "cells.h5ad", "-o", tmp_path / "none")
    assert answer.error == "genoken: stopped; nothing was trained yet\n"


@pytest.mark.parametrize(("level", "disabled"), [("debug", 9), ("info", 19), ("warning", 29), ("error", 39)])
def test_log_level(call, verb, monkeypatch, level, disabled):
    seen = []
    module = importlib.import_module(f"genoken.workflows.{verb}")
    monkeypatch.setattr(module, verb, lambda **_: seen.append(logging.root.manager.disable))
    assert call(verb, "cells.h5ad", "--log-level", level).code == 0
    assert seen == [disabled]


def test_a_wrong_log_level_is_refused(call, verb, begun):
    answer = call(verb, "cells.h5ad", "--log-level", "inf")
    assert (answer.code, answer.error) == (2, "genoken: error: --log-level: 'inf' is not among its words — did you mean 'info'?\n")
    assert begun == []


@pytest.mark.parametrize(
    ("words", "source", "strict"),
    [
        ([], "auto", False),
        (["--source", "raw", "--strict"], "raw", True),
        (["--set", "training.epochs=1"], None, False),
        (["--config", "a.yaml"], None, False),
    ],
)
def test_files_are_looked_at_before_the_workflow_is_imported(call, begun, verb, looked_at, words, source, strict):
    call(verb, "cells.h5ad", "-o", "runs/x", *words)
    assert [str(path) for path in looked_at[0]["patterns"]] == ["cells.h5ad"]
    assert (looked_at[0]["source"], looked_at[0]["strict"]) == (source, strict)


def test_three_files_are_looked_at(call, recorded, looked_at):
    recorded("train")
    call("train", "--train", "a.bed", "--test", "c.bed", "-o", "runs/x")
    assert [[str(path) for path in look["patterns"]] for look in looked_at] == [[], ["a.bed"], ["c.bed"]]


def test_a_run_to_go_on_with_is_not_looked_at(call, recorded, looked_at):
    recorded("train")
    call("train", "--resume", "runs/x")
    assert looked_at == []
