r"""Trivial predictions of the next cell's expression: what is known of it without a network.

All are fitted on train cells and their successors within train, tuned on validation cells, and get nothing but the current cell
(``type_mean_successor`` also its type). ``S_i`` is the mean over the successors of train cell i.

- ``copy_current``: the current cell as it is.
- ``denoised_current``: the mean of the k nearest train cells of the current cell. It knows no time: successors are not used, and
  k is the one that best predicts the *current* profiles of validation cells, which are not among the cells that are averaged.
  It is what every model has to beat: a single cell is a noisy measurement, and taking the noise away is most of what
  predicting "the next cell" well consists of.
- ``mean_successor``: the mean of :math:`S_i` over train.
- ``type_mean_successor``: the same over the train cells of the current cell's type; ``mean_successor`` for types that train lacks.
- ``knn_mean_successor``: the mean of :math:`S_i` over the k nearest train cells that have successors.
- ``ridge_successor``: ridge regression from up to 200 principal components of the current cell to :math:`S_i`.

The last two are tuned by squared error against the mean successors of validation cells. Distances are Euclidean, between 50
principal components of train. *Limit*: of components beyond the 200th, ridge regression knows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.evaluation._cell_neighbors import CellNeighbors, averaging
from genoken.evaluation._successor_ridge import STRENGTHS, SuccessorRidge, fit_successor_ridge
from genoken.evaluation.baselines._components import Components, principal_components
from genoken.evaluation.baselines._seed import sklearn_seed

DENOISED, KNN, RIDGE = "denoised_current", "knn_mean_successor", "ridge_successor"
Profiles = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""From rows of a part to predictor to predicted values, float32 (cells, features)."""

