"""Splits that the file brings along."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError
from genoken.data.splits.column import ColumnSplit


def table_of(words, name="split"):
    return pd.DataFrame({name: words}, index=[f"cell_{row:03d}" for row in range(len(words))])


LABELS = np.resize([0, 1], 12)
WORDS = ["train"] * 4 + ["Valid", "validation", "VAL ", "val"] + ["test"] * 2 + ["unused"] * 2


def test_words_are_read_in_any_usual_spelling():
    words = ColumnSplit().assign(LABELS, None, table_of(WORDS), 0)
    assert words.tolist() == [["train"] * 4 + ["val"] * 4 + ["test"] * 2 + ["unused"] * 2]


def test_a_categorical_column_of_another_name_is_read():
    table = table_of(pd.Categorical(WORDS), name="part")
    assert (ColumnSplit(column="part").assign(LABELS, None, table, 0)[0] == "test").sum() == 2


def test_validation_is_taken_from_train_when_the_column_names_none():
    labels = np.resize([0, 1], 60)
    words = ColumnSplit(val=0.25).assign(labels, None, table_of(["train"] * 40 + ["test"] * 20), 0)[0]
    assert (words[40:] == "test").all()
    assert np.bincount(labels[words == "val"]).tolist() == [5, 5]
    assert (words[:40] == "train").sum() == 30


def test_validation_is_taken_by_whole_groups_when_there_are_enough():
    groups = np.repeat([f"g{index:02d}" for index in range(24)], 5)
    words = ColumnSplit().assign(np.resize([0, 1], 120), groups, table_of(["train"] * 100 + ["test"] * 20), 0)[0]
    assert not set(groups[words == "val"]) & set(groups[words == "train"])
    assert (words == "val").sum() == 15


def test_a_marked_test_sample_stays_one_though_its_group_validates():
    groups = np.array([f"g{row % 10}" for row in range(60)])
    words = ColumnSplit().assign(np.resize([0, 1], 60), groups, table_of(["train"] * 50 + ["test"] * 10), 0)[0]
    assert words[50:].tolist() == ["test"] * 10
    assert "val" in words[:50]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train"] * 12, "no sample is marked 'test'"),
        (["test"] * 12, "no sample is marked 'train'"),
        (["train"] * 8 + ["tset", "test", "test", "test"], "'tset' is no part of a split"),
        (["train"] * 8 + [None, "test", "test", "test"], "'None' is no part of a split"),
        (["train"] * 11 + ["test"], "one class only, class 1"),
        (["train", "unused"] * 4 + ["test"] * 4, "no train sample has class 1"),
    ],
)
def test_bad_columns_are_refused(words, message):
    with pytest.raises(DataError, match=message):
        ColumnSplit().assign(LABELS, None, table_of(words), 0)


def test_a_missing_column_offers_the_nearest_name():
    with pytest.raises(DataError, match=r"no column 'split'.*'splits'"):
        ColumnSplit().assign(LABELS, None, table_of(WORDS, name="splits"), 0)


def test_the_share_is_checked():
    with pytest.raises(ConfigError, match="between 0 and 1"):
        ColumnSplit(val=0.0)
