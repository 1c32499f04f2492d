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
