"""A share of the train samples: sizes by class, nested, bound to the samples and not to their order."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from genoken.data.train_share import draw_train_share

STRATA = np.repeat([0, 1, 2], [50, 9, 1])
IDS = pd.Index([f"s{row:02d}" for row in range(60)])


def draw(share, rows=None, seed=0, strata=STRATA, ids=IDS):
    return draw_train_share(np.arange(60) if rows is None else rows, strata, ids, share=share, seed=seed)


@pytest.mark.parametrize(
    ("share", "sizes"), [(1.0, [50, 9, 1]), (0.5, [25, 4, 1]), (0.2, [10, 2, 1]), (0.1, [5, 1, 1]), (0.0, [1, 1, 1])]
)
def test_each_class_gives_its_share_and_at_least_one(share, sizes):
    assert np.bincount(STRATA[draw(share)]).tolist() == sizes


def test_a_smaller_share_is_part_of_a_larger_one():
    shares = [set(draw(share).tolist()) for share in (0.05, 0.1, 0.2, 0.5, 1.0)]
    for smaller, larger in pairwise(shares):
        assert smaller < larger


def test_the_draw_belongs_to_samples_not_to_rows_and_changes_with_the_seed():
    order = np.random.default_rng(0).permutation(60)
    moved = draw(0.3, strata=STRATA[order], ids=IDS[order])
    assert sorted(IDS[order][moved]) == sorted(IDS[draw(0.3)])
    assert draw(0.3).tolist() == draw(0.3).tolist() != draw(0.3, seed=1).tolist()


def test_only_the_given_rows_are_drawn_from():
    rows = np.array([7, 3, 51, 52, 40])
    assert set(draw(0.5, rows=rows)) <= set(rows)
    assert draw(1.0, rows=rows).tolist() == [3, 7, 40, 51, 52]
    assert draw(0.5, rows=np.array([], dtype=int)).tolist() == []
