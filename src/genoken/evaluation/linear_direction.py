"""Does linear regression alone tell the direction of time? The floors' ridge regression on true and on reversed successors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genoken.evaluation._unit_draws import UnitDraws, drawn_interval
from genoken.evaluation.next_cell_floors import RIDGE, CellPart, ProfileFloors, fit_tuned_ridge


@dataclass(frozen=True)
class LinearControls:
    """Errors of ridge regression at the same cells.

    Parameters
    ----------
    true, reversed_
        (cells,): squared error against the true mean successor, averaged over features, of the regression that was fitted on true
        successors, and of the one that was fitted on predecessors in their place.
    units
        (cells,): group or block of each cell.
    """

    true: np.ndarray
    reversed_: np.ndarray
    units: np.ndarray


def linear_controls(floors: ProfileFloors, val: CellPart, test: CellPart, units: np.ndarray, seed: int) -> LinearControls | None:
    """Fit ridge regression on reversed successors too, and score both at the true ones; ``None`` without any edges for either.

    Edges are turned around within each part, for tuning in validation as well; test cells are those that have true successors. The
    principal components are the same in both, as these know no successors.

    Parameters
    ----------
    floors
        Fitted and tuned on true successors.
    val, test
        The other two parts, with true successors.
    units
        Group or block of each test cell.
    seed
        Seed of the run.
    """
    backward = floors.train.turned()
    if not len(test.starts) or not len(backward.starts):
        return None
    turned, turned_strength = fit_tuned_ridge(backward, val.turned(), floors.components, floors.scores, seed)
    fitted = (floors.ridge, floors.choices[RIDGE]), (turned, turned_strength)
    errors: tuple[list[np.ndarray], list[np.ndarray]] = [], []
    for block in test.blocks(test.starts):
        scores, truth = floors.components.scores(test.values[block]), test.targets(block)
        for found, (ridge, strength) in zip(errors, fitted, strict=True):
            found.append(np.square(ridge.predict(scores, strength).astype(np.float64) - truth).mean(axis=1))
    return LinearControls(np.concatenate(errors[0]), np.concatenate(errors[1]), units[test.starts])


def summarize_linear(controls: LinearControls, *, unit: str, seed: int, draws: int) -> dict[str, Any]:
    """Return mean errors ``true`` and ``reversed``, ``difference`` of the first minus the second, and its paired ``interval``.

    Parameters
    ----------
    controls
        The errors.
    unit
        What is resampled.
    seed
        Seed of the run.
    draws
        Bootstrap draws.
    """
    resampled = UnitDraws(np.asarray(controls.units).astype(str), unit, seed, draws)
    difference, drawn = resampled.mean(controls.true - controls.reversed_)
    return {
        "true": float(controls.true.mean()),
        "reversed": float(controls.reversed_.mean()),
        "difference": difference,
        "interval": drawn_interval(drawn),
    }


def linear_sentence(linear: Mapping[str, Any] | None, learned: bool | None) -> str:
    """Return what regression says beside a network that learned the direction of time, that did not, or of which it is unknown.

    Parameters
    ----------
    linear
        What :func:`summarize_linear` returned; ``None`` where it was not fitted.
    learned
        Whether the network learned it.
    """
    if linear is None:
        return ""
    interval = linear["interval"]
    numbers = (
        f"over whole profiles its mean squared error is {linear['true']:.4f} on true successors, {linear['reversed']:.4f} "
        f"on reversed ones (difference {linear['difference']:+.4f}{interval_words(interval)})"
    )
    if interval is None:
        return f"Of ridge regression alone: {numbers}."
    tells = interval[1] < 0
    if learned is None:
        return f"Ridge regression alone does {'' if tells else 'not '}tell true successors from reversed ones: {numbers}."
    if learned and tells:
        return f"Ridge regression alone shows the same: {numbers}, so a network is not needed to see it."
    if learned:
        return f"Ridge regression alone does not show it: {numbers}."
    if tells:
        return (
            f"Ridge regression alone does tell true successors from reversed ones: {numbers}, so the network missed what it shows."
        )
    return f"Ridge regression alone does not learn it either: {numbers}."


def interval_words(interval: Sequence[float] | None) -> str:
    """Return the end of a parenthesis that gives the interval of a difference; nothing without one."""
    return "" if interval is None else f", 95 % interval {interval[0]:+.4f} to {interval[1]:+.4f}"
