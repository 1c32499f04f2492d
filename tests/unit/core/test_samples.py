"""Samples: a matrix and its two tables, always of one shape."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core import calls
from genoken.core.calls import Calls
from genoken.core.samples import Samples
from genoken.core.stored_rows import store_rows


@pytest.fixture
def samples() -> Samples:
    values = np.array([[1, 0, 2], [0, 0, 3], [4, 5, 0], [0, 6, 0]], dtype=np.float32)
    return Samples(
        values=sp.csr_matrix(values),
        table=pd.DataFrame({"label": list("abca")}, index=["s1", "s2", "s3", "s4"]),
        features=pd.DataFrame(index=["g1", "g2", "g3"]),
        value_kind="counts",
        origin="cells.h5ad:X",
    )


def test_counts_its_samples_and_features(samples):
    assert (samples.num_samples, samples.num_features) == (4, 3)


@pytest.mark.parametrize("rows", [np.array([2, 0, 2]), [2, 0, 2]])
def test_take_keeps_the_order_and_may_repeat(samples, rows):
    taken = samples.take(rows)
    assert taken.values.toarray().tolist() == [[4, 5, 0], [1, 0, 2], [4, 5, 0]]
    assert list(taken.table.index) == ["s3", "s1", "s3"]
    assert list(taken.table["label"]) == ["c", "a", "c"]
    assert taken.features is samples.features
    assert (taken.value_kind, taken.origin) == ("counts", "cells.h5ad:X")


def test_take_by_mask(samples):
    assert list(samples.take(np.array([False, True, False, True])).table.index) == ["s2", "s4"]
    assert samples.take(np.zeros(4, dtype=bool)).values.shape == (0, 3)


def test_take_leaves_the_original_alone(samples):
    taken = samples.take(np.array([0]))
    taken.values.data[:] = 9
    assert samples.values.toarray()[0].tolist() == [1, 0, 2]


@pytest.mark.parametrize(("num_rows", "num_columns"), [(3, 3), (4, 2)])
def test_tables_that_do_not_match_are_a_defect(samples, num_rows, num_columns):
    with pytest.raises(ValueError, match="do not match"):
        Samples(
            values=samples.values,
            table=samples.table.iloc[:num_rows],
            features=samples.features.iloc[:num_columns],
            value_kind="counts",
            origin="x",
        )


def test_notes_go_with_the_samples(samples):
    noted = replace(samples, notes=("1 sample has missing values and is left out",))
    assert samples.notes == ()
    assert noted.take(np.array([0, 1])).notes == ("1 sample has missing values and is left out",)


def test_samples_on_disk_are_read_in_blocks(samples, tmp_path, monkeypatch):
    monkeypatch.setattr("genoken.core.stored_rows.BLOCK_ENTRIES", 3)
    totals = np.arange(4.0)
    stored = replace(samples, values=store_rows([samples.values], tmp_path / "rows", 3), totals=totals)
    taken, expected = stored.take(np.array([3, 0, 2])), replace(samples, totals=totals).take(np.array([3, 0, 2]))
    assert taken.values.shape == (3, 3)
    np.testing.assert_array_equal(taken.in_memory().values.toarray(), expected.values.toarray())
    blocks = list(taken.blocks())
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.vstack([block.values.toarray() for block in blocks]), expected.values.toarray())
    assert [name for block in blocks for name in block.table.index] == ["s4", "s1", "s3"]
    assert [total for block in blocks for total in block.totals] == [3.0, 0.0, 2.0]
    assert list(samples.blocks()) == [samples]
    assert samples.in_memory() is samples


def test_calls_come_in_blocks_as_matrices_with_their_strand(samples, monkeypatch):
    monkeypatch.setattr(calls, "BLOCK_CALLS", 6)
    copies = sp.csr_matrix(np.array([[1, 0, 2], [0, 0, np.nan], [2, 1, 0], [0, 1, 0]], dtype=np.float32))
    strand = sp.csr_matrix(np.array([[1, 0, 1], [0, 0, np.nan], [1, 0, 0], [0, 1, 0]], dtype=np.float32))
    packed = replace(samples, values=Calls.of(copies), value_kind="dosage", first_strand=Calls.of(strand))
    blocks = list(packed.blocks())
    assert [list(block.table.index) for block in blocks] == [["s1", "s2"], ["s3", "s4"]]
    assert sp.issparse(blocks[0].values)
    np.testing.assert_array_equal(np.concatenate([block.values.toarray() for block in blocks]), copies.toarray())
    np.testing.assert_array_equal(blocks[1].first_strand.toarray(), strand[2:].toarray())
    np.testing.assert_array_equal(packed.take(np.array([3, 0])).first_strand.toarray(), strand[[3, 0]].toarray())
