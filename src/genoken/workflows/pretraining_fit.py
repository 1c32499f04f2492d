"""Train what a pretraining run has prepared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.data.dataset import Part
from genoken.models.token_network import TokenNetwork
from genoken.training.fit import Fit, fit, planned
from genoken.training.masked import MaskedTask
from genoken.workflows.prepared import Prepared
from genoken.workflows.pretrained import objectives_of, statistics_of
from genoken.workflows.show import Show


def epoch_note(row: Mapping[str, Any]) -> str:
    """Return an epoch's losses in a few words."""
    return f"held-out loss {row['val_loss']:.3f}, same masks on train {row['train_part_loss']:.3f}"


def task_of(prepared: Prepared, *, where: str) -> tuple[MaskedTask, Part]:
    """Return the objectives with their masks, and the train part on which their targets were counted.

    Raises
    ------
    DataError
        When a part has no pair, or an objective asks for nothing in it: there would be no loss to learn from, or to judge by.
    """
    _refuse_parts_without_pairs(prepared, where)
    training, train = prepared.model.config.training, prepared.part("train")
    every_feature = prepared.pairs is not None and prepared.pairs.every_feature
    task = MaskedTask(
        objectives_of(prepared.model.config),
        prepared.whole.layout,
        train,
        num_held_out=len(prepared.items["val"]),
        num_epochs=planned(training, train).epochs,
        seed=training.seed,
        statistics=statistics_of(prepared.model.state, every_sample=every_feature),
    )
    for name in ("train", "val", "test"):
        _refuse_without_targets(task, train if name == "train" else prepared.part(name), name, where)
    return task, train


def _refuse_parts_without_pairs(prepared: Prepared, where: str) -> None:
    for name, items in prepared.items.items():
        if prepared.pairs is not None and not len(items):
            raise DataError(
                f"no cell of the {name} part has a successor in the same part",
                where=where,
                remedy="hold out whole groups within which cells follow each other (--group), or more cells (data.test, data.val)",
            )


def _refuse_without_targets(task: MaskedTask, part: Part, name: str, where: str) -> None:
    for kind in sorted(task.without_targets(part)):
        raise DataError(
            f"nothing is hidden: the objective '{kind}' finds no token to ask for in the {len(part):,} {name} samples",
            where=where,
            remedy="hide a larger share (objective's probability), or hold out more samples (data.test, data.val)",
        )


def train_prepared(
    prepared: Prepared, task: MaskedTask, train: Part, *, folder: Path, show: Show, title: str = "Pretraining"
) -> Fit[TokenNetwork]:
    """Train the network; validation takes the loss on as many train items as are held out for it, with the same masks.

    Parameters
    ----------
    prepared
        The network, which has the best weights afterwards, and the items.
    task, train
        What :func:`task_of` returned.
    folder
        Receives checkpoints, from which an interrupted training goes on.
    show, title
        Where progress goes, and what it is called.
    """
    val = validation_part(prepared)
    with show.bar(title, total=task.num_epochs) as bar:
        return fit(
            prepared.model.network,
            train,
            val,
            task,
            prepared.model.config.training,
            folder=folder,
            on_epoch=lambda row: bar.to(row["epoch"] + 1, epoch_note(row)),
        )


def validation_part(prepared: Prepared) -> Part:
    """Return the items that are held out for validation, and behind them as many train items."""
    items = prepared.items
    probe = items["train"][_probe(items, prepared.model.config.training.seed)]
    return prepared.whole.take(np.concatenate([items["val"], probe]))


def _probe(items: dict[str, np.ndarray], seed: int) -> np.ndarray:
    """Return train items on which the loss is taken just as on those held out."""
    num_train = len(items["train"])
    return np.sort(generator(seed, "train_part").choice(num_train, min(len(items["val"]), num_train), replace=False))
