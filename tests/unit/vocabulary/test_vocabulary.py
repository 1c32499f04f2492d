"""The vocabulary file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import RunError
from genoken.vocabulary.vocabulary import read_vocabulary, write_vocabulary


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "vocabulary.parquet"
    ids, symbols = ("ENSG2", "ENSG10", "ENSG1"), ("B", "", "B")
    write_vocabulary(path, ids, symbols, {"mean": np.array([0.1, np.nan, 1 / 3]), "rank": np.array([3, 1, 2])})
    read_ids, read_symbols, per_feature = read_vocabulary(path)
    assert (read_ids, read_symbols) == (ids, symbols)
    assert list(per_feature) == ["mean", "rank"]
    np.testing.assert_array_equal(per_feature["mean"], [0.1, np.nan, 1 / 3])
    assert per_feature["rank"].dtype == np.float64
    assert [child.name for child in tmp_path.iterdir()] == ["vocabulary.parquet"]


def test_an_empty_vocabulary_survives(tmp_path):
    write_vocabulary(tmp_path / "v.parquet", [], [], {})
    assert read_vocabulary(tmp_path / "v.parquet") == ((), (), {})


def test_names_of_columns_are_not_overwritten(tmp_path):
    with pytest.raises(ValueError, match="taken"):
        write_vocabulary(tmp_path / "v.parquet", ["a"], ["a"], {"symbol": np.zeros(1)})


def test_files_that_are_no_vocabulary_are_refused(tmp_path):
    with pytest.raises(RunError, match="does not exist"):
        read_vocabulary(tmp_path / "absent.parquet")
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(RunError, match="not valid Parquet"):
        read_vocabulary(tmp_path / "text.parquet")
    for name, table, message in (
        ("a", {"feature_id": ["x"]}, "no column 'symbol'"),
        ("b", {"feature_id": ["x", "x"], "symbol": ["x", "y"]}, "holds a feature twice"),
        ("c", {"feature_id": ["x"], "symbol": ["x"], "mean": ["word"]}, "not a number"),
    ):
        pd.DataFrame(table).to_parquet(tmp_path / f"{name}.parquet")
        with pytest.raises(RunError, match=message):
            read_vocabulary(tmp_path / f"{name}.parquet")
