"""Which samples are explained: as many of each class as are needed, drawn by the seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.interpretation.subject import Subject

SAMPLES_PER_CLASS = 200
"""Most samples of a class or group that are explained."""
CONTROL_SAMPLES = 32
"""Samples on which the deletion curve and the randomized weights are computed, about."""


@dataclass(frozen=True)
class Part:
    """A model with the samples on which it is to be explained.

    Parameters
    ----------
    subject
        The network and its samples.
    rows
        Samples to explain.
    symbols
        Symbol of each feature of the vocabulary.
    groups
        Group name of each of ``rows``, where there is to be a list of genes per group in place of one per class.
    """

    subject: Subject
    rows: np.ndarray
    symbols: Sequence[str]
    groups: np.ndarray | None = None


@dataclass(frozen=True)
class Draw:
    """The samples that are explained, those of the first model first.

    Parameters
    ----------
    models
        Index of each sample's model, ascending.
    rows
        Row of each sample in its model's data set.
    classes
        Class of interest of each sample.
    members
        Index into ``names`` of each sample.
    names
        Classes or groups of the table.
    num_offered
        Samples that could have been drawn.
    """

    models: np.ndarray
    rows: np.ndarray
    classes: np.ndarray
    members: np.ndarray
    names: tuple[str, ...]
    num_offered: int

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.rows)

    def of_model(self, model: int) -> np.ndarray:
        """Return the positions of a model's samples."""
        return np.flatnonzero(self.models == model)


def draw_samples(parts: Sequence[Part], seed: int) -> Draw:
    """Draw at most :data:`SAMPLES_PER_CLASS` samples of each class (or group) from all parts together.

    Raises
    ------
    DataError
        When there is no sample.
    """
    rows = np.concatenate([np.asarray(part.rows, dtype=np.int64) for part in parts])
    if len(rows) == 0:
        raise DataError("there is no sample to explain")
    models = np.repeat(np.arange(len(parts)), [len(part.rows) for part in parts])
    classes = np.concatenate([part.subject.classes_of_interest(part.rows) for part in parts])
    names, members = _members(parts, classes)
    chosen = draw_per_class(members, SAMPLES_PER_CLASS, seed)
    return Draw(models[chosen], rows[chosen], classes[chosen], members[chosen], names, len(rows))


def _members(parts: Sequence[Part], classes: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names of the table's lists, and the index of each sample's own."""
    target = parts[0].subject.target
    groups = [np.asarray(part.groups).astype(str) for part in parts if part.groups is not None]
    if groups:
        names, members = np.unique(np.concatenate(groups), return_inverse=True)
        return tuple(str(name) for name in names), members
    return (target.classes if target.task == "classification" else (target.label,)), classes


def draw_per_class(members: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return ascending positions of at most ``count`` samples of each class, drawn by ``seed``; all of a class that has no more."""
    chosen = []
    for code in np.unique(members):
        own = np.flatnonzero(members == code)
        chosen.append(own if len(own) <= count else generator(seed, "explain", int(code)).choice(own, count, replace=False))
    return np.sort(np.concatenate([*chosen, np.zeros(0, dtype=np.int64)]))


def draw_controls(draw: Draw, seed: int) -> np.ndarray:
    """Return ascending positions of about :data:`CONTROL_SAMPLES` samples, the same number of each class, models taking turns."""
    count = max(1, CONTROL_SAMPLES // len(np.unique(draw.classes)))
    chosen = []
    for code in np.unique(draw.classes):
        own = generator(seed, "controls", int(code)).permutation(np.flatnonzero(draw.classes == code))
        models = pd.Series(draw.models[own])
        turn = models.groupby(models).cumcount().to_numpy()  # how many of the same model come before
        chosen.append(own[np.argsort(turn, kind="stable")[:count]])
    return np.sort(np.concatenate(chosen))
