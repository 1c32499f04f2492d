"""Each group is tested alone, and by a model that learned from all others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError
from genoken.data.splits.leave_group_out import LeaveGroupOutSplit


def assign(labels, groups, **settings):
    table = pd.DataFrame(index=[f"s{row:03d}" for row in range(len(labels))])
    return LeaveGroupOutSplit(**settings).assign(np.asarray(labels), None if groups is None else np.asarray(groups), table, 0)


def test_there_is_a_fold_for_each_group_in_the_order_of_their_names():
    groups = np.resize(["YRI", "CEU", "CHB"], 60)
    words = assign(np.resize([0, 1], 60), groups)
    assert words.shape == (3, 60)
    for fold, name in zip(words, ["CEU", "CHB", "YRI"], strict=True):
        assert np.array_equal(fold == "test", groups == name)
        assert (fold == "val").sum() == 6  # 15 % of 40


def test_a_group_need_not_hold_every_class_but_no_class_may_be_in_one_group_alone():
    groups = np.repeat(["a", "b", "c", "d"], 10)
    labels = np.repeat([0, 0, 0, 1, 1, 0, 1, 1], 5)
    words = assign(labels, groups)
    assert set(labels[words[0] == "test"]) == {0}
    assert all(set(labels[fold == "train"]) == {0, 1} for fold in words)
    with pytest.raises(DataError, match=r"at least 2 groups .* too few: class 2 \(1 group\)"):
        assign(np.r_[np.full(5, 2), labels[5:]], groups)


def test_two_cohorts_are_enough_where_both_hold_every_class():
    groups = np.repeat(["first", "second"], 20)
    words = assign(np.resize([0, 1], 40), groups)
    assert [set(groups[fold == "test"]) for fold in words] == [{"first"}, {"second"}]
    labels = np.resize([0, 1], 40)
    labels[20:38] = 0  # one sample of class 1 in the second
    with pytest.raises(DataError, match=r"at least 3 groups .* too few: class 0 \(2 groups\), class 1 \(2 groups\)"):
        assign(labels, groups)


@pytest.mark.parametrize(
    ("groups", "line"),
    [
        (None, "leaving groups out needs a group column"),
        (["a"] * 60, "1 groups cannot be left out one by one"),
        ([f"g{row}" for row in range(60)], "60 groups cannot be left out one by one"),
    ],
)
def test_what_cannot_be_left_out_is_refused(groups, line):
    with pytest.raises(DataError, match=line):
        assign(np.linspace(0, 1, 60), groups)


def test_a_share_is_between_zero_and_one():
    with pytest.raises(ConfigError, match="val=1"):
        LeaveGroupOutSplit(val=1.0)
