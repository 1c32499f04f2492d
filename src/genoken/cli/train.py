"""``genoken train``: from a file to a run folder with its report."""

from __future__ import annotations

import logging
import re
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from genoken.cli.flags import TRAIN_FLAGS, Given, takes_flags
from genoken.cli.stop import Stopped
from genoken.core.errors import ConfigError

FAST_DEV_RUN: dict[str, Any] = {
    "training.epochs": 1,
    "training.limit_batches": 4,
    "data.limit_samples": 200,
    "evaluation.bootstrap": 100,
}
"""What ``--fast-dev-run`` stands for."""
_THREE_FILES = ("train", "val", "test")
_ARGUMENTS = ("label", "group", "positive", "preset", "overwrite")
_ALLOWED_WITH_RESUME = ("resume", "log_level", "quiet")


@takes_flags
def command(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="An .h5ad file.", show_default=False)], given: Given
) -> None:
    """Train on a file, compare with simple baselines, write a report.

    What stands later wins: --preset, --config, --set, all other flags. The whole configuration is saved as config.yaml.
    """
    others = given.others
    _set_log_level(others.get("log_level", "warning"))
    _refuse_contradictions(file, given)
    arguments = {"resume": others["resume"]} if "resume" in others else _fresh(file, given)

    from genoken.workflows.show import Show
    from genoken.workflows.train import train

    show = Show(quiet="quiet" in others)
    if "output" in arguments:
        show.line(f"The run folder will be {arguments['output']}")
    try:
        train(**arguments, show=show)
    except Stopped as stopped:
        stopped.advice = _advice(Path(arguments.get("resume") or arguments["output"]))
        raise


def default_output(file: Path, label: str) -> Path:
    """Return ``runs/FILE-LABEL``, with a dash for every run of characters that do not belong into a folder's name."""
    words = [re.sub(r"[^\w.+-]+", "-", word).strip("-.") for word in (file.stem, label)]
    return Path("runs") / ("-".join(word for word in words if word) or "run")


def settings_of(given: Given) -> dict[str, Any]:
    """Return configuration path to value: what flags imply, under what ``--set`` says, under what flags say.

    ``--encoder linear`` implies a linear head, so that the whole model is linear. Folds of whole groups are the split ``folds``,
    which is what ``--split group --folds 5`` means.

    Raises
    ------
    ConfigError
        When an assignment is not of the form ``path=value``.
    """
    from genoken.core.config import parse_assignment

    implied = FAST_DEV_RUN if "fast_dev_run" in given.others else {}
    said = dict(parse_assignment(text) for text in given.others.get("set", ()))
    flags = dict(given.settings)
    if flags.get("model.encoder.kind") == "linear":
        implied = {**implied, "model.head": "linear"}
    if flags.get("split.kind") == "group" and "split.folds" in flags:
        flags["split.kind"] = "folds"
    return {**implied, **said, **flags}


def _fresh(file: Path | None, given: Given) -> dict[str, Any]:
    others = given.others
    first = file or others["train"]
    return {
        **({"data": file} if file else {name: others[name] for name in _THREE_FILES}),
        **{name: others[name] for name in (*_ARGUMENTS, "config") if name in others},
        "settings": settings_of(given),
        "output": others.get("output") or default_output(first, others.get("label", "")),
    }


def _refuse_contradictions(file: Path | None, given: Given) -> None:
    others = given.others
    if "resume" in others:
        names = [f"--{flag.name}" for flag in TRAIN_FLAGS if flag.path in given.settings or flag.parameter in others]
        allowed = [f"--{name.replace('_', '-')}" for name in _ALLOWED_WITH_RESUME]
        extra = ([str(file)] if file else []) + [name for name in names if name not in allowed]
        if extra:
            raise ConfigError(
                "a resumed run goes on with its own file and settings", where="--resume", remedy=f"leave out {', '.join(extra)}"
            )
        return
    three = [name for name in _THREE_FILES if name in others]
    if file and three:
        raise ConfigError("give either FILE or --train, --val and --test", remedy=f"leave out {file} or --{three[0]}")
    if three and len(three) < len(_THREE_FILES):
        missing = ", ".join(f"--{name}" for name in _THREE_FILES if name not in others)
        raise ConfigError("three files belong together", where=f"--{three[0]}", remedy=f"add {missing}")
    if not file and not three:
        raise ConfigError("there is nothing to train on", remedy="for example: genoken train cells.h5ad --label cell_type")


def _advice(folder: Path) -> str:
    if not (folder / "config.yaml").is_file():
        return "nothing was trained yet"
    return f"go on with: genoken train --resume {shlex.quote(str(folder))}"


def _set_log_level(name: str) -> None:
    level = logging.getLevelNamesMapping()[name.upper()]
    logging.disable(level - 1)
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
