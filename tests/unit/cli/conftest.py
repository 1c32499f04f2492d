"""Calling the command line in this process."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import pytest

from genoken.cli.main import main


@dataclass
class Answer:
    """What one call wrote, and its exit code."""

    code: int
    out: str
    error: str


@pytest.fixture
def call(capsys):
    """Return a function that runs ``genoken`` with these words."""

    def run(*words: str) -> Answer:
        code = main([str(word) for word in words])
        written = capsys.readouterr()
        return Answer(code, written.out, written.err)

    return run


@pytest.fixture(autouse=True)
def looked_at(monkeypatch):
    """Files are names alone here; what is looked at before the workflow begins."""
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "genoken.workflows.glance.refuse_unusable", lambda patterns, **named: seen.append({"patterns": list(patterns), **named})
    )
    monkeypatch.setattr("genoken.workflows.glance.refuse_runs_without_variants", lambda folder: None)
    return seen


@pytest.fixture
def recorded(monkeypatch):
    """Return a function that replaces a workflow by one that notes its arguments and returns ``answer``; it has its
    module's name unless ``function`` is another."""

    def replace(name: str, answer: Any = None, function: str = "") -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []
        module = importlib.import_module(f"genoken.workflows.{name}")

        def record(*arguments: Any, **named: Any) -> Any:
            calls.append({"arguments": arguments, **named})
            if isinstance(answer, BaseException):
                raise answer
            return answer

        monkeypatch.setattr(module, function or name, record)
        return calls

    return replace
