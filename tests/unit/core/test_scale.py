"""The total to which samples were normalized, and when it can be told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.samples import Samples
from genoken.core.scale import Scale, sample_totals, scale_of

DENSE = np.array([[4.0, 0.0, 6.0], [1.0, 9.0, 0.0], [5.0, 5.0, 0.0], [0.0, 0.0, 10.0]])


def samples_of(dense, kind, totals=None) -> Samples:
    values = sp.csr_matrix(np.asarray(dense, dtype=np.float32))
    table = pd.DataFrame(index=[f"s{row}" for row in range(values.shape[0])])
    features = pd.DataFrame(index=[f"g{column}" for column in range(values.shape[1])])
    return Samples(values, table, features, kind, "cells.h5ad:X", totals=totals)


@pytest.mark.parametrize(
    ("kind", "dense"), [("normalized", DENSE), ("counts", DENSE), ("log", np.log1p(DENSE))], ids=["normalized", "counts", "log"]
)
def test_totals_are_those_before_the_logarithm(kind, dense):
    samples = samples_of(dense, kind)
    np.testing.assert_allclose(sample_totals(samples), [10, 10, 10, 10], rtol=1e-6)
    np.testing.assert_allclose(samples.values.toarray(), dense, rtol=1e-6)  # not changed
    assert scale_of(samples).total == pytest.approx(10)
    assert scale_of(samples).is_constant


def test_totals_that_are_given_are_taken():
    given = np.array([20.0, 30.0, 40.0, 50.0])
    samples = samples_of(DENSE, "normalized", given)
    np.testing.assert_array_equal(sample_totals(samples), given)
    assert scale_of(samples) == Scale(35.0, is_constant=False)
    np.testing.assert_array_equal(sample_totals(samples.take(np.array([3, 0]))), [50, 20])


def test_empty_samples_say_nothing():
    assert scale_of(samples_of([*DENSE, [0, 0, 0], [0, 0, 0], [0, 0, 0]], "normalized")) == Scale(10.0, is_constant=True)
    assert scale_of(samples_of(np.zeros((4, 3)), "normalized")) == Scale(0.0, is_constant=False)


@pytest.mark.parametrize(
    ("totals", "is_constant"),
    [
        ([100.0] * 3, True),
        ([100.0] * 2, False),  # too few
        ([100.0, 100.9, 99.1], True),
        ([100.0, 101.1, 100.0], False),
        ([100.0] * 19 + [7.0], True),  # 95 %
        ([100.0] * 18 + [7.0], False),
    ],
)
def test_nearly_all_totals_must_be_nearly_equal(totals, is_constant):
    samples = samples_of(np.ones((len(totals), 1)), "normalized", np.array(totals))
    assert scale_of(samples) == Scale(100.0, is_constant)


def test_equal_totals():
    assert Scale(1e4, is_constant=True).equals(Scale(10_099, is_constant=True))
    assert not Scale(1e4, is_constant=True).equals(Scale(10_200, is_constant=True))
    assert not Scale(10_200, is_constant=True).equals(Scale(1e4, is_constant=True))


def test_totals_of_another_length_are_a_defect():
    with pytest.raises(ValueError, match="do not match 4 samples"):
        samples_of(DENSE, "counts", np.ones(3))
