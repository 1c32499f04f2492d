"""Cross-validation: as many folds as asked, balanced, and impossible only where every division fails."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.errors import ConfigError, DataError
from genoken.data.splits.folds import FoldsSplit


def table_of(num_samples):
    return pd.DataFrame(index=[f"cell_{row:05d}" for row in range(num_samples)])


def is_possible(holds: np.ndarray, folds: int) -> bool:
    """Try every division of groups (rows of ``holds``, one column per class) into folds that all hold every class."""
    return any(
        all(holds[np.array(parts) == fold].any(axis=0).all() for fold in range(folds))
        for parts in itertools.product(range(folds), repeat=len(holds))
    )


@given(seed=st.integers(0, 10**6), folds=st.integers(2, 3), num_groups=st.integers(3, 7), num_classes=st.integers(3, 4))
def test_folds_are_refused_exactly_when_no_division_exists(seed, folds, num_groups, num_classes):
    rng = np.random.default_rng(seed)
    holds = rng.random((num_groups, num_classes)) < 0.45
    holds[holds.sum(axis=1) == 0, 0] = True
    if (holds.sum(axis=0) < 2).any():
        return
    pairs = np.argwhere(holds).repeat(3, axis=0)
    labels, groups = pairs[:, 1], pairs[:, 0].astype(str)
    try:
        words = FoldsSplit(folds=folds, validation="samples").assign(labels, groups, table_of(len(labels)), 0)
    except DataError:
        assert not is_possible(holds, folds)
        return
    assert len(words) == folds
    assert is_possible(holds, folds)


def test_folds_of_groups_are_balanced_in_size_and_class():
    rng = np.random.default_rng(0)
    groups = np.repeat([f"g{index:02d}" for index in range(30)], rng.integers(10, 40, 30))
    labels = rng.choice([0, 1, 2], len(groups), p=[0.7, 0.2, 0.1])
    words = FoldsSplit(folds=5).assign(labels, groups, table_of(len(groups)), 0)
    for fold in words:
        inside = fold == "test"
        assert inside.mean() == pytest.approx(0.2, abs=0.02)
        assert np.bincount(labels[inside]) / inside.sum() == pytest.approx(np.bincount(labels) / len(labels), abs=0.03)


def test_validation_is_the_asked_share_of_what_is_not_tested():
    labels = np.resize([0, 1], 400)
    for fold in FoldsSplit(folds=4, val=0.2).assign(labels, None, table_of(400), 0):
        assert [(fold == part).sum() for part in ("train", "val", "test")] == [240, 60, 100]


def test_more_folds_than_groups_are_refused_with_the_largest_number():
    groups = np.repeat(["a", "b", "c", "d"], 10)
    with pytest.raises(DataError, match="at most 4 folds are possible"):
        FoldsSplit(folds=5).assign(np.resize([0, 1], 40), groups, table_of(40), 0)
    with pytest.raises(DataError, match=r"there are 4 groups.*at most 4 folds"):
        FoldsSplit(folds=5).assign(np.linspace(0, 1, 40), groups, table_of(40), 0)


def test_bad_options_are_refused():
    with pytest.raises(ConfigError, match="at least 2"):
        FoldsSplit(folds=0)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        FoldsSplit(val=1.0)
