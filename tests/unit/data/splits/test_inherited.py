"""The split of a pretraining run: known samples keep their part, new ones follow their group or are divided."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError
from genoken.data.splits.inherited import PART_COLUMN, InheritedSplit


def table_of(words):
    return pd.DataFrame({PART_COLUMN: words}, index=[f"cell_{row:03d}" for row in range(len(words))])


def assign(words, labels, groups=None, **settings):
    return InheritedSplit(**settings).assign(np.asarray(labels), groups, table_of(words), 0)[0].tolist()


def test_known_samples_keep_their_part():
    words = ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    assert assign(words, [0, 1] * 4) == words
    assert assign(words, np.linspace(0, 1, 8)) == words


def test_a_new_sample_goes_where_its_group_is_and_train_comes_first():
    words = ["train", "train", "val", "val", "test", "test", "train", "", "", "", ""]
    groups = np.array(["a", "a", "b", "b", "c", "c", "b", "a", "b", "c", "c"])
    found = assign(words, [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0], groups)
    assert found == [*words[:7], "train", "train", "test", "test"]


def test_new_groups_are_divided_whole_in_the_usual_shares():
    known, new = ["train"] * 10 + ["val"] * 4 + ["test"] * 4, 200
    groups = np.array(["k0"] * 10 + ["k1"] * 4 + ["k2"] * 4 + [f"n{row % 40:02d}" for row in range(new)])
    found = np.array(assign([*known, *[""] * new], np.resize([0, 1], 18 + new), groups))
    assert found[:18].tolist() == known
    sizes = {part: int((found[18:] == part).sum()) for part in ("train", "val", "test")}
    assert sizes == {"train": 140, "val": 30, "test": 30}
    for name in np.unique(groups):
        assert len(set(found[groups == name])) == 1


def test_new_samples_without_groups_are_divided_in_the_usual_shares_by_class():
    known = ["train", "train", "val", "val", "test", "test"]
    labels = np.resize([0, 1], 46)
    found = np.array(assign([*known, *[""] * 40], labels, train=0.5, val=0.25, test=0.25))
    assert found[:6].tolist() == known
    for code in (0, 1):
        own = found[6:][labels[6:] == code]
        assert [int((own == part).sum()) for part in ("train", "val", "test")] == [10, 5, 5]


@pytest.mark.parametrize("val", [[], ["val"], ["val", "val"]])
def test_train_samples_validate_where_a_class_has_none(val):
    words = ["train"] * 40 + val + ["test"] * 4
    labels = np.r_[np.resize([0, 1], 40), np.zeros(len(val), dtype=int), np.resize([0, 1], 4)]
    found = np.array(assign(words, labels, val=0.15, train=0.70))
    assert found[-4:].tolist() == ["test"] * 4
    assert found[40:-4].tolist() == val
    # 0.15 / 0.85 of 40 samples are 7
    assert int((found[:40] == "val").sum()) == 7
    assert set(labels[:40][found[:40] == "val"]) == {0, 1}


def test_a_test_sample_stays_one_though_its_group_validates():
    groups = np.array([f"g{row % 10}" for row in range(60)])
    words = ["train"] * 50 + ["test"] * 10
    found = assign(words, np.resize([0, 1], 60), groups)
    assert found[50:] == ["test"] * 10
    assert "val" in found


@pytest.mark.parametrize(
    ("words", "labels", "message"),
    [
        (["train"] * 8, [0, 1] * 4, r"pretraining learned from all of these samples.*--test-share"),
        (["test"] * 8, [0, 1] * 4, "held all of these samples out"),
        (["train"] * 6 + ["test"] * 2, [0, 1] * 3 + [0, 0], "the test samples have one class only, class 0"),
        (["train"] * 6 + ["test"] * 3, [0, 1] * 3 + [0, 1, 2], "no train sample has class 2, which the test has"),
    ],
)
def test_a_split_that_tests_nothing_is_refused(words, labels, message):
    with pytest.raises(DataError, match=message):
        assign(words, labels)


def test_without_a_pretraining_run_there_is_nothing_to_inherit():
    with pytest.raises(DataError, match=r"no pretraining run is there to inherit a split from — add --from"):
        InheritedSplit().assign(np.resize([0, 1], 8), None, pd.DataFrame(index=list("abcdefgh")), 0)


def test_wrong_shares_are_refused():
    with pytest.raises(ConfigError, match="sum to 1"):
        InheritedSplit(train=0.9)
