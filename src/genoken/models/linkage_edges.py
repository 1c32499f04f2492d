"""Which neighboring features go together in the train split: the edges of a graph network, block by block."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genoken.core.grid_contracts import LinkageWindow

COLUMNS_AT_ONCE = 512
"""Features whose correlations with those behind them are computed together."""

ROUNDING = 1e-9
"""By how much the squared correlation of two equal features can miss 1."""


def linkage_edges(values: sp.csr_matrix, wanted: LinkageWindow, chromosomes: np.ndarray | None = None) -> np.ndarray:
    """Return pairs of features whose squared correlation reaches a threshold, int64 of shape (2, edges), the earlier one first.

    Memory is that of ``COLUMNS_AT_ONCE`` plus ``wanted.window`` dense columns. A feature that does not vary has no edges.

    Parameters
    ----------
    values
        CSR matrix (samples, features) of the train split, finite.
    wanted
        Threshold and window.
    chromosomes
        Code of each feature's chromosome; features of different ones are never connected. ``None``: all are on one.
    """
    by_column = values.tocsc()
    num_features = values.shape[1]
    found = [np.zeros((2, 0), dtype=np.int64)]
    for start in range(0, num_features, COLUMNS_AT_ONCE):
        stop = min(start + COLUMNS_AT_ONCE, num_features)
        block = _standardized(by_column[:, start : min(stop + wanted.window, num_features)].toarray())
        squared = (block[:, : stop - start].T @ block) ** 2
        distance = np.arange(squared.shape[1]) - np.arange(squared.shape[0])[:, None]
        first, second = np.nonzero((squared >= wanted.threshold - ROUNDING) & (distance > 0) & (distance <= wanted.window))
        found.append(np.stack([first, second]).astype(np.int64) + start)
    edges = np.concatenate(found, axis=1)
    return edges if chromosomes is None else edges[:, chromosomes[edges[0]] == chromosomes[edges[1]]]


def _standardized(columns: np.ndarray) -> np.ndarray:
    """Return columns of mean 0 and length 1, or of zeros where a column does not vary, float64."""
    centered = columns.astype(np.float64) - columns.mean(axis=0, dtype=np.float64)
    length = np.sqrt((centered**2).sum(axis=0))
    varies = length > 1e-9 * np.sqrt(len(columns))
    return np.divide(centered, length, out=np.zeros_like(centered), where=varies)
