"""What bins are worth, and what follows from their probabilities: typed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.evaluation.next_cell_bins import BinScale, fit_bin_scale

# three genes in four cells; values below 1 are in bin 0
VALUES = np.array([[1.0, 0.0, 5.0], [2.0, 0.5, 0.0], [0.0, 0.0, 6.0], [6.0, 0.0, 0.0]])
BINS = np.array([[1, 0, 3], [1, 0, 0], [0, 0, 3], [3, 0, 0]])
MEANS = [[0.0, 1.5, 3.5833333, 6.0], [0.125, 1.5, 3.5833333, 17 / 3], [0.0, 1.5, 3.5833333, 5.5]]


@pytest.mark.parametrize("cuts", [[], [1], [1, 2, 3]])
def test_means_of_bins(cuts):
    """Gene 1 is always in bin 0, at 0.5 once; bin 2 is empty, and halfway between bins 1 (1.5) and 3 (17/3)."""
    rows = np.split(np.arange(4), cuts)
    blocks = [(sp.csr_matrix(VALUES[own].astype(np.float32)), sp.csr_matrix(BINS[own])) for own in rows]
    np.testing.assert_allclose(fit_bin_scale(iter(blocks), 3, 4).means, MEANS, rtol=1e-6)


def test_bins_at_the_ends_that_no_cell_has_are_as_their_neighbors():
    blocks = [(sp.csr_matrix([[2.0, 4.0]]), sp.csr_matrix([[1, 2]]))]
    assert fit_bin_scale(blocks, 2, 5).means.tolist() == [[2, 2, 4, 4, 4], [2, 2, 4, 4, 4]]


def test_expected_values():
    scale = BinScale(np.array([[0.0, 1.0, 3.0], [0.5, 1.0, 2.0]]))
    probabilities = np.array([[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], [[0.5, 0.25, 0.25], [0.5, 0.5, 0.0]]])
    found = scale.profiles(probabilities)
    assert found.tolist() == [[0.0, 2.0], [1.0, 0.75]]
    assert found.dtype == np.float32
