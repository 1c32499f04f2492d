"""Floors at the targets of objectives over next cells: typed by hand for ten cells, whatever was drawn for whole profiles."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from genoken.workflows import successor_start
from genoken.workflows.next_cell_results import NextCellScoring
from genoken.workflows.next_cell_targets import TargetFloors
from genoken.workflows.pretraining_fit import task_of

TYPES = list("ababaababa")


def scoring_of(made):
    prepared, table = made
    return NextCellScoring(prepared, table, task_of(prepared, where="cells")[0])


def asked(*targets):
    """What is measured at targets: the place of the item, the gene and the true value."""
    rows, features, values = zip(*targets, strict=True)
    return {"row": np.array(rows), "feature": np.array(features), "value": np.array(values, dtype=np.float64)}


@pytest.mark.parametrize("most", [50_000, 1], ids=["all cells", "one cell is drawn"])
def test_values_are_predicted_at_every_target(most, few_cells, monkeypatch):
    """Items 4 and 5 are cells 7 = (1, 0, 3) and 8 = (0, 2, 1); targets are in no order."""
    monkeypatch.setattr(successor_start, "MOST_CELLS", most)
    scoring = scoring_of(few_cells(cell_type=TYPES))
    found = asked((1, 1, 0.0), (0, 2, 1.0), (1, 2, 1.0), (0, 0, 0.0))
    scores, notes = scoring.of_objectives({"next_value": found | {"squared_error": np.zeros(4)}}, np.array([4, 5]))
    of_next = scores["next_value"]
    assert of_next["copy_current"]["prediction"].tolist() == [2, 3, 1, 1]
    assert of_next["copy_current"]["squared_error"].tolist() == [4, 4, 0, 1]
    if most > 1:  # successors of train are (0, 2, 0), (0, 0, 3) and (1, 1, 0), of types a, b, b
        np.testing.assert_allclose(of_next["mean_successor"]["prediction"], [1, 1, 1, 1 / 3], rtol=1e-6)
        np.testing.assert_allclose(of_next["type_mean_successor"]["prediction"], [0.5, 0, 1.5, 0], rtol=1e-6)
    assert set(of_next) == {
        "copy_current", "denoised_current", "mean_successor", "type_mean_successor", "knn_mean_successor", "ridge_successor",
    }  # fmt: skip
    assert all(np.isfinite(scores["squared_error"]).all() for scores in of_next.values())
    assert [note for note in notes["next_value"] if "not tuned" not in note] == []


def test_ranks_are_learned_from_cells_that_follow_others(few_cells):
    """Cells 1, 2 and 4 follow others in train; 6 follows 5, which is validated on."""
    made = few_cells(tokenizer={"kind": "rank", "scale": "none"}, objectives=["next_cell"])
    scoring = TargetFloors(made[0], task_of(made[0], where="cells")[0], None, None)
    train = scoring._rank_targets("train")
    assert train.cells.tolist() == [1, 2, 4, 4]
    assert train.ranks.tolist() == [0, 0, 0, 1]
    assert train.features.tolist() == [1, 2, 0, 1]
    val = scoring._rank_targets("val")
    assert (val.cells.tolist(), val.ranks.tolist(), val.features.tolist()) == ([5], [0], [1])


def test_genes_without_ranks_have_the_frequencies_of_train(few_cells):
    """Cells 1, 2 and 4 follow others: b, c, and a with b; with half a count more each, 1.5, 2.5 and 1.5 of 5.5."""
    made = few_cells(tokenizer={"kind": "binned", "edges": [0.5]}, objectives=["next_cell"])
    found = {"row": np.array([0, 0, 1]), "label": np.array([1, 2, 0])}
    scores, notes = scoring_of(made).of_objectives({"next_cell": found}, np.array([4, 5]))
    own = scores["next_cell"]
    assert list(own) == ["uniform", "most_frequent"]
    np.testing.assert_allclose(own["uniform"]["cross_entropy"], [np.log(3)] * 3)
    np.testing.assert_allclose(own["most_frequent"]["cross_entropy"], -np.log(np.array([2.5, 1.5, 1.5]) / 5.5))
    assert notes["next_cell"][-1].endswith("how strongly genes are expressed in them was not asked for.")


def test_bins_have_the_frequencies_of_all_genes(few_cells):
    """All values of next cells are asked for in train; of nine, five are in bin 0, two in bin 1 and two in bin 2."""
    objective = {"kind": "next_value", "probability": 1.0}
    made = few_cells(tokenizer={"kind": "binned", "edges": [0.5, 1.5]}, objectives=[objective])
    found = asked((0, 0, 0), (1, 2, 1), (1, 1, 2))
    found["value"] = found["value"].astype(np.int64)
    scores, notes = scoring_of(made).of_objectives({"next_value": found}, np.array([4, 5]))
    own = scores["next_value"]
    assert list(own) == ["uniform", "most_frequent", "most_frequent_per_feature"]
    drawn = 5 * np.array([5, 2, 2]) + 0.5  # of five draws of masks, which are all the same here
    np.testing.assert_allclose(own["most_frequent"]["cross_entropy"], -np.log(drawn / drawn.sum()), rtol=1e-6)
    assert [note for note in notes["next_value"] if "not tuned" not in note] == []


def test_other_objectives_have_no_floors_here(few_cells):
    made = few_cells(objectives=["next_value", "masked_value"])
    scores, notes = scoring_of(made).of_objectives({"masked_value": asked((0, 0, 1.0))}, np.array([4, 5]))
    assert scores == {"masked_value": {}}
    assert notes["masked_value"][0] == "Floors were left out for these tokens."


def test_notes_of_floors_are_those_of_every_objective(few_cells):
    scoring = scoring_of(few_cells())
    floors = dataclasses.replace(scoring.floors, notes=("One.", "Two."))
    found = asked((0, 0, 1.0)) | {"squared_error": np.zeros(1)}
    _, notes = TargetFloors(scoring.prepared, scoring.task, floors, None).scores({"next_value": found}, np.array([4]))
    assert notes == {"next_value": ["One.", "Two."]}
