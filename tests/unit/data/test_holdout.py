"""Holding samples out: shares, whole groups, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.errors import DataError
from genoken.data.holdout import hold_out


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
