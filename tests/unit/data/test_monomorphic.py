"""Variants without any variation, typed by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.core.genotypes import sparse_dosages
from genoken.core.samples import Samples
from genoken.data.monomorphic import monomorphic, without_monomorphic

# all 0 · all 2 · all 1 · 1 and missing · 0 and missing · never called · varies · varies with missing calls
CALLS = np.array([[0, 2, 1, 1, 0, -1, 0, 2], [0, 2, 1, -1, -1, -1, 1, -1], [0, 2, 1, 1, 0, -1, 0, 1]], dtype=np.int8)


def samples_of(calls):
    names = [f"v{place}" for place in range(calls.shape[1])]
    table = pd.DataFrame(index=["a", "b", "c"])
    values = sparse_dosages(calls)
    return Samples(values, table, pd.DataFrame(index=names), "dosage", "cohort.bed:calls", first_strand=values)


def test_each_kind_is_known():
    assert monomorphic(samples_of(CALLS)).tolist() == [True, True, True, True, True, True, False, False]


def test_they_are_left_out_with_a_count():
    found, notes = without_monomorphic(samples_of(CALLS))
    assert list(found.features.index) == ["v6", "v7"]
    np.testing.assert_array_equal(found.values.toarray(), [[0, 2], [1, np.nan], [0, 1]])
    np.testing.assert_array_equal(found.first_strand.toarray(), found.values.toarray())
    assert notes == ["6 variants have the same genotype in all samples and are left out"]
    again, notes = without_monomorphic(found)
    assert (again, notes) == (found, [])
    with pytest.raises(DataError, match=r"cohort.bed:calls: every variant has the same genotype in all samples"):
        without_monomorphic(samples_of(CALLS[:, :6]))
