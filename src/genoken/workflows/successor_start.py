"""What the linear path of next cells starts from: ridge regression of successors on current cells, fitted on train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from genoken.core.components import kind_of
from genoken.core.config import PretrainConfig
from genoken.core.random import generator
from genoken.data.dataset import TokenDataset
from genoken.data.successors import Successors
from genoken.evaluation.next_cell_floors import CellPart, fit_profile_floors
from genoken.models.successor_path import SuccessorStart, has_successor_path
from genoken.workflows.pretrained import layout_of, statistics_of

MOST_CELLS = 50_000
"""Cells of a part on which rules without a network are fitted or scored."""
MOST_ROWS = 2 * MOST_CELLS
"""The same with all of their successors, whose values are in memory too."""


@dataclass(frozen=True)
class DrawnCells:
    """Cells of a part that were drawn, and all of their successors.

    Parameters
    ----------
    rows
        Rows of both, int64, ascending.
    drawn
        Places in ``rows`` of the cells that were drawn, int64, ascending; ``None`` where the whole part was.
    """

    rows: np.ndarray
    drawn: np.ndarray | None = None


def drawn_cells(rows: Mapping[str, np.ndarray], successors: Successors, seed: int) -> dict[str, DrawnCells]:
    """Return the cells of each part that rules without a network are fitted on or scored on: all, or a draw of them.

    At most ``MOST_CELLS`` cells are drawn, and so many that they and their successors are at most ``MOST_ROWS``: what comes after a
    cell that is drawn is known as a whole.

    Parameters
    ----------
    rows
        Rows of the cells of each part, ascending.
    successors
        Who comes next, without edges between parts.
    seed
        Seed of the run.
    """
    return {part: _drawn(own, successors, seed, part) for part, own in rows.items()}


def _drawn(rows: np.ndarray, successors: Successors, seed: int, part: str) -> DrawnCells:
    if len(rows) <= MOST_CELLS:
        return DrawnCells(rows)
    order = generator(seed, f"next cells {part}").permutation(rows)[:MOST_CELLS]
    places = np.arange(len(order))
    needed_from = np.full(successors.num_samples, len(order))  # the first place in the order at which a row is needed
    needed_from[order] = places
    np.minimum.at(needed_from, successors.pairs(order)[1], np.repeat(places, successors.count[order]))
    num_rows = np.cumsum(np.bincount(needed_from, minlength=len(order))[: len(order)])
    count = max(int(np.searchsorted(num_rows, MOST_ROWS, side="right")), 1)
    kept = np.flatnonzero(needed_from < count)
    return DrawnCells(kept, np.searchsorted(kept, np.sort(order[:count])))


def successor_start(
    config: PretrainConfig, dataset: TokenDataset, rows: Mapping[str, np.ndarray], successors: Successors | None
) -> SuccessorStart | None:
    """Return the regression that the network starts from; ``None`` where it has no such path.

    Parameters
    ----------
    config
        Says whether there is a path, and how values are asked for.
    dataset
        All cells.
    rows
        Those of each part; the strength of the penalty is tuned on validation.
    successors
        Who comes next, without edges between parts; ``None`` where cells stand alone.
    """
    objective = next((found for found in config.objectives if kind_of(found) == "next_value"), None)
    if successors is None or objective is None or not config.model.linear_path:
        return None
    if not has_successor_path(layout_of(config, dataset.layout)):
        return None
    found = drawn_cells({part: rows[part] for part in ("train", "val")}, successors, config.training.seed)
    weighted = config.successors.draw == "weighted"
    parts = {
        part: CellPart(dataset.take(own.rows).values, successors.take(own.rows).graph, None, weighted=weighted, drawn=own.drawn)
        for part, own in found.items()
    }
    axes, coefficients, intercept = fit_profile_floors(parts["train"], parts["val"], config.training.seed).regression()
    center, scale = np.zeros(len(intercept)), np.ones(len(intercept))
    moments = statistics_of(dataset.state, every_sample=True)
    if getattr(objective, "standardize", False) and moments is not None:
        center, scale = moments.mean, moments.deviation
    return SuccessorStart(axes, coefficients, intercept, center, scale)
