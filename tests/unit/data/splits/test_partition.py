"""The search for a division of groups, and the rounding of shares to whole samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genoken.core.random import generator
from genoken.data.splits._assign import quotas
from genoken.data.splits._partition import MISSING_CLASS, partition_groups


def imbalance(counts, parts, shares):
    """Return the cost of a division in the words of the formula, written anew."""
    total = 0.0
    for part, share in enumerate(shares):
        inside = counts[parts == part]
        total += (inside.sum() / counts.sum() - share) ** 2 / share
        total += np.mean([(inside[:, c].sum() / counts[:, c].sum() - share) ** 2 for c in range(counts.shape[1])]) / share
        total += MISSING_CLASS * (inside.sum(axis=0) == 0).sum() + MISSING_CLASS * (len(inside) == 0)
    return total


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_is_close_to_the_best_of_all_divisions(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 20, (6, 2)) + np.array([[1, 0]])
    counts[0, 1] += 1
    shares = np.array([0.5, 0.3, 0.2])
    parts = partition_groups(counts, shares, cover=np.full(3, MISSING_CLASS), least_groups=np.ones(3), rng=generator(seed, "test"))
    costs = [imbalance(counts, np.array(division), shares) for division in itertools.product(range(3), repeat=6)]
    assert imbalance(counts, parts, shares) <= min(costs) + 0.02


def test_a_part_gets_the_groups_that_it_should_have_at_least():
    counts = np.full((20, 2), 10)
    shares, cover = np.array([0.85, 0.15]), np.full(2, MISSING_CLASS)
    for least, expected in ((1, 3), (6, 6)):
        parts = partition_groups(counts, shares, cover=cover, least_groups=np.array([1, least]), rng=generator(0, "test"))
        assert (parts == 1).sum() == expected


@pytest.mark.parametrize(
    ("sizes", "share", "expected"),
    [
        ([100, 50], 0.2, [20, 10]),
        ([3, 3], 0.15, [1, 1]),
        ([1, 20], 0.5, [0, 10]),
        ([2, 2], 0.9, [1, 1]),
        ([7, 7, 7], 1 / 3, [3, 2, 2]),
        ([0, 10], 0.3, [0, 3]),
    ],
)
def test_quotas(sizes, share, expected):
    assert quotas(np.array(sizes), share).tolist() == expected


@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=8), share=st.floats(0.02, 0.6))
def test_quotas_leave_some_of_every_stratum_and_sum_to_the_share(sizes, share):
    sizes = np.array(sizes)
    quota = quotas(sizes, share)
    assert (quota[sizes >= 2] >= 1).all()
    assert (quota[sizes >= 1] < sizes[sizes >= 1]).all()
    assert quota.sum() <= max(round(sizes.sum() * share), (sizes >= 2).sum()) + len(sizes)
    if (sizes * share >= 1).all():
        assert quota.sum() == round(sizes.sum() * share)
