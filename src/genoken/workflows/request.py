"""What a training is asked for, and whether it can be done here, before anything is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genoken.core.components import kind_of
from genoken.core.config import RunConfig
from genoken.core.contracts import TargetState, TokenizerState
from genoken.core.errors import ConfigError
from genoken.models.embeddings import EmbeddingStart
from genoken.models.network import Network
from genoken.training.fit import choose_compute
from genoken.training.processes import check_launch
from genoken.workflows.own_network import own_name
from genoken.workflows.rivals import rival_config
from genoken.workflows.store import build_network

if TYPE_CHECKING:
    from genoken.workflows.source import Input


def named_inputs(
    data: Input | None,
    train: Input | None,
    val: Input | None,
    test: Input | None,
) -> dict[str, Any]:
    """Return the file, or the files to be joined, under ``data``, or the parts under ``train``, ``val`` and ``test``.

    Raises
    ------
    ConfigError
        When neither is complete, or both are given.
    """
    parts = {part: value for part, value in (("train", train), ("val", val), ("test", test)) if value is not None}
    if data is not None and parts:
        raise ConfigError("give either one file, or --train, --val and --test", remedy="leave out one of the two")
    if data is not None:
        return {"data": data}
    if "train" in parts and "test" in parts:
        return parts
    if parts:
        raise ConfigError("three files need at least --train and --test", remedy="add the missing one; --val may be left out")
    raise ConfigError("no file to train on is named", remedy="genoken train cells.h5ad --label COLUMN")


def default_folder(inputs: Mapping[str, Any], label: str) -> Path:
    """Return ``runs/FILE-LABEL``, with an underscore for each character that does not belong into a folder's name.

    Parameters
    ----------
    inputs
        ``data`` or ``train`` to a path or an AnnData object, or several, of which the first one counts.
    label
        Column that is predicted.
    """
    value = inputs.get("data", inputs.get("train"))
    value = value[0] if isinstance(value, (list, tuple)) and value else value
    stem = Path(value).stem if isinstance(value, (str, Path)) else "anndata"
    return Path("runs") / re.sub(r"[^\w.-]", "_", f"{stem}-{label}" if label else stem)


def refuse_second_split(inputs: Mapping[str, Any], config: RunConfig) -> None:
    """Refuse three files, which are a split, together with another split.

    Raises
    ------
    ConfigError
        When both are asked for.
    """
    kind = kind_of(config.split)
    if "data" not in inputs and (kind not in ("auto", "column") or getattr(config.split, "folds", False)):
        raise ConfigError("three files are a split already", where=f"split.kind: {kind}", remedy="leave --split and --folds away")


def check_settings(config: RunConfig) -> None:
    """Refuse settings that contradict each other, or that this machine cannot do, whatever the data are.

    Raises
    ------
    ConfigError
        For a network or a rival that cannot be built, such as one whose heads do not divide its width; for a precision, an
        attention backend or a number of processes that cannot be used here.
    """
    # A user's own network may need more than two features.
    choose_compute(_small_network(rival_config(config, "mlp") if own_name(config) else config), config.training)
    check_launch(config.training)
    for rival in config.evaluation.rivals:
        _small_network(rival_config(config, rival))


def _small_network(config: RunConfig) -> Network:
    """Return a network for two features, which is refused for the same reasons as the real one."""
    target = TargetState(task=config.objective.task, label="", classes=("first", "second"), class_counts=(1, 1))
    return build_network(config, TokenizerState(feature_ids=("first", "second")), target, EmbeddingStart(), config.training.seed)
