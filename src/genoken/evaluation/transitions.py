"""Which genes rise and fall from one cell type to the next, as predicted and as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genoken.evaluation.next_cell_floors import DENOISED, CellPart, Profiles

if TYPE_CHECKING:
    import pandas as pd

Transition = tuple[str, str]
LEAST_CELLS = 10


@dataclass(frozen=True)
class Change:
    """Mean changes from the denoised current cell to the next one, over the cells of a transition.

    Parameters
    ----------
    cells
        Number of cells.
    predicted, true
        float64 (features,): in log values.
    """

    cells: int
    predicted: np.ndarray
    true: np.ndarray


def next_types(part: CellPart) -> np.ndarray:
    """Return the type of most of each cell's successors, by weight, ties by name; an empty text for cells without any."""
    if part.types is None:
        raise ValueError("transitions need types")
    known, codes = np.unique(np.asarray(part.types).astype(str), return_inverse=True)
    totals = np.zeros((len(codes), len(known)))
    means = part.means(part.starts).tocoo()
    np.add.at(totals, (part.starts[means.row], codes[means.col]), means.data)
    found = known[totals.argmax(axis=1)].astype(object)
    found[totals.sum(axis=1) == 0] = ""
    return found


def transition_changes(part: CellPart, profiles: Profiles, predictor: str) -> dict[Transition, Change]:
    """Return the mean changes of each transition between different types that at least 10 cells make.

    Parameters
    ----------
    part
        The cells, with types.
    profiles
        Predicts the successors of rows; ``predictor`` and ``denoised_current`` are among its predictors.
    predictor
        Whose changes are meant, for example ``model``.
    """
    following = next_types(part)
    current = np.asarray(part.types).astype(str).astype(object)
    result = {}
    pairs = sorted({(str(one), str(other)) for one, other in zip(current, following, strict=True) if other and one != other})
    for pair in pairs:
        rows = np.flatnonzero((current == pair[0]) & (following == pair[1]))
        if len(rows) >= LEAST_CELLS:
            result[pair] = _change(part, rows, profiles, predictor)
    return result


def _change(part: CellPart, rows: np.ndarray, profiles: Profiles, predictor: str) -> Change:
    predicted, true = np.zeros(part.values.shape[1]), np.zeros(part.values.shape[1])
    for block in part.blocks(rows):
        found = profiles(block)
        denoised = found[DENOISED].astype(np.float64)
        predicted += (found[predictor] - denoised).sum(axis=0)
        true += (part.targets(block) - denoised).sum(axis=0)
    return Change(len(rows), predicted / len(rows), true / len(rows))


def transition_table(changes: Mapping[Transition, Change], genes: np.ndarray, top: int = 20) -> pd.DataFrame:
    """Return the genes that are predicted to rise and to fall most in each transition.

    Parameters
    ----------
    changes
        What :func:`transition_changes` returned.
    genes
        Name of each feature.
    top
        Genes per transition and direction.

    Returns
    -------
    DataFrame
        ``from``, ``to``, ``cells``, ``direction`` (``rising`` or ``falling``), ``rank`` from 1, ``gene``, ``predicted_change`` and
        ``true_change`` (log values). Genes that are not predicted to change are in neither list.
    """
    import pandas as pd

    columns = ["from", "to", "cells", "direction", "rank", "gene", "predicted_change", "true_change"]
    rows = [
        (*pair, change.cells, direction, rank, str(genes[feature]), float(change.predicted[feature]), float(change.true[feature]))
        for pair, change in changes.items()
        for direction, sign in (("rising", 1.0), ("falling", -1.0))
        for rank, feature in enumerate(np.argsort(-sign * change.predicted, kind="stable")[:top], start=1)
        if sign * change.predicted[feature] > 0
    ]
    return pd.DataFrame(rows, columns=columns)


def recovery(change: np.ndarray, rising: np.ndarray, falling: np.ndarray) -> dict[str, dict[str, float | None]]:
    """Return how well predicted changes find genes that are known to rise or to fall.

    Parameters
    ----------
    change
        (features,): predicted changes.
    rising, falling
        bool (features,): the truth.

    Returns
    -------
    dict
        ``rising`` and ``falling`` to ``average_precision`` and ``chance``, the share of such genes; ``None`` where there are none.
    """
    from sklearn.metrics import average_precision_score

    result: dict[str, dict[str, float | None]] = {}
    for name, truth, scores in (("rising", rising, change), ("falling", falling, -change)):
        found = float(average_precision_score(truth, scores)) if truth.any() else None
        result[name] = {"average_precision": found, "chance": float(truth.mean()) if truth.any() else None}
    return result
