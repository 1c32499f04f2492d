"""Which cells rules without a network are fitted on: a draw of cells, each of which keeps all of its successors."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.data.successors import Successors
from genoken.workflows import successor_start
from genoken.workflows.successor_start import drawn_cells

# 0 → 1, 2; 1 → 2; 3 → 4, 5; 4 → 5; 6 → 7, 0; 8 and 9, which are in another part, → each other
EDGES = [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (6, 7), (6, 0), (8, 9), (9, 8)]
ENDS = {0: {1, 2}, 1: {2}, 3: {4, 5}, 4: {5}, 6: {7, 0}}


@pytest.fixture
def successors():
    starts, ends = (np.array(column) for column in zip(*EDGES, strict=True))
    return Successors.of_edges(starts, ends, np.ones(len(EDGES)), 10)


def rows_of(part=8):
    return {"train": np.arange(part), "val": np.array([8, 9])}


def test_a_part_of_few_cells_is_used_as_a_whole(successors):
    found = drawn_cells(rows_of(), successors, 0)
    assert found["train"].rows.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert found["val"].rows.tolist() == [8, 9]
    assert (found["train"].drawn, found["val"].drawn) == (None, None)


@pytest.mark.parametrize("seed", range(8))
def test_a_cell_that_is_drawn_has_all_of_its_successors(seed, successors, monkeypatch):
    monkeypatch.setattr(successor_start, "MOST_CELLS", 2)
    found = drawn_cells(rows_of(), successors, seed)
    cells = found["train"].rows[found["train"].drawn].tolist()
    assert len(set(cells)) == 2
    assert cells == sorted(cells)
    assert found["train"].rows.tolist() == sorted(set(cells).union(*(ENDS.get(cell, set()) for cell in cells)))
    assert found["val"].drawn is None, "two cells are not too many"
    again = drawn_cells(rows_of(), successors, seed)
    np.testing.assert_array_equal(found["train"].rows, again["train"].rows)


def test_another_seed_draws_other_cells(successors, monkeypatch):
    monkeypatch.setattr(successor_start, "MOST_CELLS", 2)
    found = [drawn_cells(rows_of(), successors, seed)["train"] for seed in range(20)]
    assert len({tuple(drawn.rows[drawn.drawn].tolist()) for drawn in found}) > 5


@pytest.mark.parametrize(("most", "cells", "rows"), [
    (100, [0, 3, 4, 6], [0, 1, 2, 3, 4, 5, 6, 7]),
    (8, [0, 3, 4, 6], [0, 1, 2, 3, 4, 5, 6, 7]),
    (7, [0, 3, 4], [0, 1, 2, 3, 4, 5]),
    (6, [0, 3, 4], [0, 1, 2, 3, 4, 5]),
    (5, [3, 4], [3, 4, 5]),
    (3, [3, 4], [3, 4, 5]),
    (2, [4], [4, 5]),
    (1, [4], [4, 5]),
])  # fmt: skip
def test_fewer_cells_are_drawn_where_their_successors_are_too_many(most, cells, rows, successors, monkeypatch):
    """The order of the draw is 4, 3, 0, 6; the first cell is used whatever it needs."""

    class Order:
        def permutation(self, own):
            assert own.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
            return np.array([4, 3, 0, 6, 1, 2, 5, 7])

    monkeypatch.setattr(successor_start, "generator", lambda *key: Order())
    monkeypatch.setattr(successor_start, "MOST_CELLS", 4)
    monkeypatch.setattr(successor_start, "MOST_ROWS", most)
    found = drawn_cells(rows_of(), successors, 0)["train"]
    assert found.rows.tolist() == rows
    assert found.rows[found.drawn].tolist() == cells


def test_a_part_without_edges_is_drawn_too(monkeypatch):
    monkeypatch.setattr(successor_start, "MOST_CELLS", 3)
    nobody = Successors.of_edges(np.zeros(0, int), np.zeros(0, int), np.zeros(0), 9)
    found = drawn_cells({"train": np.arange(9)}, nobody, 0)["train"]
    assert len(found.rows) == 3
    assert found.drawn.tolist() == [0, 1, 2]
