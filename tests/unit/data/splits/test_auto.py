"""The automatic split: which kind of split it chooses, its parts on real designs, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError
from genoken.data.splits.auto import AutoSplit


def table_of(num_samples):
    return pd.DataFrame(index=[f"cell_{row:05d}" for row in range(num_samples)])


def grouped(num_groups, per_group=12):
    groups = np.repeat([f"g{index:02d}" for index in range(num_groups)], per_group)
    return np.resize([0, 1, 2], len(groups)), groups


@pytest.mark.parametrize(("num_groups", "folds"), [(3, 3), (5, 5), (8, 5), (19, 5), (20, 1), (40, 1)])
def test_few_groups_are_cross_validated_many_are_split_once(num_groups, folds):
    labels, groups = grouped(num_groups)
    words = AutoSplit().assign(labels, groups, table_of(len(labels)), 0)
    assert len(words) == folds


def test_without_groups_one_stratified_split_with_the_asked_shares():
    labels = np.repeat([0, 1], [60, 40])
    words = AutoSplit().assign(labels, None, table_of(100), 0)[0]
    counts = {part: np.bincount(labels[words == part]).tolist() for part in ("train", "val", "test")}
    assert counts == {"train": [42, 28], "val": [9, 6], "test": [9, 6]}


def test_twenty_groups_leave_five_for_the_test_so_that_an_interval_can_be_given():
    labels, groups = grouped(20)
    words = AutoSplit().assign(labels, groups, table_of(len(labels)), 0)[0]
    assert len(set(groups[words == "test"])) >= 5
    assert 0.55 <= (words == "train").mean() <= 0.7


def test_whole_groups_validate_when_there_are_enough():
    labels, groups = grouped(40)
    words = AutoSplit().assign(labels, groups, table_of(len(labels)), 0)[0]
    assert not set(groups[words == "val"]) & set(groups[words == "train"])
    assert set(labels[words == "val"]) == {0, 1, 2}


def test_samples_of_the_train_groups_validate_when_groups_are_few():
    labels, groups = grouped(6)
    for words in AutoSplit().assign(labels, groups, table_of(len(labels)), 0):
        assert set(groups[words == "val"]) <= set(groups[words == "train"])


def test_folds_force_a_cross_validation():
    labels, groups = grouped(40)
    assert len(AutoSplit(folds=4).assign(labels, groups, table_of(len(labels)), 0)) == 4
    assert len(AutoSplit(folds=4).assign(labels, None, table_of(len(labels)), 0)) == 4


def test_each_group_has_one_label_so_that_folds_are_limited_by_the_rarer_one():
    groups = np.repeat(["ko1", "ko2", "ko3", "wt1", "wt2", "wt3", "wt4"], 20)
    labels = np.char.startswith(groups, "wt").astype(int)
    words = AutoSplit().assign(labels, groups, table_of(140), 0)
    assert len(words) == 3
    for fold in words:
        assert set(labels[fold == "test"]) == {0, 1}
    with pytest.raises(DataError, match=r"class 0 has 3 groups.*at most 3 folds"):
        AutoSplit(folds=4).assign(labels, groups, table_of(140), 0)


def test_a_class_of_two_groups_is_refused_among_two_classes_and_allowed_among_three():
    groups = np.repeat(["a", "b", "c", "d", "e"], 12)
    names = np.where(np.isin(groups, ["a", "b"]) & (np.arange(60) % 3 == 0), "rare", np.resize(["x", "y"], 60))
    assert len(AutoSplit().assign(names, groups, table_of(60), 0)) == 2
    two = np.where(names == "rare", "rare", "x")
    with pytest.raises(DataError, match=r"at least 3 groups.*'rare' \(2 groups\)"):
        AutoSplit().assign(two, groups, table_of(60), 0)


def test_classes_of_one_group_or_two_samples_are_named():
    groups = np.repeat(["a", "b", "c", "d"], 15)
    names = np.resize(["x", "y", "z"], 60)
    alone = np.where((groups == "a") & (names == "z"), "alone", names)
    with pytest.raises(DataError, match=r"'alone' \(1 group\)"):
        AutoSplit().assign(alone, groups, table_of(60), 0)
    names = names.astype("U8")
    names[[0, 20]] = "tiny"
    with pytest.raises(DataError, match=r"'tiny' \(2 samples\).*merge"):
        AutoSplit().assign(names, None, table_of(60), 0)


def test_no_division_is_found_where_there_is_none():
    # Each class is in two of three groups: whichever group is alone lacks one class.
    groups = np.repeat(["a", "b", "c"], 8)
    names = np.array(["x", "y"] * 4 + ["x", "z"] * 4 + ["y", "z"] * 4)
    with pytest.raises(DataError, match="folds are impossible"):
        AutoSplit().assign(names, groups, table_of(24), 0)


@pytest.mark.parametrize("options", [{"train": 0.8}, {"val": 0.0, "test": 0.3}, {"train": 1.0, "val": -0.15}])
def test_shares_must_be_positive_and_sum_to_one(options):
    with pytest.raises(ConfigError, match="sum to 1"):
        AutoSplit(**options)


def test_one_fold_is_refused():
    with pytest.raises(ConfigError, match="1 folds are no cross-validation"):
        AutoSplit(folds=1)


@pytest.mark.parametrize(
    ("file", "label", "group", "folds"),
    [
        ("kang18_pbmc_ifnb_8donors.h5ad", "cell_type_published", "donor_id", 5),
        ("pig_airway_cftr_7animals.h5ad", "condition", "donor_id", 3),
        ("glioblastoma_panobinostat_5patients.h5ad", "condition", "donor_id", 5),
    ],
)
def test_real_designs_give_folds_with_every_class(real_data, file, label, group, folds):
    import h5py
    from anndata.io import read_elem

    with h5py.File(real_data / "expression" / "single_cell" / file) as handle:
        table = read_elem(handle["obs"])
    table = table[table[label] != "unassigned"]
    labels, groups = table[label].astype(str).to_numpy(), table[group].astype(str).to_numpy()
    words = AutoSplit().assign(labels, groups, table, 0)
    assert len(words) == folds
    for fold in words:
        assert set(labels[fold == "test"]) == set(labels[fold == "train"]) == set(labels)
        assert not set(groups[fold == "test"]) & set(groups[fold != "test"])
        assert 0.5 / folds <= (fold == "test").mean() <= 1.7 / folds
