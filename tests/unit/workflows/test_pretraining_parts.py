"""Which part each sample belongs to: the same in memory and on disk, where nothing is ever read whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.config import PretrainConfig, build
from genoken.core.errors import DataError
from genoken.core.samples import Samples
from genoken.core.stored_rows import StoredRows, store_rows
from genoken.workflows.pretraining_parts import divide, drawn_to_learn_from
from genoken.workflows.source import Source

PATHS = {"data": [Path("one.h5ad")], "eval": [Path("two.h5ad")]}
VALUES = np.arange(1, 121).reshape(10, 12)
VALUES[4] = VALUES[1]  # both are to be pretrained on
VALUES[8] = VALUES[2]  # row 8 is to be reported on
VALUES[3, 2:] = 0
VALUES[9] = VALUES[3]  # too little is in them to be known again
VALUES[5] = 0


@pytest.fixture(params=["memory", "disk"])
def source(request, tmp_path, monkeypatch):
    """Ten samples of 12 features, the last three of a second file; no reading from disk may give more than two of them."""
    values = sp.csr_matrix(VALUES.astype(np.float32))
    if request.param == "disk":
        values = store_rows([values], tmp_path / "values", 12)
        monkeypatch.setattr("genoken.core.stored_rows.BLOCK_ENTRIES", 24)
        plain = StoredRows.read

        def read(rows):
            assert rows.lengths.sum() <= 24
            return plain(rows)

        monkeypatch.setattr(StoredRows, "read", read)
    table = pd.DataFrame({"file": ["one.h5ad"] * 7 + ["two.h5ad"] * 3, "donor": list("aabbccddee")}, index=[*"abcdefghij"])
    return Source(Samples(values, table, pd.DataFrame(index=[f"G{number}" for number in range(12)]), "counts", "typed:X"), (), ())


def divided(source, paths=PATHS, **data):
    return divide(source, paths, build(PretrainConfig, {"data": {"val": 0.3, "test": 0.3} | data}))


def test_empty_samples_and_those_that_are_reported_on_too_are_left_out(source):
    found = divided(source)
    samples = found.source.samples
    assert list(samples.table.index) == [*"abdeghij"]
    assert found.of_eval.tolist() == [False] * 5 + [True] * 3
    assert found.copies.tolist() == [0, 1, 2, 1, 4, 5, 6, 7]
    assert found.own_copies().tolist() == [0, 1, 2, 1, 4]
    assert found.words[5:].tolist() == ["test"] * 3
    assert set(found.words[:5]) == {"train", "val"}
    assert found.words[1] == found.words[3]
    assert samples.notes == (
        "1 sample has no values above zero and is left out",
        "1 samples to pretrain on have the values of one in the files to report on, and are left out",
        "1 samples have the values of an earlier one; samples with equal values are held out together",
    )
    np.testing.assert_array_equal(samples.take(np.array([0, 7])).in_memory().values.toarray(), VALUES[[0, 9]])


def test_copies_join_groups(source):
    found = divided(source, {"data": [Path("one.h5ad")], "eval": []}, group="donor", test=0.2)
    words = pd.Series(found.words, index=found.source.samples.table.index)
    assert [len(set(words[list(group)])) for group in ("abe", "cdij", "gh")] == [1, 1, 1]  # b is e, and c is i
    assert set(words) == {"train", "val", "test"}


def test_a_run_without_samples_of_its_own_is_refused(source):
    rows = np.array([2, 8])
    with pytest.raises(DataError, match="all samples to pretrain on are in the files to report on too — name other files"):
        divided(Source(source.samples.take(rows), (), ()))


def test_as_many_train_samples_are_learned_from_as_asked():
    config = build(PretrainConfig, {"data": {"fit_samples": 30}})
    assert drawn_to_learn_from(config, 30).tolist() == list(range(30))
    drawn = drawn_to_learn_from(config, 200)
    assert len(drawn) == 30
    assert (np.diff(drawn) > 0).all()
    assert drawn.max() > 60  # not the first ones
