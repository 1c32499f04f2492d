"""How a run says in words, and in ``metrics.json``, how its samples were divided."""

from __future__ import annotations

from typing import Any

import numpy as np

from genoken.core.components import kind_of
from genoken.core.config import RunConfig
from genoken.data.splits.inherited import PART_COLUMN
from genoken.workflows.assemble import has_linear_path
from genoken.workflows.inputs import Study

_MANY_FOLDS = 10
"""Folds above which it is said how many networks are trained."""


def is_leaky(study: Study, folds: np.ndarray) -> bool:
    """Return whether any fold tests samples of a group that it also learns from."""
    if study.groups is None:
        return False
    groups = study.groups
    return any(bool(set(groups[words == "test"]) & set(groups[words == "train"])) for words in folds)


def split_note(config: RunConfig, study: Study, folds: np.ndarray) -> str:
    """Return how the samples were divided, without the last period."""
    parts = (_division(config, study, folds), _share_note(config), _pretraining_note(config, study))
    return "; ".join(part for part in parts if part) + _validation_note(config, study, folds)


def many_networks_note(config: RunConfig, study: Study, folds: np.ndarray) -> str:
    """Return how many networks are trained where many groups are left out one by one, without a period; else nothing."""
    if kind_of(config.split) != "leave_group_out" or len(folds) <= _MANY_FOLDS:
        return ""
    networks = f"{len(folds):,} networks will be trained, one without each value of '{study.group}', and then the run's own"
    return f"{networks}; --folds 5 in the place of --split leave_group_out keeps groups whole too, with 5"


def _share_note(config: RunConfig) -> str:
    share = config.data.train_share
    return f"learned from {share:.0%} of the train samples of each class (data.train_share)" if share < 1 else ""


def _pretraining_note(config: RunConfig, study: Study) -> str:
    """Return what pretraining knows of the samples; nothing without a pretrained network."""
    if PART_COLUMN not in study.samples.table:
        return ""
    known = int((study.samples.table[PART_COLUMN] != "").sum())
    if not known:
        return "pretraining saw none of these samples"
    if kind_of(config.split) == "inherited":
        new = study.samples.num_samples - known
        kept = f"{known:,} samples keep the part that they had in pretraining"
        return f"{kept}, so no test sample was pretrained on" + (f"; the other {new:,} are new to it" if new else "")
    return f"pretraining knows {known:,} of the samples, and learned from none of the test samples"


def _validation_note(config: RunConfig, study: Study, folds: np.ndarray) -> str:
    """Return that validation samples share groups with train samples, where whole groups are tested; else nothing."""
    groups = study.groups
    if groups is None or kind_of(config.split) == "random" or is_leaky(study, folds):
        return ""
    known = [bool(set(groups[words == "val"]) & set(groups[words == "train"])) for words in folds]
    if not any(known):
        return ""
    where = "" if all(known) else f" in {sum(known)} of {len(known)} folds"
    chosen = (
        "stopping and the weights of the model's summands rest"
        if has_linear_path(config) and config.training.weigh_summands
        else "stopping rests"
    )
    shared = f"Validation samples come from train groups{where}"
    return f". {shared}, so {chosen} on groups that the model has seen; the test groups are new"


def _division(config: RunConfig, study: Study, folds: np.ndarray) -> str:
    kind = kind_of(config.split)
    unit = f"whole '{study.group}' groups" if study.groups is not None and kind != "random" else "samples"
    if kind == "column":
        return "as the column 'split' says"
    if kind == "inherited":
        unit = "samples as in pretraining"
    if len(folds) > 1:
        count = f" ({len(set(study.groups))} groups)" if study.groups is not None and kind != "random" else ""
        return f"{len(folds)}-fold cross-validation over {unit}{count}; every sample is tested once"
    parts = " / ".join(f"{int((folds[0] == part).sum()):,} {part}" for part in ("train", "val", "test"))
    return f"one split of {unit}: {parts}"


def split_summary(config: RunConfig, study: Study, folds: np.ndarray) -> dict[str, Any]:
    """Return the ``split`` section of ``metrics.json``; sizes are averages over folds."""

    def average(count: Any) -> dict[str, int]:
        return {part: round(float(np.mean([count(words == part) for words in folds]))) for part in ("train", "val", "test")}

    groups = study.groups
    return {
        "kind": kind_of(config.split),
        "group": study.group or None,
        "folds": len(folds),
        "leaky": is_leaky(study, folds),
        "note": split_note(config, study, folds),
        "samples": average(lambda chosen: int(chosen.sum())),
        "groups": None if groups is None else average(lambda chosen: len(np.unique(groups[chosen]))),
    }
