"""Which tokens a training step leaves out: a pure function of the seed, the epoch, the sample and the token's place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.data.token_dropout import visible_tokens


def offsets_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def places_by_row(lengths, rows, share, seed=0, epoch=0):
    """Return the visible places of each row."""
    offsets = offsets_of(lengths)
    visible = visible_tokens(offsets, np.asarray(rows), share, seed, epoch)
    bounds = np.searchsorted(visible, offsets)
    return {row: (visible[bounds[i] : bounds[i + 1]] - offsets[i]).tolist() for i, row in enumerate(rows)}


@pytest.mark.parametrize("share", [0.1, 0.4, 0.9])
def test_about_the_share_asked_for_is_left_out(share):
    lengths = np.full(200, 101)
    visible = visible_tokens(offsets_of(lengths), np.arange(200), share, seed=1, epoch=2)
    left_out = 1 - (len(visible) - 200) / 20_000
    assert left_out == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 20_000))  # 4 standard errors


def test_nothing_or_everything_but_the_first_token_goes():
    offsets = offsets_of([3, 1, 4])
    rows = np.array([5, 0, 9])
    assert visible_tokens(offsets, rows, 0.0, 0, 0).tolist() == list(range(8))
    assert visible_tokens(offsets, rows, 1.0, 0, 0).tolist() == [0, 3, 4]
    assert visible_tokens(offsets, rows, 0.5, 0, 0).dtype == np.int64


@given(st.lists(st.integers(1, 30), min_size=2, max_size=8), st.floats(0, 1), st.integers(0, 3), st.integers(0, 3))
def test_the_choice_for_a_sample_is_independent_of_its_batch(lengths, share, seed, epoch):
    rows = list(range(10, 10 + len(lengths)))
    together = places_by_row(lengths, rows, share, seed, epoch)
    backwards = places_by_row(lengths[::-1], rows[::-1], share, seed, epoch)
    assert together == backwards
    for row, length in zip(rows, lengths, strict=True):
        assert places_by_row([length], [row], share, seed, epoch)[row] == together[row]
        assert together[row][0] == 0
        assert together[row] == sorted(set(together[row]))


def test_the_choice_differs_between_samples_epochs_and_seeds():
    chosen = [
        places_by_row([200], [row], 0.5, seed, epoch)[row] for row, seed, epoch in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    ]
    assert len({tuple(places) for places in chosen}) == 4
    # Independent choices agree in half of the places; 4 standard errors of 199 coin tosses are 0.14.
    for one, other in [(0, 1), (0, 2), (0, 3)]:
        agree = np.mean([(place in set(chosen[one])) == (place in set(chosen[other])) for place in range(1, 200)])
        assert agree == pytest.approx(0.5, abs=0.15)


def test_a_lower_share_leaves_out_fewer_of_the_same_tokens():
    some = places_by_row([300], [4], 0.3)[4]
    more = places_by_row([300], [4], 0.6)[4]
    assert set(more) < set(some)