NEIGHBORS = (3, 5, 10, 20, 40, 80, 160)
"""Numbers of neighbors to choose from; those beyond the known cells count as all of them."""
_DEFAULT_NEIGHBORS, _DEFAULT_STRENGTH = 20, 1.0
_NUM_COMPONENTS = 200
_MOST_TUNED_ON = 2000
_VALUES_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class CellPart:
    """The cells of one part of a split, and which of them follow which.

    Parameters
    ----------
    values
        CSR (cells, features): log-normalized values.
    successors
        CSR (cells, cells): a stored value above 0 is the weight of a successor within the part.
    types
        Type of each cell, or ``None``.
    weighted
        Whether means over successors are weighted; they are to be when training draws successors by weight.
    drawn
        Rows of the cells that stand for the part, int64, ascending; the others are here as successors of these alone, and what
        comes after them is not asked. ``None``: all of them stand for it.
    """

    values: sp.csr_matrix
    successors: sp.csr_matrix
    types: np.ndarray | None = None
    weighted: bool = False
    drawn: np.ndarray | None = None

    def __post_init__(self) -> None:
        num_cells = self.values.shape[0]
        if self.successors.shape != (num_cells, num_cells):
            raise ValueError(f"successors of shape {self.successors.shape} for {num_cells} cells")
        if self.types is not None and len(self.types) != num_cells:
            raise ValueError(f"{len(self.types)} types for {num_cells} cells")

    @cached_property
    def cells(self) -> np.ndarray:
        """Rows of the cells that stand for the part, int64."""
        return np.arange(self.values.shape[0]) if self.drawn is None else self.drawn

    @cached_property
    def starts(self) -> np.ndarray:
        """Rows of those cells that have a successor in the part, int64."""
        return self.cells[np.diff(self._weights.indptr)[self.cells] > 0].astype(np.int64)

    @cached_property
    def _weights(self) -> sp.csr_matrix:
        weights = sp.csr_matrix(self.successors, dtype=np.float64, copy=True)
        if not self.weighted:
            weights.data = (weights.data > 0).astype(np.float64)
        weights.eliminate_zeros()
        return weights

    def turned(self) -> CellPart:
        """Return the same cells with every edge turned around: predecessors in the place of successors."""
        return replace(self, successors=sp.csr_matrix(self.successors.T))

    def means(self, rows: np.ndarray) -> sp.csr_matrix:
        """Return the matrix (rows, cells) that takes the mean over the successors of these cells, each of which has one."""
        weights = self._weights[rows]
        totals = np.asarray(weights.sum(axis=1)).ravel()
        if not (totals > 0).all():
            raise ValueError("means are taken over the successors of cells that have some")
        return sp.csr_matrix(sp.diags_array(1 / totals) @ weights)

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Return the mean over the successors of these cells, float32 (rows, features).

        It is what the best prediction of a successor drawn at random has to be: squared errors against single successors are
        higher by the variance among a cell's successors, the same for every prediction. For errors against single successors,
        give a graph with one successor per cell.
        """
        return (self.means(rows) @ self.values).toarray().astype(np.float32)

    def blocks(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Cut rows into runs whose values, made dense, take little memory."""
        size = max(1, _VALUES_AT_ONCE // max(self.values.shape[1], 1))
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


@dataclass(frozen=True)
class ProfileFloors:
    """Fitted floors.

    Parameters
    ----------
    train
        The train cells.
    components
        Their principal components.
    scores
        Their scores, float64 (train cells, components).
    ridge
        The fitted regression.
    choices
        What was tuned: numbers of neighbors of ``denoised_current`` and ``knn_mean_successor``, strength of ``ridge_successor``.
    notes
        Sentences on what could not be done as described.
    """

    train: CellPart
    components: Components
    scores: np.ndarray
    ridge: SuccessorRidge
    choices: Mapping[str, float]
    notes: tuple[str, ...] = ()

    @property
    def usual(self) -> np.ndarray:
        """The mean successor of train, (features,), by which profiles are centered."""
        return self.ridge.intercept

    def regression(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return ridge regression as ``(values A) B + c``: A (features, components), B (components, features), c (features,)."""
        weights = self.ridge.weights(self.choices[RIDGE])
        constant = self.ridge.intercept - (self.components.offset + self.ridge.center) @ weights
        return self.components.axes.T, weights, constant

    def of(self, part: CellPart) -> Profiles:
        """Return what predicts the successors of rows of a part."""
        return lambda rows: self.predict(part.values[rows], None if part.types is None else part.types[rows])

    def predict(self, values: sp.csr_matrix, types: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return floor to predicted values of the next cell, float32 (cells, features), for current cells (cells, features)."""
        scores = self.components.scores(values)
        found = {
            "copy_current": values.toarray().astype(np.float32),
            DENOISED: self.neighbor_means(scores, (int(self.choices[DENOISED]),), of_successors=False)[0],
            "mean_successor": np.tile(self.usual.astype(np.float32), (values.shape[0], 1)),
        }
        if types is not None and self.train.types is not None:
            known, profiles = self._of_types
            codes = {name: code for code, name in enumerate(known)}
            found["type_mean_successor"] = profiles[[codes.get(str(name), len(known)) for name in types]]
        found[KNN] = self.neighbor_means(scores, (int(self.choices[KNN]),), of_successors=True)[0]
        found[RIDGE] = self.ridge.predict(scores, self.choices[RIDGE])
        return found

    def neighbor_means(self, scores: np.ndarray, counts: Sequence[int], *, of_successors: bool) -> list[np.ndarray]:
        """Return means over the nearest train cells, or over their mean successors, float32 (cells, features), one for each count.

        Parameters
        ----------
        scores
            (cells, components).
        counts
            Numbers of neighbors.
        of_successors
            Whether to search among the cells that have successors, and to average these.
        """
        known = self._similar_starts if of_successors else self._similar
        nearest = known.nearest(scores, max(counts))
        means = [averaging(nearest, count, known.num_train) for count in counts]
        if of_successors:
            means = [weights[:, self.train.starts] @ self._means_of_starts for weights in means]
        return [(weights @ self.train.values).toarray().astype(np.float32) for weights in means]

    @cached_property
    def _similar(self) -> CellNeighbors:
        return CellNeighbors.of(self.scores, self.train.cells)

    @cached_property
    def _similar_starts(self) -> CellNeighbors:
        return CellNeighbors.of(self.scores, self.train.starts)

    @cached_property
    def _means_of_starts(self) -> sp.csr_matrix:
        return self.train.means(self.train.starts)

    @cached_property
    def _of_types(self) -> tuple[list[str], np.ndarray]:
        """Types, and the mean successor of each, float32 (types + 1, features); the last one is that of all cells."""
        types = np.asarray(self.train.types).astype(str)[self.train.starts]
        known, codes = np.unique(types, return_inverse=True)
        members = sp.csr_matrix((np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(len(known), len(codes)))
        means = sp.diags_array(1 / np.bincount(codes)) @ members @ self._means_of_starts
        return known.tolist(), np.vstack([(means @ self.train.values).toarray(), self.usual[None]]).astype(np.float32)


def fit_profile_floors(train: CellPart, val: CellPart, seed: int) -> ProfileFloors:
    """Fit the floors on train and tune them on validation.

    Parameters
    ----------
    train, val
        Both parts, with the same features. Of validation at most 2,000 cells are used.
    seed
        Seed of the run.

    Raises
    ------
    DataError
        When no train cell has a successor in train.
    """
    if not len(train.starts):
        raise DataError(
            "no train cell has a successor in the train part", remedy="hold out whole groups, or look at the graph of successors"
        )
    own = train.values if train.drawn is None else train.values[train.drawn]
    components = principal_components(own, _NUM_COMPONENTS, sklearn_seed(seed, "next_cell"))
    scores = components.scores(train.values)
    ridge, strength = fit_tuned_ridge(train, val, components, scores, seed)
    defaults = {DENOISED: _DEFAULT_NEIGHBORS, KNN: _DEFAULT_NEIGHBORS, RIDGE: strength}
    floors = ProfileFloors(train, components, scores, ridge, defaults)
    every, starts = (_draw(rows, seed) for rows in (val.cells, val.starts))
    if not len(starts):
        note = "No validation cell has a successor in the validation part: the floors of next cells were not tuned."
        return replace(floors, notes=(note,))
    tuned = {
        DENOISED: _best_neighbors(floors, val, every, of_successors=False),
        KNN: _best_neighbors(floors, val, starts, of_successors=True),
        RIDGE: strength,
    }
    return replace(floors, choices=tuned)


def fit_tuned_ridge(
    train: CellPart, val: CellPart, components: Components, scores: np.ndarray, seed: int
) -> tuple[SuccessorRidge, float]:
    """Return ridge regression on the successors of train cells, and the strength of its penalty that suits validation best.

    Parameters
    ----------
    train, val
        Both parts. Of validation at most 2,000 cells are used; where none has a successor, the strength is 1.
    components
        Principal components of the train cells.
    scores
        Their scores, (train cells, components).
    seed
        Seed of the run.
    """
    ridge = fit_successor_ridge(scores[train.starts], train.means(train.starts), train.values)
    rows = _draw(val.starts, seed)
    if not len(rows):
        return ridge, _DEFAULT_STRENGTH
    errors = np.zeros(len(STRENGTHS))
    for block in val.blocks(rows):
        placed, truth = components.scores(val.values[block]), val.targets(block)
        errors += [_squared(ridge.predict(placed, strength), truth) for strength in STRENGTHS]
    return ridge, STRENGTHS[int(np.argmin(errors))]


def _draw(rows: np.ndarray, seed: int) -> np.ndarray:
    return np.sort(generator(seed, "next_cell", "tuning").permutation(rows)[:_MOST_TUNED_ON])


def _best_neighbors(floors: ProfileFloors, val: CellPart, rows: np.ndarray, *, of_successors: bool) -> int:
    """Return the number of neighbors with the least squared error against current profiles, or against mean successors."""
    num_known = len(floors.train.starts if of_successors else floors.train.cells)
    candidates = sorted({min(count, num_known) for count in NEIGHBORS})
    errors = np.zeros(len(candidates))
    for block in val.blocks(rows):
        values = val.values[block]
        truth = val.targets(block) if of_successors else values.toarray()
        scores = floors.components.scores(values)
        errors += [_squared(found, truth) for found in floors.neighbor_means(scores, candidates, of_successors=of_successors)]
    return candidates[int(np.argmin(errors))]


def _squared(predicted: np.ndarray, truth: np.ndarray) -> float:
    return float(((predicted.astype(np.float64) - truth) ** 2).sum())
