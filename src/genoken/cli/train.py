"""``genoken train``: from a file to a run folder with its report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from genoken.cli.begin import begin_or_resume
from genoken.cli.flags import TRAIN_FLAGS, Given, takes_flags
from genoken.cli.options import one_or_several
from genoken.core.errors import ConfigError

FAST_DEV_RUN: dict[str, Any] = {
    "training.epochs": 1,
    "training.limit_batches": 4,
    "data.limit_samples": 200,
    "evaluation.bootstrap": 100,
    "evaluation.baselines": ["majority", "linear"],
}
"""What ``--fast-dev-run`` stands for."""
RIVALS: dict[str, dict[str, Any]] = {
    "mlp": {"model.linear_path": False},
    "linear": {"model.linear_path": False, "model.head": "linear"},
}
"""What ``--encoder`` with the name of a rival implies."""
_ARGUMENTS = ("label", "group", "positive", "train", "val", "test", "preset", "config", "overwrite")


@takes_flags(TRAIN_FLAGS)
def command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...",
            help="An .h5ad, .zarr, .gctx, .gct, .bed, .pgen or .vcf file, or 10x (.h5 or folder); several are joined.",
            show_default=False,
        ),
    ],
    given: Given,
) -> None:
    """Train on a file or several, compare with simple baselines, write a report.

    What stands later wins: --preset, --config, --set, all other flags. The whole configuration is saved as config.yaml.
    """
    begin_or_resume("train", TRAIN_FLAGS, files or [], given, lambda: _arguments(files or [], given), _workflow)


def _workflow() -> Callable[..., object]:
    from genoken.workflows.train import train

    return train


def settings_of(given: Given) -> dict[str, Any]:
    """Return configuration path to value: what flags imply, under what ``--set`` says, under what flags say.

    ``--encoder mlp`` and ``linear`` imply what the rivals of the same names are: no linear path beside them, and a linear head for
    ``linear``. Folds of whole groups are the split ``folds``, which is what ``--split group --folds 5`` means.

    Raises
    ------
    ConfigError
        When an assignment is not of the form ``path=value``.
    """
    from genoken.core.config import parse_assignment

    implied = dict(FAST_DEV_RUN) if "fast_dev_run" in given.others else {}
    said = dict(parse_assignment(text) for text in given.others.get("set", ()))
    flags = dict(given.settings)
    implied |= RIVALS.get(flags.get("model.encoder.kind", ""), {})
    if flags.get("split.kind") == "group" and "split.folds" in flags:
        flags["split.kind"] = "folds"
    return {**implied, **said, **flags}


def _arguments(files: Sequence[Path], given: Given) -> dict[str, Any]:
    """Return the arguments of the workflow; the folder is always named, so that a stopped run can say how to go on."""
    from genoken.workflows.request import default_folder

    others, settings = given.others, settings_of(given)
    label = others.get("label") or _label_of(given, settings)
    first = files[0] if files else others.get("train")
    if first is None:
        raise ConfigError("no file to train on is named", remedy="for example: genoken train cells.h5ad --label cell_type")
    return {
        "data": one_or_several(files) if files else None,
        **{name: others[name] for name in _ARGUMENTS if name in others},
        **({"start_from": others["from_"]} if "from_" in others else {}),
        "settings": settings,
        "output": others.get("output") or default_folder({"data": first}, label),
    }


def _label_of(given: Given, settings: dict[str, Any]) -> str:
    """Return the label that the configuration names, for the name of the folder."""
    from genoken.workflows.assemble import resolve_config
    from genoken.workflows.start import read_start

    others = given.others
    pretrained = read_start(others["from_"]).settings() if "from_" in others else None
    return resolve_config(others.get("preset", ""), others.get("config"), settings, pretrained=pretrained).data.label
