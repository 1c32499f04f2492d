"""Holding samples out: shares, whole groups, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.errors import DataError
from genoken.data.holdout import draw_within, hold_out, hold_out_new


def test_single_samples_are_held_out_by_their_shares():
    words = hold_out(100, None, test=0.2, val=0.05, seed=1)
    assert [(words == part).sum() for part in ("train", "val", "test")] == [76, 4, 20]
    assert (words == hold_out(100, None, test=0.2, val=0.05, seed=1)).all()
    assert (words != hold_out(100, None, test=0.2, val=0.05, seed=2)).any()


@given(sizes=st.lists(st.integers(1, 9), min_size=12, max_size=30), seed=st.integers(0, 9))
def test_groups_are_held_out_whole(sizes, seed):
    groups = np.repeat([f"g{index}" for index in range(len(sizes))], sizes)
    words = hold_out(len(groups), groups, test=0.3, val=0.1, seed=seed)
    for name in np.unique(groups):
        assert len(set(words[groups == name])) == 1
    held = (words == "test").sum()
    assert 0.3 * len(groups) - 0.5 <= held <= 0.3 * len(groups) + 9


def test_nothing_is_held_out_where_nothing_shall_be():
    assert set(hold_out(10, None, test=0.0, val=0.2, seed=0)) == {"train", "val"}


def test_too_few_groups_are_refused():
    with pytest.raises(DataError, match=r"cells.h5ad: 1 groups are too few .* the val part would be empty"):
        hold_out(4, np.array(["a"] * 4), test=0.2, val=0.1, seed=0, where="cells.h5ad")


def test_all_rows_are_taken_as_they_are_where_they_are_not_too_many():
    rows = np.array([5, 3, 9])
    for most, sizes in ((0, None), (3, None), (60, np.array([10, 20, 30])), (0, np.array([10, 20, 30]))):
        np.testing.assert_array_equal(draw_within(rows, most, sizes=sizes, seed=1, purpose="x"), rows)


@given(st.lists(st.integers(1, 9), min_size=3, max_size=30), st.integers(1, 40), st.integers(0, 9))
def test_as_many_rows_are_drawn_as_fit(sizes, most, seed):
    rows = np.arange(100, 100 + len(sizes))
    drawn = draw_within(rows, most, sizes=np.array(sizes), seed=seed, purpose="x")
    assert (np.diff(drawn) > 0).all()
    total = sum(sizes[row - 100] for row in drawn)
    assert total <= most or len(drawn) == 1
    if len(drawn) < len(rows):
        assert total + 9 > most  # no room for the largest of the others


def test_rows_are_drawn_by_seed_and_purpose():
    rows = np.arange(1000)
    first = draw_within(rows, 100, seed=1, purpose="fit")
    assert len(first) == 100
    np.testing.assert_array_equal(first, draw_within(rows, 100, seed=1, purpose="fit"))
    for seed, purpose in ((2, "fit"), (1, "report")):
        assert len(np.intersect1d(first, draw_within(rows, 100, seed=seed, purpose=purpose))) < 30
    assert abs(first.mean() - 499.5) < 90  # three standard errors


def test_copies_are_held_out_together():
    copies = np.tile(np.arange(50), 2)
    words = hold_out(100, None, test=0.2, val=0.1, seed=3, copies=copies)
    assert [(words == part).sum() for part in ("train", "val", "test")] == [72, 8, 20]
    assert (words[:50] == words[50:]).all()


def test_without_copies_the_draw_is_the_same():
    groups = np.repeat([f"g{index:02d}" for index in range(20)], 3)
    for named in (None, groups):
        one = hold_out(60, named, test=0.2, val=0.1, seed=3, copies=np.arange(60))
        assert (one == hold_out(60, named, test=0.2, val=0.1, seed=3)).all()


@pytest.mark.parametrize("seed", range(5))
def test_groups_that_share_copies_are_held_out_as_one_and_stay_whole(seed):
    groups = np.repeat([f"g{index:02d}" for index in range(20)], 3)
    copies = np.arange(60)
    copies[[10, 40, 59]] = 0, 10, 5  # g03 with g00; g13 with g03 and so with g00; g19 with g01
    words = hold_out(60, groups, test=0.3, val=0.1, seed=seed, copies=copies)
    of = {name: set(words[groups == name]) for name in np.unique(groups)}
    assert all(len(found) == 1 for found in of.values())
    assert of["g00"] == of["g03"] == of["g13"]
    assert of["g01"] == of["g19"]


def test_new_samples_may_have_parts_of_their_own():
    """Those that are known keep theirs, groups that are known stay together, and nothing is drawn."""
    known = np.array(["train", "", "", "val", "", ""])
    given_parts = np.array(["val", "val", "train", "train", "val", "train"])
    shares = {"test": 0.0, "val": 0.5, "seed": 0}
    found = hold_out_new(known, None, given=given_parts, **shares)
    assert found.tolist() == ["train", "val", "train", "val", "val", "train"]
    groups = np.array(["a", "a", "b", "b", "c", "c"])
    assert hold_out_new(known, groups, given=given_parts, **shares).tolist() == ["train", "train", "val", "val", "val", "train"]
    with pytest.raises(DataError, match="the val part would be empty: the earlier run knows 2 of 2 samples"):
        hold_out_new(np.array(["train", "train"]), None, given=np.array(["val", "train"]), **shares)
