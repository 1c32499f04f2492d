"""Random splits: stratification, folds, groups ignored."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError
from genoken.data.splits.random import RandomSplit


def table_of(num_samples):
    return pd.DataFrame(index=[f"cell_{row:05d}" for row in range(num_samples)])


def test_groups_are_ignored():
    labels, groups = np.resize([0, 1], 80), np.repeat(["a", "b"], 40)
    table = table_of(80)
    words = RandomSplit().assign(labels, groups, table, 0)
    assert np.array_equal(words, RandomSplit().assign(labels, None, table, 0))
    assert set(groups[words[0] == "test"]) == {"a", "b"}


def test_a_class_of_three_has_one_sample_in_each_part():
    labels = np.r_[np.zeros(50, dtype=int), np.ones(3, dtype=int)]
    words = RandomSplit().assign(labels, None, table_of(53), 0)[0]
    assert sorted(words[50:]) == ["test", "train", "val"]


def test_the_pbmc_class_sizes_are_divided_in_proportion():
    sizes = [240, 129, 95, 68, 54, 43, 31, 19, 13, 8]
    labels = np.repeat(np.arange(10), sizes)
    words = RandomSplit().assign(labels, None, table_of(700), 0)[0]
    assert [(words == part).sum() for part in ("train", "val", "test")] == [490, 105, 105]
    # Expected by hand: shares of 15 %, rounded by the largest remainder, at least one.
    assert np.bincount(labels[words == "test"]).tolist() == [36, 19, 14, 10, 8, 7, 5, 3, 2, 1]


def test_folds_test_every_sample_once_and_spread_every_class():
    labels = np.repeat([0, 1, 2], [50, 23, 7])
    words = RandomSplit(folds=5).assign(labels, None, table_of(80), 0)
    assert words.shape == (5, 80)
    assert ((words == "test").sum(axis=0) == 1).all()
    tested = np.array([np.bincount(labels[fold == "test"], minlength=3) for fold in words])
    assert (tested.max(axis=0) - tested.min(axis=0) <= 1).all()
    assert tested.sum(axis=1).tolist() == [16] * 5


def test_more_folds_than_samples_of_a_class_are_refused_with_the_largest_number():
    labels = np.repeat(["x", "y"], [50, 4])
    with pytest.raises(DataError, match=r"'y' has 4 samples.*at most 4 folds"):
        RandomSplit(folds=5).assign(labels, None, table_of(54), 0)


def test_real_labels_are_stratified_by_quantile():
    labels = np.random.default_rng(0).gamma(1.0, size=500)
    words = RandomSplit().assign(labels, None, table_of(500), 0)[0]
    edges = np.quantile(labels, [0.2, 0.4, 0.6, 0.8])
    assert np.bincount(np.searchsorted(edges, labels[words == "test"], side="right")).tolist() == [15] * 5


def test_bad_options_are_refused():
    with pytest.raises(ConfigError, match="sum to 1"):
        RandomSplit(val=0.5)
    with pytest.raises(ConfigError, match="no cross-validation"):
        RandomSplit(folds=-2)
