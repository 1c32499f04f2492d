"""Graphs of successors made from where cells are and when: by time point, by pseudotime, or by similarity alone.

Edges weigh ``exp(-d^2 / (2 s^2))``, where ``d`` is the distance of the two cells and ``s`` the median distance of the edge's cell
to its successors (of those that are not 0), so that weights do not depend on the scale of the space.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from genoken.data.successors import Successors

_SMALLEST_WEIGHT = 1e-30
"""Far cells are successors too, though a weight of 0 would say that there is no edge."""


def by_time(points: np.ndarray, times: np.ndarray, neighbors: int, within: np.ndarray | None = None) -> Successors:
    """Return for each cell its nearest cells of the next time point.

    The next time point of a cell is the earliest later one of which there are cells, within its own group where there are groups.
    Cells of the last one have no successor.

    Parameters
    ----------
    points
        Where each cell is, of shape (samples, axes); distances are Euclidean.
    times
        Time of each cell, float64 of shape (samples,); cells whose time is not finite have no edges.
    neighbors
        Successors of each cell, or all cells of the next time point where they are fewer.
    within
        Group of each cell, int64 of shape (samples,), such as its lineage, which no edge leaves; -1 for cells without edges.
        ``None`` for no groups.
    """
    edges = []
    for own in _groups(times, within):
        moments = np.unique(times[own])
        for now, later in itertools.pairwise(moments):
            starts, candidates = own[times[own] == now], own[times[own] == later]
            distances, places = _nearest(points, starts, candidates, neighbors)
            edges.append((starts, candidates[places], distances, np.ones_like(places, dtype=bool)))
    return _weighted(edges, len(points))


def by_pseudotime(points: np.ndarray, times: np.ndarray, neighbors: int, within: np.ndarray | None = None) -> Successors:
    """Return for each cell those of its nearest cells that are later: a graph of neighbors without its edges backward.

    A cell whose neighbors are all earlier has no successor.

    Parameters
    ----------
    points, within
        See :func:`by_time`.
    times
        Pseudotime of each cell; cells whose pseudotime is not finite, such as those that no path reaches, have no edges.
    neighbors
        Nearest cells of each cell, earlier ones included.
    """
    return _weighted(
        [
            (own, ends, distances, times[ends] > times[own][:, None])
            for own in _groups(times, within)
            for distances, ends in _neighbors(points, own, neighbors)
        ],
        len(points),
    )


def by_similarity(points: np.ndarray, neighbors: int, within: np.ndarray | None = None) -> Successors:
    """Return for each cell its nearest cells: successors without a direction, the control in which there is no time.

    Parameters
    ----------
    points, neighbors, within
        See :func:`by_time`.
    """
    return _weighted(
        [
            (own, ends, distances, np.ones_like(ends, dtype=bool))
            for own in _groups(np.zeros(len(points)), within)
            for distances, ends in _neighbors(points, own, neighbors)
        ],
        len(points),
    )


def _groups(times: np.ndarray, within: np.ndarray | None) -> Iterator[np.ndarray]:
    """Yield the rows of each group that have a time."""
    groups = np.zeros(len(times), dtype=np.int64) if within is None else within
    for group in np.unique(groups[groups >= 0]):
        yield np.flatnonzero((groups == group) & np.isfinite(times))


def _neighbors(points: np.ndarray, own: np.ndarray, neighbors: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield distances and rows of the nearest other cells of each cell of a group; nothing for a group of one."""
    if len(own) > 1:
        distances, places = _nearest(points, own, own, neighbors)
        yield distances, own[places]


def _nearest(points: np.ndarray, starts: np.ndarray, candidates: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return distances and places of the nearest candidates of each cell, nearest first, then by row; no cell is its own."""
    from sklearn.neighbors import NearestNeighbors

    same = starts is candidates
    index = NearestNeighbors(n_neighbors=min(count, len(candidates) - same)).fit(points[candidates])
    distances, places = index.kneighbors(None if same else points[starts])
    order = np.lexsort((places, distances), axis=1)
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(places, order, axis=1)


def _weighted(edges: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]], num_samples: int) -> Successors:
    """Return the graph of cells, rows and distances of their neighbors (cells, neighbors), and which of these count."""
    parts = [(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))]
    for starts, ends, distances, counts in edges:
        known = np.where(counts & (distances > 0), distances, np.nan)
        spread = np.ones(len(starts))
        has_some = ~np.isnan(known).all(axis=1)
        spread[has_some] = np.nanmedian(known[has_some], axis=1)
        weights = np.maximum(np.exp(-((distances / spread[:, None]) ** 2) / 2), _SMALLEST_WEIGHT)
        parts.append((np.repeat(starts, counts.sum(axis=1)), ends[counts], weights[counts]))
    starts, ends, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Successors.of_edges(starts, ends, weights, num_samples)
