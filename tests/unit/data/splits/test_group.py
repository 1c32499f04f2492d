"""One split by group: proportions, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError
from genoken.data.splits.group import GroupSplit


def table_of(num_samples):
    return pd.DataFrame(index=[f"cell_{row:05d}" for row in range(num_samples)])


def test_shares_and_class_proportions_are_kept_with_uneven_groups():
    rng = np.random.default_rng(0)
    groups = np.repeat([f"g{index:02d}" for index in range(40)], rng.integers(5, 60, 40))
    labels = rng.choice([0, 1, 2], len(groups), p=[0.6, 0.3, 0.1])
    words = GroupSplit().assign(labels, groups, table_of(len(groups)), 0)[0]
    for part, share in (("train", 0.70), ("val", 0.15), ("test", 0.15)):
        inside = words == part
        assert inside.mean() == pytest.approx(share, abs=0.02)
        assert np.bincount(labels[inside]) / inside.sum() == pytest.approx(np.bincount(labels) / len(labels), abs=0.03)


def test_needs_groups():
    with pytest.raises(DataError, match=r"needs a group column.*--group"):
        GroupSplit().assign(np.resize([0, 1], 20), None, table_of(20), 0)


def test_one_group_is_refused():
    with pytest.raises(DataError, match="1 group cannot be divided"):
        GroupSplit().assign(np.resize([0, 1], 20), np.repeat("a", 20), table_of(20), 0)


def test_groups_of_one_class_each_are_on_both_sides_per_class():
    groups = np.repeat(["a", "b", "c", "d", "e", "f"], 10)
    labels = np.isin(groups, ["a", "b", "c"]).astype(int)
    words = GroupSplit().assign(labels, groups, table_of(60), 0)[0]
    assert set(labels[words == "test"]) == set(labels[words == "train"]) == {0, 1}


def test_validation_by_group_that_would_empty_train_is_refused():
    labels, groups = np.resize([0, 1, 2], 20), np.repeat(["a", "b"], 10)
    with pytest.raises(DataError, match="validation=samples"):
        GroupSplit(validation="groups").assign(labels, groups, table_of(20), 0)


def test_validation_by_group_and_by_samples_can_be_asked_for():
    groups = np.repeat([f"g{index}" for index in range(6)], 10)
    labels = np.resize([0, 1], 60)
    by_group = GroupSplit(validation="groups").assign(labels, groups, table_of(60), 0)[0]
    assert not set(groups[by_group == "val"]) & set(groups[by_group == "train"])
    many = np.repeat([f"g{index:02d}" for index in range(40)], 6)
    by_sample = GroupSplit(validation="samples").assign(np.resize([0, 1], 240), many, table_of(240), 0)[0]
    assert set(many[by_sample == "val"]) & set(many[by_sample == "train"])


def test_shares_are_checked():
    with pytest.raises(ConfigError, match="sum to 1"):
        GroupSplit(test=0.3)


def test_no_division_is_found_where_there_is_none():
    # Each class is in two of three groups: whichever group is tested alone lacks one class.
    groups = np.repeat(["a", "b", "c"], 8)
    names = np.array(["x", "y"] * 4 + ["x", "z"] * 4 + ["y", "z"] * 4)
    with pytest.raises(DataError, match="no division into whole groups puts every class into train and test"):
        GroupSplit().assign(names, groups, table_of(24), 0)
