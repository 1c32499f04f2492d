"""What every split promises: parts disjoint and complete, whole groups, every class on both sides, no dependence on row order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from genoken.core.components import kinds, resolve
from genoken.core.errors import DataError
from genoken.data.splits.inherited import PART_COLUMN

KINDS = kinds("splits")
GROUPED = ("auto", "group", "folds", "leave_group_out")
NEEDS_GROUPS = ("group", "leave_group_out")
GIVEN = ("column", "inherited")


def table_of(num_samples: int, seed: int = 0) -> pd.DataFrame:
    """Return a sample table with unique ids, a split column, and the parts that half of the samples had in pretraining."""
    words = np.random.default_rng(seed).permutation(np.resize(["train", "train", "val", "test"], num_samples))
    parts = np.where(np.arange(num_samples) % 2, words, "")
    return pd.DataFrame({"split": words, PART_COLUMN: parts}, index=[f"cell_{row:04d}" for row in range(num_samples)])


@pytest.fixture(scope="module", autouse=True)
def _few_starts() -> Iterator[None]:
    """Search each division from fewer starts: what is promised holds for any number of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genoken.data.splits._partition._MOST_STARTS", 4)
        yield


@st.composite
def problems(draw):
    """Draw labels and groups: 30 to 90 samples, 2 to 4 classes, 3 to 9 groups of uneven size."""
    num_samples, num_classes = draw(st.integers(30, 90)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    labels = np.resize(np.arange(num_classes), num_samples)
    weights = rng.dirichlet(np.full(draw(st.integers(3, 9)), 2.0))
    groups = rng.choice([f"donor{index}" for index in range(len(weights))], num_samples, p=weights)
    return rng.permutation(labels), groups


def assert_is_split(words: np.ndarray, labels: np.ndarray) -> None:
    assert words.ndim == 2
    assert words.shape[1] == len(labels)
    assert set(np.unique(words)) <= {"train", "val", "test", "unused"}
    for fold in words:
        assert (fold == "train").any()
        assert (fold == "val").any()
        assert set(labels[fold == "test"]) <= set(labels[fold == "train"])


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(problem=problems(), seed=st.integers(0, 99))
def test_parts_are_complete_and_every_tested_class_is_learned(kind, problem, seed):
    labels, groups = problem
    try:
        words = resolve("splits", kind)().assign(labels, groups, table_of(len(labels)), seed)
    except DataError:
        reject()
    assert_is_split(words, labels)
    if kind not in GIVEN:
        for fold in words:
            assert set(labels[fold == "test"]) == set(labels) or kind == "leave_group_out"
            assert "unused" not in fold
    if len(words) > 1:
        assert ((words == "test").sum(axis=0) == 1).all()


@pytest.mark.parametrize("kind", GROUPED)
@settings(max_examples=20)
@given(problem=problems(), seed=st.integers(0, 99))
def test_no_group_is_in_test_and_elsewhere(kind, problem, seed):
    labels, groups = problem
    try:
        words = resolve("splits", kind)().assign(labels, groups, table_of(len(labels)), seed)
    except DataError:
        reject()
    for fold in words:
        assert not set(groups[fold == "test"]) & set(groups[fold != "test"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_grouped", [True, False])
def test_is_a_function_of_the_seed_and_of_the_samples_not_of_their_order(kind, is_grouped):
    if kind in NEEDS_GROUPS and not is_grouped:
        pytest.skip("needs groups")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 240)
    groups = np.array([f"donor{index}" for index in rng.integers(0, 30, 240)]) if is_grouped else None
    table, split = table_of(240), resolve("splits", kind)()
    words = split.assign(labels, groups, table, 5)
    assert np.array_equal(words, split.assign(labels, groups, table, 5))
    order = rng.permutation(240)
    assert np.array_equal(
        words[:, order], split.assign(labels[order], None if groups is None else groups[order], table.iloc[order], 5)
    )
    is_drawn = kind not in GIVEN or (kind == "inherited" and not is_grouped)  # with groups, all of them are known
    if is_drawn:
        assert not np.array_equal(words, split.assign(labels, groups, table, 6))


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_codes_of_classes_give_the_same_split(kind):
    rng = np.random.default_rng(1)
    codes, groups = rng.integers(0, 3, 120), rng.integers(0, 8, 120).astype(str)
    names = np.array(["B cell", "NK cell", "T cell"])[codes]
    split, table = resolve("splits", kind)(), table_of(120)
    assert np.array_equal(split.assign(codes, groups, table, 0), split.assign(names, groups, table, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_real_labels_are_divided_too(kind):
    rng = np.random.default_rng(2)
    labels, groups = rng.normal(size=200), rng.integers(0, 9, 200).astype(str)
    words = resolve("splits", kind)().assign(labels, groups, table_of(200), 0)
    for fold in words:
        assert {"train", "val", "test"} == set(fold)
        assert not (kind in GROUPED and set(groups[fold == "test"]) & set(groups[fold != "test"]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("labels", "groups", "message"),
    [
        (np.zeros(40, dtype=int), np.resize(["a", "b", "c", "d"], 40), "same class"),
        (np.full(40, 2.5), np.resize(["a", "b", "c", "d"], 40), "same label"),
        (np.r_[np.zeros(39), np.nan], np.resize(["a", "b", "c", "d"], 40), "no label"),
    ],
)
def test_labels_that_cannot_be_split_are_refused(kind, labels, groups, message):
    with pytest.raises(DataError, match=message):
        resolve("splits", kind)().assign(labels, groups, table_of(40), 0)


@pytest.mark.parametrize("kind", GROUPED)
def test_missing_groups_are_refused(kind):
    groups = np.array(["a", "b", "c", None] * 10, dtype=object)
    with pytest.raises(DataError, match="no group"):
        resolve("splits", kind)().assign(np.resize([0, 1], 40), groups, table_of(40), 0)
