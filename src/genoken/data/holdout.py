"""Holding samples out of pretraining, whole groups where there are groups."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from genoken.core.errors import DataError
from genoken.core.random import generator


def hold_out(
    num_samples: int,
    groups: np.ndarray | None,
    *,
    test: float,
    val: float,
    seed: int,
    where: str = "",
    copies: np.ndarray | None = None,
) -> np.ndarray:
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
    copies
        int64 (samples,): the first sample that each one is a copy of, see :func:`genoken.data.row_hashes.first_copies`; copies are
        held out together, and so are groups that share some. ``None``: there are none.

    Raises
    ------
    DataError
        When a part that shall hold samples, or train, stays empty.
    """
    members = _units(num_samples, groups, copies)
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
            if len(sizes) < len(np.unique(groups) if groups is not None else members):
                noun += " without copies in common"
            raise DataError(
                f"{len(sizes)} {noun} are too few to hold any out: the {word} part would be empty",
                where=where,
                remedy="name more files, hold less out (data.test, data.val), or leave out --group",
            )
    return found


def _units(num_samples: int, groups: np.ndarray | None, copies: np.ndarray | None) -> np.ndarray:
    """Return what each sample is held out with, int64 (samples,): itself or its group, joined with those that hold its copies."""
    members = np.arange(num_samples) if groups is None else np.unique(groups.astype(str), return_inverse=True)[1]
    if copies is None:
        return members
    size = int(members.max(initial=-1)) + 1
    shared = sp.coo_matrix((np.ones(num_samples), (members, members[copies])), shape=(size, size))
    return connected_components(shared, directed=False)[1][members].astype(np.int64)
