"""Holding samples out of pretraining, whole groups where there are groups; drawing some where all would be too many."""

from __future__ import annotations

import numpy as np

from genoken.core.errors import DataError
from genoken.core.random import generator


def hold_out(num_samples: int, groups: np.ndarray | None, *, test: float, val: float, seed: int, where: str = "") -> np.ndarray:
    """Return the word ``train``, ``val`` or ``test`` for each sample.

    Groups are drawn in random order into the test part until it holds its share of the samples, then into the validation part.

    Parameters
    ----------
    num_samples
        Number of samples.
    groups
        Group of each sample, or ``None`` when samples are drawn singly.
    test
        Share of all samples in the test part, from 0 to 1.
    val
        Share of the remaining samples in the validation part.
    seed
        Seed of the run.
    where
        Where the samples came from, for messages.

    Raises
    ------
    DataError
        When a part that shall hold samples, or train, stays empty.
    """
    members = np.arange(num_samples) if groups is None else np.unique(groups.astype(str), return_inverse=True)[1]
    sizes = np.bincount(members)
    order = generator(seed, "hold_out").permutation(len(sizes))
    words = np.full(len(sizes), "train", dtype=object)
    start = 0
    for word, wanted in (("test", test * num_samples), ("val", val * (1 - test) * num_samples)):
        held = 0
        while wanted > 0 and held < wanted - 0.5 and start < len(order):
            words[order[start]] = word
            held += sizes[order[start]]
            start += 1
    found = words[members]
    for word, share in (("test", test), ("val", val), ("train", 1.0)):
        if share > 0 and not (found == word).any():
            noun = "groups" if groups is not None else "samples"
            raise DataError(
                f"{len(sizes)} {noun} are too few to hold any out: the {word} part would be empty",
                where=where,
                remedy="name more files, hold less out (data.test, data.val), or leave out --group",
            )
    return found


def draw_within(rows: np.ndarray, most: int, *, sizes: np.ndarray | None = None, seed: int, purpose: str) -> np.ndarray:
    """Return as many rows, drawn at random, as together have at most a given size; all of them where they do.

    Parameters
    ----------
    rows
        Row numbers, int64.
    most
        The size that is not to be exceeded, except by a single row; 0 for no limit.
    sizes
        Size of each of the rows; ``None``: 1, so that ``most`` is their number.
    seed
        Seed of the run.
    purpose
        What they are drawn for: draws for different purposes are independent.

    Returns
    -------
    numpy.ndarray
        Rows in the order in which they were given.
    """
    sizes = np.ones(len(rows), dtype=np.int64) if sizes is None else sizes
    if not most or sizes.sum() <= most:
        return rows
    order = generator(seed, purpose).permutation(len(rows))
    count = max(int(np.searchsorted(np.cumsum(sizes[order]), most, side="right")), 1)
    return rows[np.sort(order[:count])]
