"""The train cells that resemble a cell, by Euclidean distance between principal components of train."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

NUM_COMPONENTS = 50
"""Principal components between which distances are taken; fewer where there are fewer."""


@dataclass(frozen=True)
class CellNeighbors:
    """Train cells to search among.

    Parameters
    ----------
    places
        float64 (known cells, components).
    rows
        int64 (known cells,): rows of these cells in train.
    num_train
        Number of train cells.
    """

    places: np.ndarray
    rows: np.ndarray
    num_train: int

    @classmethod
    def of(cls, scores: np.ndarray, rows: np.ndarray) -> CellNeighbors:
        """Take these rows of the train cells' scores (train cells, components)."""
        return cls(scores[rows, :NUM_COMPONENTS], np.asarray(rows, dtype=np.int64), len(scores))

    def nearest(self, scores: np.ndarray, count: int) -> np.ndarray:
        """Return the rows in train of the nearest known cells, nearest first, int64 (cells, count or as many as are known)."""
        from sklearn.neighbors import NearestNeighbors

        search = NearestNeighbors(n_neighbors=min(count, len(self.rows)), algorithm="brute").fit(self.places)
        return self.rows[search.kneighbors(scores[:, :NUM_COMPONENTS], return_distance=False)]


def averaging(nearest: np.ndarray, count: int, num_train: int) -> sp.csr_matrix:
    """Return the matrix (cells, train cells) that takes means over the first ``count`` of each cell's nearest ones."""
    columns = nearest[:, :count]
    shape = columns.shape
    entries = np.full(columns.size, 1 / shape[1])
    return sp.csr_matrix((entries, columns.ravel(), np.arange(shape[0] + 1) * shape[1]), shape=(shape[0], num_train))
