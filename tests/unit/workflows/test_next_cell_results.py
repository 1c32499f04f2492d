"""What is said of a network of next cells: parts, units, counts and tables, typed by hand for ten cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.workflows import next_cell_results, successor_start
from genoken.workflows.next_cell import Controls
from genoken.workflows.next_cell_predictions import NextCells
from genoken.workflows.next_cell_results import NextCellScoring
from genoken.workflows.pretraining_fit import task_of

TYPES = list("ababaababa")
TIMES = [0, 1, 2, 0, 1, 0, 1, 0, 1, 2]


@pytest.fixture
def scoring_of(few_cells):
    """Return a function that makes what scores ten cells."""

    def make(**named):
        prepared, table = few_cells(**named)
        return NextCellScoring(prepared, table, task_of(prepared, where="cells")[0])

    return make


def test_parts_hold_their_cells_and_edges(scoring_of):
    scoring = scoring_of(cell_type=TYPES)
    assert {part: rows.tolist() for part, rows in scoring.rows.items()} == {
        "train": [0, 1, 2, 3, 4], "val": [5, 6], "test": [7, 8, 9],
    }  # fmt: skip
    test = scoring.parts["test"]
    assert test.values.toarray().tolist() == [[1, 0, 3], [0, 2, 1], [3, 0, 1]]
    assert test.types.tolist() == ["a", "b", "a"]
    assert test.starts.tolist() == [0, 1]
    assert test.targets(test.starts).tolist() == [[0, 2, 1], [3, 0, 1]]
    assert scoring.parts["train"].starts.tolist() == [0, 1, 3]


def test_means_are_weighted_where_draws_are(scoring_of):
    """The edges of cell 7 are the sixth and the seventh: cell 8 has the weight 6 and cell 9 the weight 7."""
    even, weighted = (scoring_of(successors={"draw": draw}).parts["test"] for draw in ("random", "weighted"))
    assert even.targets(np.array([0])).tolist() == [[1.5, 1, 1]]
    np.testing.assert_allclose(weighted.targets(np.array([0])), [[21 / 13, 12 / 13, 1]], rtol=1e-6)


def test_a_cell_that_follows_itself_is_not_scored(scoring_of):
    scoring = scoring_of(successors={"without": "identity"})
    assert scoring.pairs.successors.num_edges == 10
    assert scoring.successors.num_edges == 6
    assert scoring.parts["test"].starts.tolist() == [0, 1]


def test_a_draw_of_cells_comes_with_their_successors(scoring_of, monkeypatch):
    monkeypatch.setattr(successor_start, "MOST_CELLS", 1)
    scoring = scoring_of(successors={"draw": "random"})
    edges = {0: [1, 2], 1: [2], 3: [4], 5: [6], 7: [8, 9], 8: [9]}
    for part, own in scoring.rows.items():
        (cell,) = own[scoring.parts[part].cells].tolist()
        assert own.tolist() == sorted([cell, *edges.get(cell, [])])
        has_some = cell in edges
        assert scoring.parts[part].starts.tolist() == ([own.tolist().index(cell)] if has_some else [])


def test_places_of_items_among_the_cells_of_a_part(scoring_of, monkeypatch):
    scoring = scoring_of()
    assert scoring.places("test", np.array([5, 4, 5])).tolist() == [1, 0, 1]
    assert scoring.places("train", np.array([2, 0])).tolist() == [3, 0]
    assert scoring.places("val", np.array([4, 3])).tolist() == [-1, 0], "cell 7 does not validate"


@pytest.mark.parametrize(
    ("columns", "settings", "unit", "names"),
    [
        ({"donor": list("abcdefghij"), "cell_type": TYPES}, {}, "blocks", TYPES[7:]),
        ({"donor": list("abcdefghij")}, {"data": {"group": "donor"}}, "groups", ["h", "i", "j"]),
        ({"cell_type": TYPES}, {}, "blocks", TYPES[7:]),
        ({"day": TIMES}, {"successors": {"time": "day"}}, "blocks", ["time 0", "time 1", "time 2"]),
        ({}, {}, "blocks", ["all"] * 3),
    ],
)
def test_what_is_resampled(columns, settings, unit, names, scoring_of):
    """Groups where there are five of them, or nothing else; else blocks of type and time."""
    found = scoring_of(**columns, **settings).units
    assert (found[0], found[1].tolist()) == (unit, names)


def test_few_groups_give_way_to_blocks_of_type_and_time(scoring_of):
    named = {"cell_type": TYPES, "day": TIMES, "donor": list("abcdefghij"), "data": {"group": "donor"}}
    unit, names = scoring_of(**named, successors={"time": "day"}).units
    assert (unit, names.tolist()) == ("blocks", [f"{kind} | time {time}" for kind, time in zip(TYPES[7:], TIMES[7:], strict=True)])


PREDICTED = np.array([[0.0, 2.0, 4.0], [0.0, 0.0, 1.0]], dtype=np.float32)
"""Predictions for cells 7 and 8, which 8 = (0, 2, 1) and 9 = (3, 0, 1) follow: mean squared errors of 3 and 3."""


@pytest.fixture
def summary(scoring_of, tmp_path, monkeypatch):
    """The summary of a network that predicts these profiles, with cells on a line for a map."""
    monkeypatch.setattr(NextCells, "profiles", lambda self, rows: PREDICTED[rows])
    monkeypatch.setattr(next_cell_results, "umap", lambda values: np.arange(2.0 * len(values), dtype=np.float32).reshape(-1, 2))
    scoring = scoring_of(cell_type=TYPES, day=TIMES, successors={"time": "day"})
    controls = Controls(scoring.prepared.model.network, {}, "Nobody looked.")
    return scoring.summary(tmp_path, {"next_value": {}}, {"next_value": {}}, controls)


def test_counts_of_pairs_and_edges(summary):
    assert summary["pairs"] == {"train": 3, "val": 1, "test": 2}
    assert summary["cells_without"] == {"train": 2, "val": 1, "test": 1}
    assert (summary["edges"], summary["edges_across_parts"], summary["edges_backward"]) == (6, 0, 0)
    assert [summary[name] for name in ("key", "draw", "attention", "types", "time")] == [
        "next_cell_ids", "first", "strict", "cell_type", "day",
    ]  # fmt: skip
    assert (summary["direction"], summary["controls"], summary["leak"]) == (None, [], "")
    assert summary["verdict"] == f"{summary['profiles']['verdict']} Nobody looked."


def test_scores_of_profiles(summary):
    profiles = summary["profiles"]
    assert (profiles["cells"], profiles["unit"], profiles["units"]) == (2, "blocks", 2)
    assert profiles["model"]["squared_error"] == 3.0
    # cells as they are: (1, -2, 2) and (-3, 2, 0) away; successors of train are (1/3, 1, 1) in the mean
    assert profiles["floors"]["copy_current"]["squared_error"] == pytest.approx((9 + 13) / 6)
    assert profiles["floors"]["mean_successor"]["squared_error"] == pytest.approx((1 / 9 + 1 + 64 / 9 + 1) / 6)
    denoised = profiles["floors"]["denoised_current"]["squared_error"]
    assert profiles["model"]["skill"] == pytest.approx(1 - 3 / denoised)
    by_type, by_time = summary["skill_by_type"], summary["skill_by_time"]
    assert {name: found["cells"] for name, found in by_type.items()} == {TYPES[7]: 1, TYPES[8]: 1}
    assert {name: found["cells"] for name, found in by_time.items()} == {"time 0": 1, "time 1": 1}


def test_tables_of_next_cells(summary, tmp_path):
    cells = pd.read_parquet(tmp_path / "next_cells.parquet")
    assert cells["sample_id"].tolist() == ["cell_7", "cell_8"]
    assert cells["type"].tolist() == TYPES[7:9]
    assert cells["time"].tolist() == [0, 1]
    assert cells["unit"].tolist() == [f"{TYPES[7]} | time 0", f"{TYPES[8]} | time 1"]
    assert cells["squared_error_model"].tolist() == [3.0, 3.0]
    # on the map train cells 0 to 4 come first, at (0, 1), (2, 3) ...; then test cells 7, 8 and 9
    assert cells[["x", "y"]].to_numpy().tolist() == [[10, 11], [12, 13]]
    assert cells[["x_true", "y_true"]].to_numpy().tolist() == [[12, 13], [14, 15]]
    background = pd.read_parquet(tmp_path / "map.parquet")
    assert background["x"].tolist() == [0, 2, 4, 6, 8, 10, 12, 14]
    assert background["type"].tolist() == [*TYPES[:5], *TYPES[7:]]
    assert pd.read_csv(tmp_path / "transitions.tsv", sep="\t").empty, "no ten cells make any transition"
