"""Holding samples out of pretraining, whole groups where there are groups; drawing some where all would be too many."""

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
    words = _drawn(members, test=test, val=val, seed=seed, least_train=0)
    empty = _empty_part(words, test=test, val=val)
    if empty:
        count, noun = len(np.unique(members)), "groups" if groups is not None else "samples"
        if count < len(np.unique(groups) if groups is not None else members):
            noun += " without copies in common"
        raise DataError(
            f"{count} {noun} are too few to hold any out: the {empty} part would be empty",
            where=where,
            remedy="name more files, hold less out (data.test, data.val), or leave out --group",
        )
    return words


def hold_out_new(
    known: np.ndarray,
    groups: np.ndarray | None,
    *,
    test: float,
    val: float,
    seed: int,
    where: str = "",
    copies: np.ndarray | None = None,
    given: np.ndarray | None = None,
) -> np.ndarray:
    """Return the word ``train``, ``val`` or ``test`` for each sample, some of which have one already.

    New samples of a group that is known go where the group is, see :func:`give_to_known_groups`; the others have the part that is
    given, or are drawn as :func:`hold_out` does, but at least one sample or group of them is learned from.

    Parameters
    ----------
    known
        The part of each sample, of shape (samples,), empty where it has none yet.
    groups
        Group of each sample, or ``None`` when samples are drawn singly.
    test, val
        Shares of the new samples.
    seed
        Seed of the run.
    where
        Where the samples came from, for messages.
    copies
        As for :func:`hold_out`.
    given
        The part that each sample has unless it has one already, of shape (samples,); ``None`` where new samples are drawn.

    Raises
    ------
    DataError
        When a part that shall hold samples, or train, stays empty.
    """
    words = known.astype(object)
    if groups is not None:
        give_to_known_groups(groups, words)
    new = words == ""
    if given is not None:
        words[new] = given[new]
    elif new.any():
        own = None if groups is None else groups[new]
        own_copies = None
        if copies is not None:
            _, first, which = np.unique(copies[new], return_index=True, return_inverse=True)
            own_copies = first[which]
        members = _units(int(new.sum()), own, own_copies)
        words[new] = _drawn(members, test=test, val=val, seed=seed, least_train=1)
    empty = _empty_part(words, test=test, val=val)
    if empty:
        count = int((known != "").sum())
        raise DataError(
            f"the {empty} part would be empty: the earlier run knows {count:,} of {len(known):,} samples, which keep their part",
            where=where,
            remedy="name files with more new samples, or files to report on (--eval)",
        )
    return words


def give_to_known_groups(groups: np.ndarray, words: np.ndarray) -> None:
    """Give samples without a part the one of their group, in place: train where any of it is, else validation, else test.

    Parameters
    ----------
    groups
        Group of each sample.
    words
        The part of each sample, empty where it has none yet.
    """
    known, new = words.copy(), words == ""
    for word in ("test", "val", "train"):  # the last one wins
        words[new & np.isin(groups, groups[known == word])] = word


def _drawn(members: np.ndarray, *, test: float, val: float, seed: int, least_train: int) -> np.ndarray:
    """Return the word of each sample, of whose units, (samples,), at least ``least_train`` are left; parts may be empty."""
    num_samples = len(members)
    sizes = np.bincount(members)
    order = generator(seed, "hold_out").permutation(len(sizes))
    words = np.full(len(sizes), "train", dtype=object)
    start = 0
    for word, wanted in (("test", test * num_samples), ("val", val * (1 - test) * num_samples)):
        held = 0
        while wanted > 0 and held < wanted - 0.5 and start < len(order) - least_train:
            words[order[start]] = word
            held += sizes[order[start]]
            start += 1
    return words[members]


def _empty_part(words: np.ndarray, *, test: float, val: float) -> str:
    """Return the first part that shall hold samples and holds none, or an empty word."""
    shares = {"test": test, "val": val, "train": 1.0}
    return next((word for word, share in shares.items() if share > 0 and not (words == word).any()), "")


def _units(num_samples: int, groups: np.ndarray | None, copies: np.ndarray | None) -> np.ndarray:
    """Return what each sample is held out with, int64 (samples,): itself or its group, joined with those that hold its copies."""
    members = np.arange(num_samples) if groups is None else np.unique(groups.astype(str), return_inverse=True)[1]
    if copies is None:
        return members
    size = int(members.max(initial=-1)) + 1
    shared = sp.coo_matrix((np.ones(num_samples), (members, members[copies])), shape=(size, size))
    return connected_components(shared, directed=False)[1][members].astype(np.int64)


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
