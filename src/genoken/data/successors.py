"""Who comes next: a graph of cells and their successors, and draws from it that are a pure function of (seed, epoch, row)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numba
import numpy as np
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.random import generator, hash_step, seed_for, unit_interval

Draw = Literal["random", "weighted", "first"]
"""How one successor is chosen among several."""
_SMALLEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Successors:
    """A directed graph of cells: each edge leads from a cell to one that may come next.

    Parameters
    ----------
    graph
        CSR matrix, float32, of shape (samples, samples); a stored value, above zero, is the weight of the edge from the row's cell
        to the column's. The order in which a cell's successors are stored is kept.
    """

    graph: sp.csr_matrix

    @classmethod
    def of_matrix(cls, matrix: Any, num_samples: int, where: str) -> Successors:
        """Take a graph from a matrix of weights, sparse or dense, after a look at everything that can be wrong with it.

        Stored zeros are no edges. An edge that is stored several times stands where it is first, with the sum of its weights.

        Parameters
        ----------
        matrix
            Weights; entry ``[i, j]`` belongs to the edge from cell ``i`` to cell ``j``.
        num_samples
            Number of cells.
        where
            Where it was found, for messages.

        Raises
        ------
        DataError
            When it is no matrix of numbers, not of shape (samples, samples), or damaged, or a weight is negative or not finite.
        """
        shape: tuple[int, ...] = getattr(matrix, "shape", ())
        if len(shape) != 2:
            raise DataError("this is no matrix, so it holds no graph of cells", where=where)
        if shape != (num_samples, num_samples):
            raise DataError(
                f"the graph has the shape {shape[0]:,} x {shape[1]:,}, and there are {num_samples:,} cells",
                where=where,
                remedy="it needs one row and one column for each cell",
            )
        csr = _as_csr(matrix, where)
        _refuse_weights(csr.data, where)
        csr.eliminate_zeros()
        csr = _without_repeats(csr)
        weights = np.clip(csr.data, _SMALLEST, _LARGEST).astype(np.float32)
        return cls(sp.csr_matrix((weights, csr.indices, csr.indptr), shape=shape))

    @classmethod
    def of_edges(cls, starts: np.ndarray, ends: np.ndarray, weights: np.ndarray, num_samples: int) -> Successors:
        """Return the graph of these edges; those of a cell stay in the order in which they are given."""
        order = np.argsort(starts, kind="stable")
        indptr = np.concatenate([[0], np.cumsum(np.bincount(starts, minlength=num_samples))])
        arrays = weights[order].astype(np.float32), ends[order].astype(np.int64), indptr.astype(np.int64)
        return cls(sp.csr_matrix(arrays, shape=(num_samples, num_samples)))

    @classmethod
    def placed(cls, graphs: Sequence[tuple[Successors, np.ndarray]], num_samples: int) -> Successors:
        """Return several graphs as one, with each edge between the rows that its two cells have there.

        Parameters
        ----------
        graphs
            Each graph with the row of each of its cells, int64 of shape (own samples,); -1 for one that is not there, which
            loses its edges.
        num_samples
            Number of rows.
        """
        edges = []
        for own, rows in graphs:
            starts, ends = np.repeat(rows, own.count), rows[own.graph.indices]
            both = (starts >= 0) & (ends >= 0)
            edges.append((starts[both], ends[both], own.graph.data[both]))
        empty = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        starts, ends, weights = (np.concatenate(parts) for parts in zip(empty, *edges, strict=True))
        return cls.of_edges(starts, ends, weights, num_samples)

    @property
    def num_samples(self) -> int:
        """Number of cells."""
        return self.graph.shape[0]

    @property
    def num_edges(self) -> int:
        """Number of edges."""
        return len(self.graph.indices)

    @property
    def count(self) -> np.ndarray:
        """Number of successors of each cell, int64 of shape (samples,)."""
        return np.diff(self.graph.indptr).astype(np.int64)

    @property
    def without(self) -> np.ndarray:
        """Which cells have no successor, bool of shape (samples,)."""
        return self.count == 0

    @property
    def starts(self) -> np.ndarray:
        """The cell at which each edge begins, int64 of shape (edges,)."""
        return np.repeat(np.arange(self.num_samples), self.count)

    def take(self, rows: np.ndarray) -> Successors:
        """Return the graph of these cells, none of them twice, and of the edges that both begin and end at them."""
        if len(np.unique(rows)) != len(rows):
            raise ValueError("a cell is taken twice")
        places = np.full(self.num_samples, -1, dtype=np.int64)
        places[rows] = np.arange(len(rows))
        return Successors.placed([(self, places)], len(rows))

    def within(self, parts: np.ndarray) -> Successors:
        """Return the edges whose ends are in the same part; ``parts`` names the part of each cell, shape (samples,)."""
        return self._where(parts[self.starts] == parts[self.graph.indices])

    def _where(self, kept: np.ndarray) -> Successors:
        indptr = np.concatenate([[0], np.cumsum(kept)])[self.graph.indptr]
        return Successors(sp.csr_matrix((self.graph.data[kept], self.graph.indices[kept], indptr), shape=self.graph.shape))

    def first(self) -> Successors:
        """Return the graph with the first stored edge of each cell alone."""
        firsts = np.zeros(self.num_edges, dtype=bool)
        firsts[self.graph.indptr[:-1][~self.without]] = True
        return self._where(firsts)

    def without_loops(self) -> Successors:
        """Return the graph without the edges that lead from a cell to itself."""
        return self._where(self.starts != self.graph.indices)

    def num_on_cycles(self) -> int:
        """Return the number of cells that come after themselves, by whatever way."""
        from scipy.sparse.csgraph import connected_components

        parts = connected_components(self.graph, directed=True, connection="strong")[1]
        on_cycle = np.bincount(parts)[parts] > 1
        on_cycle[self.starts[self.starts == self.graph.indices]] = True
        return int(on_cycle.sum())

    def with_identity(self) -> Successors:
        """Return the graph in which each cell without a successor has itself as its only one, with weight 1."""
        alone = np.flatnonzero(self.without)
        starts, ends = np.concatenate([self.starts, alone]), np.concatenate([self.graph.indices, alone])
        weights = np.concatenate([self.graph.data, np.ones(len(alone), dtype=np.float32)])
        return Successors.of_edges(starts, ends, weights, self.num_samples)

    def reversed(self) -> Successors:
        """Return the graph with every edge turned around: the control in which time runs backward."""
        return Successors.of_edges(self.graph.indices.astype(np.int64), self.starts, self.graph.data, self.num_samples)

    def shuffled(self, types: np.ndarray, seed: int) -> Successors:
        """Return the graph in which edges that begin at cells of one type have exchanged their ends: the control without pairs.

        Each cell keeps the number and the weights of its successors, and cells of a type together keep who their successors are. A
        cell may come to have the same one twice. Where parts of a split must not be mixed, the part belongs into the type.

        Parameters
        ----------
        types
            Type of each cell, shape (samples,).
        seed
            Seed of the run.
        """
        types_of_edges, ends = types[self.starts], self.graph.indices.copy()
        for number, name in enumerate(np.unique(types)):
            own = np.flatnonzero(types_of_edges == name)
            ends[own] = generator(seed, "shuffled successors", number).permutation(ends[own])
        return Successors(sp.csr_matrix((self.graph.data, ends, self.graph.indptr), shape=self.graph.shape))

    def steps(self, times: np.ndarray) -> np.ndarray:
        """Return how much later each edge's end is than its start, shape (edges,); NaN where either time is."""
        return times[self.graph.indices] - times[self.starts]

    def draw(self, rows: np.ndarray, how: Draw, seed: int, epoch: int) -> np.ndarray:
        """Return one successor of each of these cells, int64 of shape (rows,); -1 for a cell that has none.

        The draw is a hash of the seed, the epoch and the cell's row, whatever else is drawn with it.

        Parameters
        ----------
        rows
            Cells, int64.
        how
            ``random``: each with equal probability; ``weighted``: with probability in proportion to its weight; ``first``: the one
            that is stored first, in every epoch.
        seed
            Seed of the run.
        epoch
            Epoch of training, or -1 in evaluation, which has a draw of its own.
        """
        rows = np.ascontiguousarray(rows, dtype=np.int64)
        with np.errstate(over="ignore"):  # sums and products of hashes wrap around
            chances = unit_interval(hash_step(np.uint64(seed_for(seed, "successor", epoch)), rows.astype(np.uint64)))
        if how == "first":
            chances = np.zeros(len(rows))
        return _pick(self.graph.indptr, self.graph.indices, self.graph.data, rows, chances, how == "weighted")

    def pairs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each of these cells with each of its successors: cells and successors, int64, in the order of rows and storage."""
        counts, firsts = self.count[rows], self.graph.indptr[rows].astype(np.int64)
        behind = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(rows, counts), self.graph.indices[np.repeat(firsts, counts) + behind].astype(np.int64)


def _as_csr(matrix: Any, where: str) -> sp.csr_matrix:
    """Return a CSR matrix of its own memory, float64, whose indices are in range."""
    if not sp.issparse(matrix):
        matrix = np.asarray(matrix)
    if matrix.dtype.kind not in "buif":
        raise DataError(f"the graph holds no numbers but {matrix.dtype}", where=where)
    if not sp.issparse(matrix):
        return sp.csr_matrix(matrix, dtype=np.float64)
    if matrix.format in ("csr", "csc"):
        _refuse_indices(matrix, where)
    return sp.csr_matrix(matrix.tocsr(), dtype=np.float64, copy=True)


def _refuse_indices(matrix: Any, where: str) -> None:
    """Refuse a compressed matrix whose arrays contradict each other: sparse routines would read beyond their memory."""
    indptr, indices, size = matrix.indptr, matrix.indices, matrix.shape[0]
    outside = (indices < 0) | (indices >= size)
    if outside.any():
        count = int(outside.sum())
        words = "index of the graph is" if count == 1 else "indices of the graph are"
        raise DataError(
            f"{count:,} {words} out of range: {int(indices[outside][0])} is none of {size:,} cells",
            where=where,
            remedy="it belongs to other cells than these, or cells were removed after it was made; make it again",
        )
    if len(indptr) != size + 1 or indptr[0] != 0 or indptr[-1] > len(indices) or (np.diff(indptr) < 0).any():
        raise DataError("the graph is damaged: its row pointers do not fit its entries", where=where, remedy="make it again")


def _refuse_weights(weights: np.ndarray, where: str) -> None:
    for is_wrong, words in ((~np.isfinite(weights), "not finite"), (weights < 0, "negative")):
        count = int(np.count_nonzero(is_wrong))
        if count:
            raise DataError(
                f"{count:,} {'weight' if count == 1 else 'weights'} of the graph {'is' if count == 1 else 'are'} {words}, "
                f"for example {weights[is_wrong][0]:g}",
                where=where,
                remedy="weights are above zero; leave out the edges that are none",
            )


def _without_repeats(csr: sp.csr_matrix) -> sp.csr_matrix:
    """Return the matrix with each entry once, where it is stored first, and with the sum of all that is stored for it."""
    starts = np.repeat(np.arange(csr.shape[0]), np.diff(csr.indptr))
    _, firsts, entries = np.unique(starts * csr.shape[1] + csr.indices, return_index=True, return_inverse=True)
    if len(firsts) == len(starts):
        return csr
    sums, order = np.bincount(entries, weights=csr.data), np.argsort(firsts)
    kept = firsts[order]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(starts[kept], minlength=csr.shape[0]))])
    return sp.csr_matrix((sums[order], csr.indices[kept], indptr), shape=csr.shape)


@numba.njit(nogil=True, cache=True)
def _pick(
    indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray, rows: np.ndarray, chances: np.ndarray, weighted: bool
) -> np.ndarray:
    """Return the successor of each row at which the cumulative share of weights (or of numbers) passes the row's chance."""
    picked = np.full(len(rows), -1, dtype=np.int64)
    for place in range(len(rows)):
        first, last = indptr[rows[place]], indptr[rows[place] + 1]
        if first == last:
            continue
        edge = first + np.int64(chances[place] * (last - first))
        if weighted:
            total = 0.0
            for other in range(first, last):
                total += np.float64(weights[other])
            edge, passed = first, np.float64(weights[first])
            while passed <= chances[place] * total and edge < last - 1:
                edge += 1
                passed += np.float64(weights[edge])
        picked[place] = indices[edge]
    return picked
