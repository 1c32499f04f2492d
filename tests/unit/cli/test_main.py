"""Errors are one line with exit code 2; defects keep their traceback; stopping says so."""

from __future__ import annotations

import io
import logging
import signal
import sys

import pytest

import genoken
from genoken.cli import main as entry
from genoken.cli.main import app, main
from genoken.cli.stop import Stopped
from genoken.core.errors import DataError

VERBS = (
    "check",
    "pack",
    "successors",
    "train",
    "pretrain",
    "next",
    "evaluate",
    "compare",
    "predict",
    "embed",
    "explain",
    "variants",
    "report",
    "devices",
    "simulate",
    "demo",
)


def test_version(call):
    answer = call("--version")
    assert (answer.code, answer.out) == (0, f"genoken {genoken.__version__}\n")


@pytest.mark.parametrize("words", [(), ("--help",)])
def test_help_lists_every_verb(call, words):
    answer = call(*words)
    assert answer.code == 0
    assert [verb for verb in VERBS if f" {verb} " not in answer.out] == []


def test_every_verb_is_registered_once():
    assert sorted(command.name for command in app.registered_commands) == sorted(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(call, verb):
    answer = call(verb, "--help")
    assert answer.code == 0
    assert f"genoken {verb}" in answer.out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("trian",), "genoken: error: No such command 'trian'. Did you mean 'train', 'variants', 'pretrain'? — see genoken --help"),
        (("train", "--epoch", "3"), "genoken: error: No such option: --epoch, did you mean --epochs? — see genoken train --help"),
        (("--versoin",), "genoken: error: No such option: --versoin, did you mean --version? — see genoken --help"),
        (("train", "x.h5ad", "--split", "grup"), "genoken: error: --split: 'grup' is not among its words — did you mean 'group'?"),
        (("predict",), "genoken: error: Missing argument 'RUN' — see genoken predict --help"),
        (("train",), "genoken: error: no file to train on is named — for example: genoken train cells.h5ad --label cell_type"),
    ],
)
def test_usage_errors_are_one_line(call, words, line):
    answer = call(*words)
    assert (answer.code, answer.out, answer.error) == (2, "", f"{line}\n")


@pytest.mark.parametrize("words", [("train", "x.h5ad", "--epochs", "3.5"), ("train", "x.h5ad", "--epochs"), ("compare", "a")])
def test_other_usage_errors_are_one_line_too(call, words):
    answer = call(*words)
    assert answer.code == 2
    assert answer.error.startswith("genoken: error: ")
    assert answer.error.count("\n") == 1


def test_an_error_of_genoken_is_one_line(call, recorded):
    recorded("check", DataError("the file\nis odd", where="x.h5ad", remedy="mend it"))
    answer = call("check", "x.h5ad")
    assert (answer.code, answer.error) == (2, "genoken: error: x.h5ad: the file is odd — mend it\n")


def test_a_defect_keeps_its_traceback(recorded):
    recorded("check", ZeroDivisionError("a defect"))
    with pytest.raises(ZeroDivisionError, match="a defect"):
        main(["check", "x.h5ad"])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_says_so(call, monkeypatch, number, code):
    def stop(*_arguments, **_named):
        signal.raise_signal(number)

    monkeypatch.setattr("genoken.workflows.check.check", stop)
    before = signal.getsignal(number)
    answer = call("check", "x.h5ad")
    assert (answer.code, answer.error) == (code, "genoken: stopped\n")
    assert signal.getsignal(number) is before


def test_stopped_is_no_exception():
    assert not issubclass(Stopped, (Exception, KeyboardInterrupt))


class ClosedPipe(io.StringIO):
    def flush(self) -> None:
        raise BrokenPipeError


def test_a_closed_pipe_is_quiet(monkeypatch, recorded, tmp_path):
    recorded("check", BrokenPipeError())
    with (tmp_path / "out").open("w") as file:
        closed = ClosedPipe()
        monkeypatch.setattr(closed, "fileno", file.fileno)
        monkeypatch.setattr(sys, "stdout", closed)
        assert main(["check", "x.h5ad"]) == 1
        monkeypatch.undo()


def test_a_broken_pipe_elsewhere_is_a_defect(recorded):
    recorded("check", BrokenPipeError())
    with pytest.raises(BrokenPipeError):
        main(["check", "x.h5ad"])


def test_logging_is_as_before_afterwards(call):
    before = logging.root.manager.disable
    call("train", "x.h5ad", "--log-level", "error", "--split", "grup")
    assert logging.root.manager.disable == before


def test_importing_starts_nothing():
    assert callable(entry.main)
    from genoken import __main__

    assert __main__.main is main
