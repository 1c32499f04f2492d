"""Rising and falling genes by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.evaluation.next_cell_floors import CellPart, fit_profile_floors
from genoken.evaluation.transitions import next_types, recovery, transition_changes, transition_table
from genoken.synthetic import planted_changes, planted_trajectory


def part(copies=1):
    """Cells a, a, b, c; the first goes to b, the second mostly to b, b goes to c; c has no successor."""
    values = np.array([[0, 0, 1], [0, 1, 0], [2, 0, 0], [0, 3, 0]], dtype=np.float32)
    edges = np.array([[0, 0, 1, 0], [1, 0, 2, 0], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=np.float32)
    types = np.tile(["a", "a", "b", "c"], copies)
    return CellPart(
        sp.csr_matrix(np.tile(values, (copies, 1))), sp.block_diag([edges] * copies, format="csr"), types, weighted=True
    )


def test_the_next_type_is_that_of_most_successors_by_weight():
    assert next_types(part()).tolist() == ["b", "b", "c", ""]
    one = part()
    even = CellPart(one.values, one.successors, one.types)
    assert next_types(even).tolist() == ["b", "a", "c", ""]
    with pytest.raises(ValueError, match="need types"):
        next_types(CellPart(one.values, one.successors))


def profiles_of(cells):
    dense = cells.values.toarray()

    def profiles(rows):
        return {"denoised_current": dense[rows], "model": dense[rows] + np.array([1.0, -0.5, 0.0])}

    return profiles


def test_changes_and_their_table_by_hand():
    cells = part(copies=10)
    changes = transition_changes(cells, profiles_of(cells), "model")
    assert list(changes) == [("a", "b"), ("b", "c")]
    change = changes["a", "b"]
    assert change.cells == 20
    assert np.allclose(change.predicted, [1.0, -0.5, 0.0])
    # successors of the two: (2 0 0), and a third of (0 0 1) with two thirds of (2 0 0)
    assert np.allclose(change.true, [(2 + 4 / 3) / 2, -0.5, (-1 + 1 / 3) / 2])
    table = transition_table(changes, np.array(["G1", "G2", "G3"]), top=2)
    first = table[(table["from"] == "a") & (table["to"] == "b")]
    assert first[["direction", "rank", "gene", "cells"]].to_numpy().tolist() == [["rising", 1, "G1", 20], ["falling", 1, "G2", 20]]
    assert np.allclose(first["predicted_change"], [1.0, -0.5])
    assert np.allclose(first["true_change"], [5 / 3, -0.5])


def test_transitions_of_few_cells_are_left_out():
    cells = part(copies=5)
    assert list(transition_changes(cells, profiles_of(cells), "model")) == [("a", "b")]
    few = part()
    table = transition_table(transition_changes(few, profiles_of(few), "model"), np.array(["G1", "G2", "G3"]))
    assert table.empty
    assert "predicted_change" in table


def test_recovery_by_hand():
    change = np.array([3.0, 2.0, 1.0, -1.0])
    found = recovery(change, np.array([True, False, True, False]), np.array([False, False, False, True]))
    assert found == {
        "rising": {"average_precision": pytest.approx((1 + 2 / 3) / 2), "chance": 0.5},
        "falling": {"average_precision": 1.0, "chance": 0.25},
    }
    none = np.zeros(4, dtype=bool)
    assert recovery(change, none, none)["rising"] == {"average_precision": None, "chance": None}


def test_planted_switches_are_recovered_by_who_knows_successors_and_only_if_they_are_true():
    cells = planted_trajectory()
    counts = cells.X.toarray()
    values = sp.csr_matrix(np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4).astype(np.float32))
    donors = cells.obs["donor_id"].str[-2:].astype(int).to_numpy()
    forward = cells.obsp["next_cell_ids"].tocsr()

    def part(rows, successors):
        own = np.flatnonzero(rows)
        return CellPart(values[own], successors[own][:, own].tocsr(), cells.obs["cell_type"].to_numpy()[own])

    test = part(donors > 7, forward)
    truth = planted_changes(cells.var, 2, "lineage_0")  # the first stage ends with the third step
    found = {}
    for name, successors in (("forward", forward), ("reversed", forward.T.tocsr())):
        floors = fit_profile_floors(part(donors < 6, successors), part((donors == 6) | (donors == 7), successors), seed=0)
        changes = transition_changes(test, floors.of(test), "ridge_successor")
        assert list(changes) == [("stage_0", "stage_1"), ("stage_1", "stage_2")]
        found[name] = recovery(changes["stage_0", "stage_1"].predicted, *truth)
    for direction in ("rising", "falling"):
        assert found["forward"][direction]["average_precision"] > 0.8
        assert found["reversed"][direction]["average_precision"] < 0.5
