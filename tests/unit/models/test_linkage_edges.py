"""Edges between correlated features: the same as from the whole matrix of correlations."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.grid_contracts import LinkageWindow
from genoken.models import linkage_edges as module
from genoken.models.linkage_edges import linkage_edges


@pytest.mark.parametrize("at_once", [3, 8, 512])
def test_edges_are_those_of_the_matrix_of_correlations(at_once, monkeypatch):
    monkeypatch.setattr(module, "COLUMNS_AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(60, 6))
    values = np.round(np.clip(hidden[:, np.arange(20) // 4] + 0.7 * rng.normal(size=(60, 20)) + 1, 0, 2))
    values[:, 7] = 1  # does not vary
    chromosomes = np.repeat([0, 1], [9, 11])
    found = linkage_edges(sp.csr_matrix(values), LinkageWindow(0.2, 3), chromosomes)
    with np.errstate(invalid="ignore", divide="ignore"):
        squared = np.nan_to_num(np.corrcoef(values.T)) ** 2
    expected = {
        (i, j) for i in range(20) for j in range(i + 1, min(i + 4, 20)) if squared[i, j] >= 0.2 and chromosomes[i] == chromosomes[j]
    }
    assert len(expected) > 10
    assert {tuple(pair) for pair in found.T.tolist()} == expected
    assert found.shape == (2, len(expected))
    assert not (found == 7).any()


def test_equal_features_have_a_squared_correlation_of_one():
    column = np.random.default_rng(1).integers(0, 3, size=(50, 1))
    found = linkage_edges(sp.csr_matrix(np.hstack([column, 2 - column])), LinkageWindow(1.0, 1))
    assert found.tolist() == [[0], [1]]
