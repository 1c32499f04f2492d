"""The random split that a run by groups is held against: of the same kind and the same shares, so that only the groups differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genoken.core.config import component_from_dict
from genoken.core.contracts import Split

if TYPE_CHECKING:
    from genoken.workflows.inputs import Study

_PARTS = ("train", "val", "test")


def random_split(folds: np.ndarray) -> Split:
    """Return the settings of a split of random samples with the number of folds and the shares that these words have.

    Parameters
    ----------
    folds
        ``train``, ``val``, ``test`` or ``unused``, of shape (folds, samples).
    """
    sizes = [int((folds == part).sum()) for part in _PARTS]
    shares = {part: size / sum(sizes) for part, size in zip(_PARTS, sizes, strict=True)}
    return component_from_dict("splits", {"kind": "random", "folds": len(folds) if len(folds) > 1 else 0, **shares})


def random_words(split: Split, study: Study, folds: np.ndarray, seed: int) -> np.ndarray:
    """Return ``train``, ``val``, ``test`` of shape (folds, samples) at random; what the run leaves unused stays ``unused``.

    Parameters
    ----------
    split
        What :func:`random_split` returned.
    study, folds
        The run's samples and its own words.
    seed
        Seed of the run.

    Raises
    ------
    DataError
        When a class has too few samples.
    """
    used = np.flatnonzero((folds != "unused").any(axis=0))
    words = np.full(folds.shape, "unused", dtype="<U6")
    words[:, used] = split.assign(study.named_labels()[used], None, study.samples.table.iloc[used], seed)
    return words
