"""``genoken pretrain``: from files without labels to a network that knows how genes go together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from genoken.cli.flags import PRETRAIN_FLAGS, Given, takes_flags
from genoken.cli.stop import Stopped
from genoken.cli.train import advice, set_log_level
from genoken.core.errors import ConfigError

FAST_DEV_RUN: dict[str, Any] = {"training.epochs": 1, "training.limit_batches": 4, "data.limit_samples": 200}
"""What ``--fast-dev-run`` stands for."""
_ALLOWED_WITH_RESUME = ("resume", "log_level", "quiet")


@takes_flags(PRETRAIN_FLAGS)
def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="Files, also as patterns: *.h5ad, shard_{0..43}.h5ad.", show_default=False),
    ],
    given: Given,
) -> None:
    """Pretrain on hidden tokens of files without labels, and hold the network against trivial rules.

    What stands later wins: --preset, --config, --set, all other flags. The whole configuration is saved as config.yaml.
    """
    others = given.others
    set_log_level(others.get("log_level", "warning"))
    from genoken.workflows.pretrain import pretrain
    from genoken.workflows.show import Show

    resume = others.get("resume")
    if resume is not None:
        _refuse_settings_of_resumed(files, given)
    arguments = {"resume": resume} if resume is not None else _arguments(files, given)
    try:
        pretrain(**arguments, show=Show(quiet="quiet" in others))
    except Stopped as stopped:
        stopped.advice = advice(resume or arguments["output"], "pretrain")
        raise


def settings_of(given: Given) -> dict[str, Any]:
    """Return configuration path to value: what ``--fast-dev-run`` implies, under what ``--set`` says, under what flags say.

    Raises
    ------
    ConfigError
        When an assignment is not of the form ``path=value``.
    """
    from genoken.core.config import parse_assignment

    others = given.others
    implied = dict(FAST_DEV_RUN) if "fast_dev_run" in others else {}
    said = dict(parse_assignment(text) for text in others.get("set", ()))
    flags = dict(given.settings)
    if "objective" in others:
        flags["objectives"] = list(others["objective"])
    return {**implied, **said, **flags}


def _arguments(files: list[str] | None, given: Given) -> dict[str, Any]:
    others = given.others
    if not files:
        raise ConfigError("no file to pretrain on is named", remedy="for example: genoken pretrain shard_{0..9}.h5ad")
    phenotypes = [name.strip() for name in others.get("phenotypes", "").split(",") if name.strip()]
    stem = Path(files[0]).stem.replace("*", "").replace("{", "").replace("}", "") or "files"
    return {
        "data": files,
        "evaluate_on": others.get("eval"),
        "phenotypes": phenotypes,
        **{name: others[name] for name in ("preset", "config", "overwrite", "mask_probability") if name in others},
        "start_from": others.get("from_"),
        "settings": settings_of(given),
        "output": others.get("output") or Path("runs") / f"pretrained-{stem}",
    }


def _refuse_settings_of_resumed(files: list[str] | None, given: Given) -> None:
    typed = [flag for flag in PRETRAIN_FLAGS if flag.path in given.settings or flag.parameter in given.others]
    extra = [*(files or []), *(f"--{flag.name}" for flag in typed if flag.parameter not in _ALLOWED_WITH_RESUME)]
    if extra:
        raise ConfigError(
            "a resumed run goes on with its own files and settings", where="--resume", remedy=f"leave out {', '.join(extra)}"
        )
