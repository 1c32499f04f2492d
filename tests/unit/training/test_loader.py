"""The batch loader: fixed order with and without threads, errors that surface, a state that resumes."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from genoken.training.loader import PREPARED_AHEAD, BatchLoader


def loader_of(num_threads=0, *, make=None, num_batches=7, epoch=lambda: 2, calls=None):
    def plan(epoch, first_batch):
        if calls is not None:
            calls.append((epoch, first_batch))
        return [np.array([100 * epoch + index]) for index in range(9)]

    return BatchLoader(epoch, plan, make or (lambda rows, epoch: (int(rows[0]), epoch)), num_batches, num_threads)


@pytest.mark.parametrize("num_threads", [0, 1, 3, 20])
def test_batches_come_in_the_order_of_the_plan(num_threads):
    loader = loader_of(num_threads)
    assert list(loader) == [(200 + index, 2) for index in range(7)]
    assert list(loader) == [(200 + index, 2) for index in range(7)]
    assert len(loader) == 7


def test_threads_that_finish_out_of_order_change_nothing():
    def make(rows, epoch):
        time.sleep(0.02 if rows[0] % 3 == 0 else 0)
        return int(rows[0])

    assert list(loader_of(3, make=make)) == list(range(200, 207))


def test_the_plan_is_asked_for_the_current_epoch():
    epochs = iter([0, 1])
    calls = []
    loader = loader_of(epoch=lambda: next(epochs), calls=calls)
    assert next(iter(loader)) == (0, 0)
    assert next(iter(loader)) == (100, 1)
    assert calls == [(0, 0), (1, 0)]


@pytest.mark.parametrize("num_threads", [0, 2])
def test_an_error_is_raised_where_the_batch_was_due(num_threads):
    def make(rows, epoch):
        if rows[0] == 203:
            raise ValueError("sample 203 is broken")
        return int(rows[0])

    before = threading.active_count()
    seen = []
    with pytest.raises(ValueError, match="sample 203 is broken"):
        note(loader_of(num_threads, make=make), seen)
    assert seen == [200, 201, 202]
    assert threading.active_count() == before


def note(loader, seen):
    for batch in loader:
        seen.append(batch)


def test_leaving_early_ends_the_threads_and_they_run_ahead_only_so_far():
    made = []

    def make(rows, epoch):
        made.append(int(rows[0]))
        return made[-1]

    before = threading.active_count()
    batches = iter(BatchLoader(lambda: 0, lambda epoch, first: [np.array([row]) for row in range(500)], make, 500, 2))
    next(batches)
    time.sleep(0.1)
    batches.close()
    assert threading.active_count() == before
    assert len(made) <= 2 * (PREPARED_AHEAD + 2)


@pytest.mark.parametrize("num_threads", [0, 2])
def test_a_pass_goes_on_behind_the_batches_that_were_handed_out(num_threads):
    loader = loader_of(num_threads)
    batches = iter(loader)
    for _ in range(3):
        next(batches)
    state = loader.state_dict()
    calls = []
    resumed = loader_of(num_threads, calls=calls)
    resumed.load_state_dict(state)
    assert list(resumed) == [(200 + index, 2) for index in range(3, 7)]
    assert calls == [(2, 3)]
    assert resumed.state_dict() == {"yielded": 7}
    assert list(resumed) == [(200 + index, 2) for index in range(7)]  # the next epoch is whole
    assert calls == [(2, 3), (2, 0)]


def test_after_a_whole_epoch_the_next_one_begins_at_its_beginning():
    loader = loader_of()
    list(loader)
    resumed = loader_of()
    resumed.load_state_dict(loader.state_dict())
    assert list(resumed) == [(200 + index, 2) for index in range(7)]


@pytest.mark.parametrize("num_threads", [0, 1])
def test_the_time_spent_waiting_is_metered(num_threads):
    def make(rows, epoch):
        time.sleep(0.01)
        return int(rows[0])

    loader = loader_of(num_threads, make=make)
    list(loader)
    assert 0.05 < loader.seconds_waited < 2
    idle = loader_of(num_threads)
    list(idle)
    assert idle.seconds_waited < loader.seconds_waited
