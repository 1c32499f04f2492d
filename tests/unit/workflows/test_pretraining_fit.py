"""What training is handed: targets with the right moments, parts in their order, and refusals of parts that teach nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from genoken.core.errors import DataError
from genoken.workflows import pretraining_fit
from genoken.workflows.pretraining_fit import epoch_note, task_of, train_prepared, validation_part
from genoken.workflows.show import Show

RANKS = {"tokenizer": {"kind": "rank", "scale": "none"}, "objectives": [{"kind": "next_cell", "probability": 1.0}]}
VALUES = np.array([[1, 0, 0], [0, 2, 0], [0, 0, 3], [2, 0, 2], [1, 1, 0]], dtype=np.float64)
"""The train cells."""


def _training(prepared):
    return prepared.model.config.training


def test_the_note_of_an_epoch():
    assert epoch_note({"val_loss": 1.23456, "train_part_loss": 0.5}) == "held-out loss 1.235, same masks on train 0.500"


def test_values_of_next_cells_are_standardized_over_all_train_cells(few_cells):
    """They are asked for every gene, expressed or not."""
    prepared, _ = few_cells()
    task, train = task_of(prepared, where="cells")
    assert train.current.tolist() == [0, 1, 3]
    assert (task.num_held_out, task.num_epochs, task.seed) == (1, pretraining_fit.planned(_training(prepared), train).epochs, 3)
    assert list(task.objectives) == ["next_value"]
    np.testing.assert_allclose(task.statistics.mean, [0.8, 0.6, 1.0], rtol=1e-6)
    np.testing.assert_allclose(task.statistics.deviation, VALUES.std(axis=0), rtol=1e-6)


def test_values_of_single_cells_are_standardized_over_those_that_express_the_gene(few_cells):
    prepared, _ = few_cells(alone=True, objectives=["masked_value"], successors={"key": ""})
    task, train = task_of(prepared, where="cells")
    assert (len(train), task.num_held_out) == (5, 2)
    np.testing.assert_allclose(task.statistics.mean, [4 / 3, 1.5, 2.5], rtol=1e-6)


@pytest.mark.parametrize(("edges", "part"), [
    ([(0, 1), (5, 6)], "test"), ([(0, 1), (7, 8)], "val"), ([(5, 6), (7, 8)], "train"),
])  # fmt: skip
def test_a_part_without_a_pair(edges, part, few_cells):
    prepared, _ = few_cells(edges=edges)
    with pytest.raises(DataError) as refused:
        task_of(prepared, where="cells.h5ad:X")
    assert str(refused.value) == (
        f"cells.h5ad:X: no cell of the {part} part has a successor in the same part — hold out whole groups within which cells "
        "follow each other (--group), or more cells (data.test, data.val)"
    )


@pytest.mark.parametrize(("empty", "part"), [(6, "val"), ([8, 9], "test")])
def test_a_part_in_which_nothing_can_be_asked_for(empty, part, few_cells):
    """A cell that expresses nothing has no token, and nothing of it can be hidden."""
    values = np.ones((10, 3), dtype=np.float32)
    values[empty] = 0
    prepared, _ = few_cells(values=values, **RANKS)
    with pytest.raises(
        DataError, match=rf"^cells: nothing is hidden: the objective 'next_cell' finds no token .* \d {part} samples"
    ):
        task_of(prepared, where="cells")


def test_validation_is_what_is_held_out_and_as_much_of_train(few_cells):
    prepared, _ = few_cells()
    found = validation_part(prepared)
    assert found.current[0] == 5
    assert len(found) == 2
    assert found.current[1] in (0, 1, 3)
    again = validation_part(prepared)
    np.testing.assert_array_equal(found.current, again.current)


def test_a_smaller_train_part_is_validated_on_as_a_whole(few_cells):
    prepared, _ = few_cells(edges=[(3, 4), (5, 6), (6, 5), (7, 8)])
    assert validation_part(prepared).current.tolist() == [5, 6, 3]


def test_the_train_cells_of_validation_are_ascending_and_drawn_by_the_seed(few_cells):
    prepared, _ = few_cells(alone=True, objectives=["masked_value"], successors={"key": ""})
    drawn = set()
    for seed in range(20):
        training = dataclasses.replace(_training(prepared), seed=seed)
        config = dataclasses.replace(prepared.model.config, training=training)
        other = dataclasses.replace(prepared, model=dataclasses.replace(prepared.model, config=config))
        values = validation_part(other).values.toarray()
        assert values[:2].tolist() == [[4, 0, 0], [0, 4, 0]]
        own = [VALUES.tolist().index(row) for row in values[2:].tolist()]
        assert own == sorted(set(own))
        drawn.add(tuple(own))
    assert len(drawn) > 3


def test_training_is_handed_all_of_it_and_says_how_far_it_is(few_cells, tmp_path, monkeypatch):
    prepared, _ = few_cells()
    task, train = task_of(prepared, where="cells")
    seen = {}

    def stand_in(network, train, val, task, settings, *, folder, on_epoch):
        seen.update(network=network, train=train, val=val.current.tolist(), task=task, settings=settings, folder=folder)
        on_epoch({"epoch": 0, "val_loss": 2.0, "train_part_loss": 1.0})
        return "what fit returns"

    class Bar:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def to(self, place, words):
            seen.update(place=place, words=words)

    class Said(Show):
        def bar(self, title, total):
            seen.update(title=title, total=total)
            return Bar()

    monkeypatch.setattr(pretraining_fit, "fit", stand_in)
    assert train_prepared(prepared, task, train, folder=tmp_path, show=Said(quiet=True), title="Control") == "what fit returns"
    assert seen["network"] is prepared.model.network
    assert (seen["train"] is train, seen["task"] is task, seen["settings"] is _training(prepared)) == (True, True, True)
    assert seen["val"] == validation_part(prepared).current.tolist()
    assert (seen["folder"], seen["title"], seen["total"]) == (tmp_path, "Control", task.num_epochs)
    assert (seen["place"], seen["words"]) == (1, "held-out loss 2.000, same masks on train 1.000")
