"""The order of samples and their division into batches: pure functions of the seed, the epoch and the lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.errors import ConfigError
from genoken.data.order import balanced_order, cut_batches, epoch_order, share_of_rank, split_batches


def as_lists(batches):
    return [batch.tolist() for batch in batches]


@given(st.integers(0, 200), st.integers(0, 5), st.integers(0, 5))
def test_an_epochs_order_holds_each_sample_once(num_samples, seed, epoch):
    assert sorted(epoch_order(num_samples, seed, epoch)) == list(range(num_samples))


def test_the_order_depends_on_seed_and_epoch_alone():
    order = epoch_order(50, 3, 7)
    np.random.default_rng(0).random(5)
    np.testing.assert_array_equal(order, epoch_order(50, 3, 7))
    assert order.tolist() != epoch_order(50, 3, 8).tolist()
    assert order.tolist() != epoch_order(50, 4, 7).tolist()


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(0, 3), st.integers(0, 3))
def test_every_class_is_drawn_equally_often_up_to_one(classes, seed, epoch):
    classes = np.array(classes, dtype=np.int64)
    order = balanced_order(classes, seed, epoch)
    assert len(order) == len(classes)
    drawn = np.bincount(order, minlength=len(classes))
    per_class = np.array([drawn[classes == name].sum() for name in np.unique(classes)])
    assert np.ptp(per_class) <= 1 if len(classes) else len(per_class) == 0
    for name in np.unique(classes):
        # Samples of one class differ by one draw at most, so that none comes twice in a class that is large enough.
        assert np.ptp(drawn[classes == name]) <= 1


def test_a_balanced_order_typed_by_hand():
    classes = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 2])
    for epoch in range(5):
        drawn = np.bincount(balanced_order(classes, 3, epoch), minlength=10)
        assert sorted(drawn[:7]) in ([0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1])
        assert sorted([drawn[:7].sum(), drawn[7:9].sum(), drawn[9]]) == [3, 3, 4]
        assert min(drawn[7:9]) >= 1


def test_a_balanced_order_depends_on_seed_and_epoch_alone():
    classes = np.arange(90) % 9 // 4
    order = balanced_order(classes, 3, 7)
    np.random.default_rng(0).random(5)
    np.testing.assert_array_equal(order, balanced_order(classes, 3, 7))
    assert order.tolist() != balanced_order(classes, 3, 8).tolist()
    assert order.tolist() != balanced_order(classes, 4, 7).tolist()
    assert np.abs(np.diff(classes[order])).sum() > 9, "classes are mixed"
    seen = {sample for epoch in range(40) for sample in balanced_order(classes, 3, epoch)}
    assert seen == set(range(90)), "no sample of a large class is left out in every epoch"


def test_batches_are_cut_by_samples_or_by_tokens():
    order, lengths = np.array([4, 0, 3, 1, 2]), np.array([5, 1, 2, 4, 3])
    assert as_lists(cut_batches(order, lengths, batch_size=2)) == [[4, 0], [3, 1], [2]]
    # tokens in order: 3 5 4 1 2
    assert as_lists(cut_batches(order, lengths, batch_size=9, tokens_per_batch=8)) == [[4, 0], [3, 1, 2]]
    assert as_lists(cut_batches(order, lengths, batch_size=9, tokens_per_batch=7)) == [[4], [0], [3, 1, 2]]
    assert as_lists(cut_batches(order, lengths, batch_size=2, tokens_per_batch=7)) == [[4], [0], [3, 1], [2]]
    assert as_lists(cut_batches(order, lengths, batch_size=9, tokens_per_batch=5)) == [[4], [0], [3, 1], [2]]
    assert cut_batches(order[:0], lengths, batch_size=2, tokens_per_batch=5) == []
    assert cut_batches(order[:0], lengths, batch_size=2) == []


def test_a_sample_that_alone_exceeds_the_budget_is_refused():
    with pytest.raises(ConfigError, match=r"tokens_per_batch' is 4, but one sample has 5 tokens.*at least 5"):
        cut_batches(np.arange(2), np.array([5, 1]), batch_size=2, tokens_per_batch=4)


def greedy(order, lengths, batch_size, budget):
    """Return batches the slow way: one sample after the other."""
    batches: list[list[int]] = [[]]
    for sample in order:
        if len(batches[-1]) == batch_size or sum(lengths[other] for other in batches[-1]) + lengths[sample] > budget:
            batches.append([])
        batches[-1].append(int(sample))
    return batches


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(1, 6), st.integers(9, 30), st.integers(0, 3))
def test_batches_are_as_full_as_the_limits_allow(lengths, batch_size, budget, seed):
    lengths = np.array(lengths)
    order = epoch_order(len(lengths), seed, 0)
    found = as_lists(cut_batches(order, lengths, batch_size=batch_size, tokens_per_batch=budget))
    assert found == greedy(order, lengths, batch_size, budget)


def test_the_largest_batches_are_halved_until_there_are_enough():
    batches = [np.array([1, 2, 3]), np.array([4, 5, 6, 7]), np.array([8])]
    assert as_lists(split_batches(batches, 3)) == [[1, 2, 3], [4, 5, 6, 7], [8]]
    assert as_lists(split_batches(batches, 2)) == [[1, 2, 3], [4, 5, 6, 7], [8]]
    assert as_lists(split_batches(batches, 4)) == [[1, 2, 3], [4, 5], [6, 7], [8]]
    assert as_lists(split_batches(batches, 5)) == [[1], [2, 3], [4, 5], [6, 7], [8]]
    assert len(batches) == 3
    with pytest.raises(ConfigError, match="batches of 3 samples, too few"):
        split_batches(batches, 5, smallest=2)


@given(st.lists(st.integers(0, 99), min_size=1, max_size=20), st.integers(1, 5))
def test_processes_share_a_batch_evenly_and_completely(batch, num_ranks):
    batch = np.array(batch)
    shares = [share_of_rank(batch, rank, num_ranks) for rank in range(num_ranks)]
    assert sorted(np.concatenate(shares)) == sorted(batch)
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1
