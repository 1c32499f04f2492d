"""What the verbs that train do with what was typed: begin a run or go on with one, and say how a stopped one can be finished."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from genoken.cli.flags import Flag, Given
from genoken.cli.stop import Stopped
from genoken.core.errors import ConfigError

_PARTS = ("train", "val", "test")
"""Flags that name files."""
_ALLOWED_WITH_RESUME = ("resume", "log_level", "quiet")


def begin_or_resume(
    verb: str,
    flags: Sequence[Flag],
    files: Sequence[str | Path],
    given: Given,
    arguments: Callable[[], dict[str, Any]],
    workflow: Callable[[], Callable[..., object]],
) -> None:
    """Run the workflow of a verb on what was typed, or on the folder to go on with alone.

    Parameters
    ----------
    verb
        Name of the command, for the advice how to go on.
    flags
        All flags of the verb.
    files, given
        What was typed.
    arguments
        Returns the arguments of a new run, its ``output`` among them, so that a stopped run can say how to go on.
    workflow
        Imports the workflow and returns it; called when all that was typed was found right, because the import takes its time.

    Raises
    ------
    ConfigError
        When a run shall go on with other files or settings than its own.
    Stopped
        When the user stops it; with the advice how to go on.
    """
    _set_log_level(given.others.get("log_level", "warning"))
    resume = given.others.get("resume")
    if resume is not None:
        _refuse_settings_of_resumed(flags, files, given)
    if resume is None:
        _look_at(files, given)
    chosen = {"resume": resume} if resume is not None else arguments()
    from genoken.workflows.show import Show

    try:
        workflow()(**chosen, show=Show(quiet="quiet" in given.others))
    except Stopped as stopped:
        stopped.advice = _advice(resume or chosen["output"], verb)
        raise


def _look_at(files: Sequence[str | Path], given: Given) -> None:
    """Refuse files that cannot be used, before what trains on them is imported, which takes its time."""
    from genoken.workflows.glance import refuse_unusable

    parts = [given.others[name] for name in _PARTS if name in given.others]
    # A preset or a file of settings may say another matrix than the usual one.
    source = None if {"preset", "config", "set", "from_"} & set(given.others) else given.settings.get("data.source", "auto")
    refuse_unusable(files, source=source, strict=bool(given.settings.get("data.strict", False)))
    for part in parts:
        refuse_unusable([part], source=source)


def _refuse_settings_of_resumed(flags: Sequence[Flag], files: Sequence[str | Path], given: Given) -> None:
    typed = [flag for flag in flags if flag.path in given.settings or flag.parameter in given.others]
    extra = [*map(str, files), *(f"--{flag.name}" for flag in typed if flag.parameter not in _ALLOWED_WITH_RESUME)]
    if extra:
        raise ConfigError(
            "a resumed run goes on with its own file and settings", where="--resume", remedy=f"leave out {', '.join(extra)}"
        )


def _advice(folder: Path, verb: str) -> str:
    """Return how a run that was stopped can be finished."""
    from genoken.workflows.state import STATE

    if not (folder / STATE).is_file():
        return "nothing was trained yet"
    return f"go on with: genoken {verb} --resume {shlex.quote(str(folder))}"


def _set_log_level(name: str) -> None:
    """Let libraries tell what is of this level or above."""
    level = logging.getLevelNamesMapping()[name.upper()]
    logging.disable(level - 1)
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
