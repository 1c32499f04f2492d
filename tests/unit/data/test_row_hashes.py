"""Hashes of rows: equal exactly when the rows are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.random import generator
from genoken.core.samples import Samples
from genoken.data.row_hashes import first_copies, row_hashes, sample_hashes


@given(st.integers(1, 60), st.integers(0, 2**31))
def test_rows_share_a_hash_exactly_when_they_are_equal(num_rows, seed):
    values = generator(seed, "rows").integers(-1, 2, size=(num_rows, 3)).astype(np.float32)
    hashes = row_hashes(sp.csr_matrix(values))
    same = (values[:, None, :] == values[None, :, :]).all(axis=2)
    np.testing.assert_array_equal(hashes[:, None] == hashes[None, :], same)


def test_hashes_do_not_depend_on_the_block_of_a_row(monkeypatch):
    values = sp.csr_matrix(generator(0, "blocks").integers(0, 3, size=(50, 4)).astype(np.float32))
    whole = row_hashes(values)
    monkeypatch.setattr("genoken.data.row_hashes._BLOCK_ROWS", 7)
    np.testing.assert_array_equal(row_hashes(values), whole)


def test_copies_are_those_of_the_first_equal_row_unless_too_little_is_in_them():
    hashes = row_hashes(sp.csr_matrix(np.array([[1, 2], [3, 0], [1, 2], [3, 0], [2, 1], [1, 2]], dtype=np.float32)))
    assert first_copies(hashes, np.array([True, False, True, False, True, True])).tolist() == [0, 1, 0, 3, 4, 0]
    assert first_copies(hashes, np.ones(6, dtype=bool)).tolist() == [0, 1, 0, 1, 4, 0]


def test_samples_with_other_strands_are_others_and_a_strand_is_not_taken_for_values():
    values = sp.csr_matrix(np.array([[1, 2, 1], [1, 2, 1], [1, 2, 1], [1, 1, 1]], dtype=np.float32))
    strand = sp.csr_matrix(np.array([[1, 1, 0], [0, 1, 1], [1, 1, 0], [1, 1, 0]], dtype=np.float32))
    table, features = pd.DataFrame(index=list("abcd")), pd.DataFrame(index=list("xyz"))
    phased = Samples(values, table, features, "dosage", "typed", first_strand=strand)
    assert first_copies(sample_hashes(phased), np.ones(4, dtype=bool)).tolist() == [0, 1, 0, 3]
    unphased = Samples(values, table, features, "dosage", "typed")
    np.testing.assert_array_equal(sample_hashes(unphased), row_hashes(values))
    np.testing.assert_array_equal(sample_hashes(phased), row_hashes(sp.hstack([values, strand], format="csr")))
