"""What the linear path of next cells starts from: ridge regression of successors on current cells, fitted on train."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from genoken.core.components import kind_of
from genoken.core.config import PretrainConfig
from genoken.data.dataset import TokenDataset
from genoken.data.holdout import draw_within
from genoken.data.successors import Successors
from genoken.evaluation.next_cell_floors import CellPart, fit_profile_floors
from genoken.models.successor_path import SuccessorStart, has_successor_path
from genoken.workflows.pretrained import layout_of, statistics_of

MOST_CELLS = 50_000
"""Cells of a part on which rules without a network are fitted or scored."""


def drawn_cells(rows: Mapping[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """Return the rows of each part that rules without a network are fitted on or scored on: all, or a draw of them, ascending."""
    return {part: draw_within(own, MOST_CELLS, seed=seed, purpose=f"next cells {part}") for part, own in rows.items()}


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
    drawn = drawn_cells({part: rows[part] for part in ("train", "val")}, config.training.seed)
    weighted = config.successors.draw == "weighted"
    parts = {
        part: CellPart(dataset.take(own).values, successors.take(own).graph, None, weighted=weighted) for part, own in drawn.items()
    }
    axes, coefficients, intercept = fit_profile_floors(parts["train"], parts["val"], config.training.seed).regression()
    center, scale = np.zeros(len(intercept)), np.ones(len(intercept))
    moments = statistics_of(dataset.state, every_sample=True)
    if getattr(objective, "standardize", False) and moments is not None:
        center, scale = moments.mean, moments.deviation
    return SuccessorStart(axes, coefficients, intercept, center, scale)
