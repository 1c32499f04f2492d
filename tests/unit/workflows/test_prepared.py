"""The items of each part, of single cells and of pairs: typed by hand for ten cells."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.workflows import pretraining_floors


def as_lists(items):
    return {part: own.tolist() for part, own in items.items()}


def test_single_cells_are_their_own_items(few_cells):
    prepared, _ = few_cells(alone=True, objectives=["masked_value"], successors={"key": ""})
    assert prepared.whole is prepared.dataset
    assert as_lists(prepared.items) == {"train": [0, 1, 2, 3, 4], "val": [5, 6], "test": [7, 8, 9]}
    assert prepared.samples_of(np.array([9, 2])).tolist() == [9, 2]
    assert prepared.part("test").values.toarray().tolist() == [[1, 0, 3], [0, 2, 1], [3, 0, 1]]


def test_a_pair_is_in_the_part_of_its_current_cell(few_cells):
    """Cells 2, 4, 6 and 9 are followed by none; first successors alone are 0 → 1, 1 → 2, 3 → 4, 5 → 6, 7 → 8, 8 → 9."""
    prepared, _ = few_cells()
    assert prepared.whole is prepared.pairs
    assert as_lists(prepared.items) == {"train": [0, 1, 2], "val": [3], "test": [4, 5]}
    assert prepared.samples_of(np.array([5, 0, 2])).tolist() == [8, 0, 3]
    assert prepared.part("train").current.tolist() == [0, 1, 3]
    assert prepared.part("test").next_cells(np.arange(2)).tolist() == [8, 9]


def test_every_successor_makes_an_item_where_all_are_drawn(few_cells):
    prepared, _ = few_cells({"draw": "all"})
    assert as_lists(prepared.items) == {"train": [0, 1, 2, 3], "val": [4], "test": [5, 6, 7]}
    assert prepared.samples_of(prepared.items["test"]).tolist() == [7, 7, 8]
    assert prepared.part("test").next_cells(np.arange(3)).tolist() == [8, 9, 9]


def test_a_cell_that_follows_itself_is_an_item(few_cells):
    prepared, _ = few_cells({"without": "identity"})
    assert as_lists(prepared.items) == {"train": [0, 1, 2, 3, 4], "val": [5, 6], "test": [7, 8, 9]}
    assert prepared.part("test").next_cells(np.arange(3)).tolist() == [8, 9, 9]


def test_everything_is_scored_where_there_is_room(few_cells):
    prepared, _ = few_cells()
    assert as_lists(prepared.scored) == {"train": [0, 1, 2], "test": [4, 5]}


@pytest.mark.parametrize(("most", "num_train", "num_test"), [(1, 1, 1), (13, 2, 1), (14, 2, 2), (19, 3, 2)])
def test_what_is_scored_holds_a_number_of_tokens_at_most(most, num_train, num_test, few_cells):
    """Pairs have [CLS], the current cell's genes, [SEP] and all three: 6, 6 and 7 tokens in train, 7 each in test."""
    prepared, _ = few_cells(data={"report_tokens": most})
    assert prepared.whole.lengths().tolist() == [6, 6, 7, 6, 7, 7]
    found = prepared.scored
    assert [len(found["train"]), len(found["test"])] == [num_train, num_test]
    for part in ("train", "test"):
        assert set(found[part]) <= set(prepared.items[part])
        assert sorted(found[part]) == found[part].tolist()


def test_floors_are_fitted_on_few_enough_items(few_cells, monkeypatch):
    monkeypatch.setattr(pretraining_floors, "_MOST_LEARNED_FROM", 2)
    prepared, _ = few_cells({"draw": "all"})
    found = prepared.scored
    assert len(found["train"]) == 2
    assert set(found["train"]) < {0, 1, 2, 3}
    assert found["test"].tolist() == [5, 6, 7]
