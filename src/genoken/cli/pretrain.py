"""``genoken pretrain``: from files without labels to a network that knows how genes go together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from genoken.cli.begin import begin_or_resume
from genoken.cli.flags import PRETRAIN_FLAGS, Given, takes_flags
from genoken.core.errors import ConfigError

FAST_DEV_RUN: dict[str, Any] = {"training.epochs": 1, "training.limit_batches": 4, "data.limit_samples": 200}
"""What ``--fast-dev-run`` stands for."""
_HANDED_ON = ("preset", "config", "overwrite", "mask_probability", "mask_share", "random_share")
"""Flags that have the names of the workflow's arguments."""


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
    begin_or_resume("pretrain", PRETRAIN_FLAGS, files or [], given, lambda: _arguments(files, given), _workflow)


def _workflow() -> Callable[..., object]:
    from genoken.workflows.pretrain import pretrain

    return pretrain


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
        **{name: others[name] for name in _HANDED_ON if name in others},
        "start_from": others.get("from_"),
        "settings": settings_of(given),
        "output": others.get("output") or Path("runs") / f"pretrained-{stem}",
    }
