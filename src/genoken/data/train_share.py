"""A share of the train samples, to learn from fewer labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.core.random import generator


def draw_train_share(rows: np.ndarray, strata: np.ndarray, ids: pd.Index, *, share: float, seed: int) -> np.ndarray:
    """Return a share of some rows, of each stratum: ``round(share * size)``, at least one.

    Every sample has a random rank of its own, and the lowest ranks are taken, so that a smaller share is part of a larger one and
    the draw depends neither on the order of the file nor on the fold.

    Parameters
    ----------
    rows
        Rows to draw from.
    strata
        Class code of every sample of the study; a single one where there are no classes.
    ids
        Id of every sample of the study.
    share
        From 0 to 1; with 1 all rows are returned.
    seed
        Seed of the run.

    Returns
    -------
    numpy.ndarray
        The drawn rows in ascending order.
    """
    rows = np.sort(rows)
    if share >= 1:
        return rows
    ranks = np.empty(len(ids))
    ranks[np.argsort(np.asarray(ids.astype(str), dtype=str), kind="stable")] = generator(seed, "train_share").random(len(ids))
    drawn = []
    for stratum in np.unique(strata[rows]):
        own = rows[strata[rows] == stratum]
        count = max(1, round(share * len(own)))
        drawn.append(own[np.argsort(ranks[own], kind="stable")[:count]])
    return np.sort(np.concatenate(drawn)) if drawn else rows
