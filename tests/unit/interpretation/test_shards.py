"""Work that is shared out gives what one process gives, to the last bit."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from genoken.interpretation import attributed as module
from genoken.interpretation.attributed import attribute_draw
from genoken.interpretation.attributions.integrated_gradients import IntegratedGradients
from genoken.interpretation.draw import Draw, Part
from genoken.interpretation.shards import ONE_PROCESS, Shard


def together(count: int, work) -> list:
    """Return what ``work`` returns in each of several shards that run at once, as processes would."""
    barrier, handed, results = threading.Barrier(count), [None] * count, [None] * count

    def run(index: int) -> None:
        def gather(pieces):
            handed[index] = pieces
            barrier.wait(30)
            return list(handed)

        results[index] = work(Shard(index, count, gather))

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_items_are_taken_in_turn_and_come_back_in_order():
    done: list[tuple[int, int]] = []

    def work(shard: Shard) -> list[int]:
        def square(item: int) -> int:
            done.append((shard.index, item))
            return item**2

        return shard.map(square, [5, 6, 7, 8, 9])

    assert together(2, work) == [[25, 36, 49, 64, 81]] * 2
    assert sorted(done) == [(0, 5), (0, 7), (0, 9), (1, 6), (1, 8)]
    assert ONE_PROCESS.map(lambda item: -item, [1, 2]) == [-1, -2]


@pytest.mark.parametrize("count", [2, 3])
def test_shards_attribute_exactly_as_one_process(subject_of, monkeypatch, count):
    monkeypatch.setattr(module, "_ROWS_PER_CALL", 2)
    classes = np.array([2, 0, 1, 1, 0, 2, 1])
    models, rows = np.array([0, 0, 0, 0, 0, 1, 1]), np.array([0, 1, 2, 3, 4, 5, 2])
    draw = Draw(models, rows, classes, classes, ("a", "b", "c"), 7)
    # A network's mode is its own in each process, so that every shard has networks of its own here, too.
    parts = [[Part(subject_of(seed=seed), np.arange(6), tuple("ABCDEFG")) for seed in (3, 5)] for _ in range(count + 1)]
    whole = attribute_draw(parts[count], draw, IntegratedGradients())

    def work(shard: Shard):
        return attribute_draw(parts[shard.index], draw, IntegratedGradients(), shard=shard)

    for found in together(count, work):
        assert (found.scores.matrix != whole.scores.matrix).nnz == 0
        assert found.completeness_error == whole.completeness_error
    assert np.abs(whole.scores.matrix).sum() > 1
