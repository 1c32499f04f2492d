"""Missing calls at the mean, and columns whose products are correlations."""

from __future__ import annotations

import numpy as np

from genoken.core.random import generator
from genoken.data.genotypes.imputation import imputed, standardized


def test_missing_calls_stand_at_the_mean_of_the_calls():
    dense = np.array([[0, -1, -1], [2, 1, -1], [-1, 2, -1], [2, -1, -1]], dtype=np.int8)
    assert imputed(dense).tolist() == [[0, 1.5, 0], [2, 1, 0], [4 / 3, 2, 0], [2, 1.5, 0]]


def test_products_of_standardized_columns_are_correlations():
    dense = generator(1, "genotypes").integers(0, 3, size=(40, 6)).astype(np.int8)
    columns = standardized(dense)
    assert np.allclose(columns.T @ columns, np.corrcoef(dense.T), atol=1e-12)


def test_a_variant_that_does_not_vary_is_zero():
    dense = np.array([[1, -1, 0], [1, -1, 2], [-1, -1, 1]], dtype=np.int8)
    found = standardized(dense)
    assert found[:, :2].tolist() == [[0, 0]] * 3
    assert np.allclose(found[:, 2], [-(0.5**0.5), 0.5**0.5, 0])
