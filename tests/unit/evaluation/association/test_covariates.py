"""The basis of the covariates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.evaluation.association.covariates import covariate_basis, covariate_columns, without_covariates


def test_the_basis_is_orthonormal_and_spans_intercept_and_covariates():
    columns = generator(1, "covariates").normal(size=(30, 3)) * [1, 1e6, 1e-4] + 5
    basis = covariate_basis(columns, 30)
    assert basis.shape == (30, 4)
    assert np.allclose(basis.T @ basis, np.eye(4))
    for column in (np.ones(30), *columns.T):
        assert np.allclose(without_covariates(column, basis), 0, atol=1e-9 * np.abs(column).max())


def test_columns_that_follow_from_others_are_left_out():
    column = np.arange(10.0)
    basis = covariate_basis(np.stack([column, 2 * column + 1, np.zeros(10)], axis=1), 10)
    assert basis.shape == (10, 2)
    for alone in (covariate_basis(None, 4), covariate_basis(np.ones((4, 2)), 4)):
        assert np.abs(alone).tolist() == pytest.approx(np.full((4, 1), 0.5))


def test_what_cannot_be_used_is_refused():
    with pytest.raises(DataError, match="missing or infinite"):
        covariate_basis(np.array([1.0, np.nan, 3, 4]), 4)
    with pytest.raises(DataError, match="5 samples are too few for 2 covariates"):
        covariate_basis(generator(1, "few").normal(size=(5, 2)), 5)


def test_columns_of_samples_become_covariates():
    table = pd.DataFrame({"age": [30.0, np.nan, 50.0], "site": ["b", "a", "c"], "one": ["x"] * 3})
    found = covariate_columns(table, ["site", "age", "one"])
    np.testing.assert_array_equal(found, [[1, 0, 30], [0, 0, 40], [0, 1, 50]])
    assert covariate_columns(table, []).shape == (3, 0)
    with pytest.raises(DataError, match="no column 'sex'"):
        covariate_columns(table, ["sex"])
