r"""Scores of predicted profiles of next cells, one number per current cell.

With the prediction :math:`p`, the mean successor :math:`y`, the denoised current cell :math:`d` and the train mean of successors
:math:`m`, all of them vectors over features:

- ``squared_error``: the mean over features of :math:`(p - y)^2`;
- ``correlation``: Pearson's of :math:`p` and :math:`y` over features. It is high for any prediction, because features differ in
  their means much more than cells do;
- ``centered_correlation``: that of :math:`p - m` and :math:`y - m`;
- ``change_correlation``: that of :math:`p - d` and :math:`y - d`. *Limit*: the noise of :math:`d` is in both, so that it is above
  zero even for predictions that know nothing of the cell, ``mean_successor`` among them; compare it with those of the floors.

A prediction that does not vary correlates with nothing: its correlation counts as 0. It is not defined when that is so for all
cells.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from genoken.evaluation.next_cell_floors import DENOISED, CellPart, Profiles

CellScores = Mapping[str, np.ndarray]
"""Measure to one value per cell, float64; NaN where it is not defined."""

_NEGLIGIBLE = 1e-12


def score_cells(predicted: np.ndarray, target: np.ndarray, denoised: np.ndarray, usual: np.ndarray) -> dict[str, np.ndarray]:
    """Return the measures of each cell.

    Parameters
    ----------
    predicted, target, denoised
        (cells, features): predicted and mean true successors, and the denoised current cells.
    usual
        (features,): train mean of successors.
    """
    predicted, target, denoised = (np.asarray(values, dtype=np.float64) for values in (predicted, target, denoised))
    return {
        "squared_error": ((predicted - target) ** 2).mean(axis=1),
        "correlation": _correlations(predicted, target),
        "centered_correlation": _correlations(predicted - usual, target - usual),
        "change_correlation": _correlations(predicted - denoised, target - denoised),
    }


def score_part(part: CellPart, rows: np.ndarray, profiles: Profiles, usual: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Return predictor to the measures of these cells, computed in blocks.

    Parameters
    ----------
    part
        The cells and their successors.
    rows
        Cells to score; each has a successor.
    profiles
        Predicts the successors of rows; ``denoised_current`` is among its predictors.
    usual
        (features,): train mean of successors.
    """
    pieces: dict[str, list[dict[str, np.ndarray]]] = {}
    for block in part.blocks(np.asarray(rows)):
        found, target = profiles(block), part.targets(block)
        for name, predicted in found.items():
            pieces.setdefault(name, []).append(score_cells(predicted, target, found[DENOISED], usual))
    return {name: {key: np.concatenate([piece[key] for piece in own]) for key in own[0]} for name, own in pieces.items()}


def merged(*sources: Profiles) -> Profiles:
    """Return one source of profiles for several, for example for the floors and for a model."""
    return lambda rows: {name: found for source in sources for name, found in source(rows).items()}


def cell_blocks(types: np.ndarray | None, time: np.ndarray | None, num_bins: int = 5) -> np.ndarray:
    """Return the block of each cell: its type and a bin of its time; what is resampled where there are no groups.

    Cells of one type and time are not independent of each other: they share the neighbors from which they are predicted. *Limit*:
    other animals or donors would differ by more than blocks of the same ones do.

    Parameters
    ----------
    types
        Type of each cell, or ``None``.
    time
        Time or pseudotime of each cell, or ``None``; cells without one have a bin of their own.
    num_bins
        Bins with about equal numbers of cells. Times of fewer distinct values are bins as they are.
    """
    if types is None and time is None:
        raise ValueError("blocks are made of types, of times, or of both")
    names = [] if types is None else [np.asarray(types).astype(str)]
    if time is not None:
        names.append(_time_bins(np.asarray(time, dtype=np.float64), num_bins))
    return np.array([" | ".join(parts) for parts in zip(*names, strict=True)], dtype=object)


def skill_by(model: np.ndarray, denoised: np.ndarray, names: np.ndarray) -> dict[str, dict[str, float]]:
    """Return ``skill`` over the denoised current cell and number of ``cells`` for each name, for example cell type or time bin.

    Parameters
    ----------
    model, denoised
        (cells,): squared errors of both.
    names
        Name of each cell.
    """
    names = np.asarray(names).astype(str)
    result = {}
    for name in np.unique(names):
        chosen = names == name
        whole = float(denoised[chosen].sum())
        result[str(name)] = {
            "skill": 1 - float(model[chosen].sum()) / whole if whole > 0 else float("nan"),
            "cells": int(chosen.sum()),
        }
    return result


def _time_bins(time: np.ndarray, num_bins: int) -> np.ndarray:
    known = np.isfinite(time)
    distinct = np.unique(time[known])
    if len(distinct) <= num_bins:
        labels = np.array([f"time {point:.4g}" for point in distinct] or [""])
        bins = np.minimum(np.searchsorted(distinct, time), len(labels) - 1)
    else:
        edges = np.quantile(time[known], np.arange(num_bins + 1) / num_bins)
        labels = np.array([f"time {low:.4g} to {high:.4g}" for low, high in itertools.pairwise(edges)])
        bins = np.minimum(np.searchsorted(edges[1:-1], time, side="right"), num_bins - 1)
    return np.where(known, labels[bins], "no time")


def _correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation of each row; 0 where one of the two does not vary, NaN when that is so in every row."""
    scale = [np.abs(values).max(axis=1, initial=0.0) for values in (one, other)]
    one, other = one - one.mean(axis=1, keepdims=True), other - other.mean(axis=1, keepdims=True)
    norms = [np.linalg.norm(values, axis=1) for values in (one, other)]
    varies = (norms[0] > _NEGLIGIBLE * scale[0]) & (norms[1] > _NEGLIGIBLE * scale[1])
    if not varies.any():
        return np.full(len(one), np.nan)
    products = np.einsum("ij,ij->i", one, other)
    return np.where(varies, products / np.where(varies, norms[0] * norms[1], 1.0), 0.0)
