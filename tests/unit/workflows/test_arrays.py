"""Genotypes in arrays as the input of a call: what they become, and what is refused in one line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import genoken
from genoken.core.errors import ConfigError, DataError
from genoken.workflows.arrays import Arrays

CALLS = np.array([[0, 2, -1, 1], [1, -1, 2, 1], [2, 0, 0, 1]], dtype=np.int8)


def arrays(**given) -> Arrays:
    """Return arrays with all that is not given left out."""
    return Arrays(**(dict.fromkeys(("genotypes", "labels", "variants", "samples", "covariates")) | given))


def test_labels_ids_and_covariates_become_one_table():
    cohort = arrays(
        genotypes=CALLS, labels=["x", "y", "x"], samples=["a", "b", "c"], covariates=pd.DataFrame({"age": [30, 40, 50]})
    ).cohort()
    assert cohort.obs_names.tolist() == ["a", "b", "c"]
    assert cohort.obs["label"].tolist() == ["x", "y", "x"]
    assert cohort.obs["age"].tolist() == [30, 40, 50]
    np.testing.assert_array_equal(cohort.X.toarray(), np.where(CALLS < 0, np.nan, CALLS))


def test_numbers_are_numbered_covariates_and_a_table_of_samples_keeps_its_columns():
    given = arrays(genotypes=CALLS, samples=pd.DataFrame({"y": [1.5, 2.5, 0.5]}), covariates=np.array([[1, 4], [2, 5], [3, 6]]))
    assert given.covariate_names() == ("covariate_1", "covariate_2")
    table = given.cohort().obs
    assert list(table) == ["y", "covariate_1", "covariate_2"]
    assert table["covariate_2"].tolist() == [4, 5, 6]
    assert arrays(genotypes=CALLS, covariates=np.array([1.0, 2.0, 3.0])).covariate_names() == ("covariate_1",)
    assert arrays(genotypes=CALLS).covariate_names() == ()
    assert arrays().cohort() is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"covariates": np.ones((2, 1))}, "train: covariates have 2 samples, and the genotypes have 3"),
        ({"covariates": np.ones((3, 1, 1))}, "covariates are a matrix of samples by covariates, not of 3 dimensions"),
        ({"covariates": pd.DataFrame({"label": [1, 2, 3]})}, "the covariate 'label' has the name of another column"),
        ({"samples": ["a", "b"]}, "the table has 2 samples, and the genotypes have 3"),
        ({"samples": ["a", "b"], "covariates": np.ones(3)}, "the table has 2 samples, and the genotypes have 3"),
        ({"labels": ["x"]}, "labels has 1 samples, and the genotypes have 3"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(given, message):
    with pytest.raises(DataError, match=message):
        arrays(genotypes=CALLS, **given).cohort()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"data": "people.bed", "genotypes": CALLS}, "train: genotypes and data are both given — leave one of them out"),
        ({"genotypes": CALLS, "test": "people.bed"}, "train: genotypes and test are both given — leave one of them out"),
        ({"data": "people.bed", "labels": ["x"]}, "train: labels are given without genotypes — "),
        ({"genotypes": CALLS, "labels": [1, 2, 3], "label": "trait"}, "labels are given, and label names the column 'trait'"),
    ],
)
def test_contradictions_are_refused_before_anything_is_read(given, message):
    with pytest.raises(ConfigError, match=message):
        genoken.train(**given)
