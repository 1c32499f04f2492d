"""Floors of next cells: typed answers on a few cells, tuning against a plain loop, and what they find on a planted trajectory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.evaluation.next_cell_floors import NEIGHBORS, CellPart, fit_profile_floors
from genoken.evaluation.next_cell_scores import score_part
from genoken.synthetic import planted_trajectory


def graph(num_cells, edges):
    starts, ends, weights = zip(*edges, strict=True)
    return sp.csr_matrix((np.array(weights, np.float32), (starts, ends)), shape=(num_cells, num_cells))


def few_cells(*, weighted=False):
    values = sp.csr_matrix(np.array([[0, 0], [1, 0], [0, 2], [4, 4]], dtype=np.float32))
    edges = [(0, 1, 1.0), (1, 2, 3.0), (1, 3, 1.0), (2, 3, 1.0)]
    return CellPart(values, graph(4, edges), np.array(["a", "a", "b", "b"]), weighted)


@pytest.fixture(scope="module")
def floors():
    return fit_profile_floors(few_cells(), few_cells(), seed=0)


def chosen(floors, denoised, knn, strength):
    return replace(floors, choices={"denoised_current": denoised, "knn_mean_successor": knn, "ridge_successor": strength})


def test_means_over_successors_by_hand():
    part = few_cells()
    assert part.starts.tolist() == [0, 1, 2]
    assert part.targets(np.array([1, 0])).tolist() == [[2, 3], [1, 0]]
    assert few_cells(weighted=True).targets(np.array([1])).tolist() == [[1, 2.5]]


def test_cells_that_are_here_as_successors_alone_stand_for_nothing():
    """Cells 0 and 1 were drawn; 2, which has a successor too, and 3 are here because they come after 1."""
    part = replace(few_cells(), drawn=np.array([0, 1]))
    assert part.cells.tolist() == [0, 1]
    assert part.starts.tolist() == [0, 1]
    assert part.targets(part.starts).tolist() == [[1, 0], [2, 3]]
    floors = fit_profile_floors(part, part, seed=0)
    assert floors.usual.tolist() == [1.5, 1.5]
    asked = sp.csr_matrix(np.array([[4, 4]], dtype=np.float32))
    found = chosen(floors, 1, 1, 1e-12).predict(asked, np.array(["a"]))
    assert found["denoised_current"].tolist() == [[1, 0]], "the cell that is equal was not drawn"
    assert found["knn_mean_successor"].tolist() == [[2, 3]]
    assert found["type_mean_successor"].tolist() == [[1.5, 1.5]]
    assert chosen(floors, 160, 160, 1e-12).predict(asked)["denoised_current"].tolist() == [[0.5, 0]]


def test_an_edge_of_weight_zero_is_no_successor():
    part = CellPart(sp.csr_matrix(np.eye(2)), graph(2, [(0, 1, 0.0), (1, 0, 2.0)]))
    assert part.starts.tolist() == [1]
    with pytest.raises(ValueError, match="cells that have some"):
        part.means(np.array([0]))


@pytest.mark.parametrize(("successors", "types"), [(sp.csr_matrix((2, 3)), None), (sp.csr_matrix((2, 2)), ["a"])])
def test_parts_that_do_not_fit_are_refused(successors, types):
    with pytest.raises(ValueError, match="for 2 cells"):
        CellPart(sp.csr_matrix(np.eye(2)), successors, types)


def test_every_floor_by_hand(floors):
    cells = sp.csr_matrix(np.array([[0.9, 0], [1, 2]], dtype=np.float32))
    found = chosen(floors, 1, 1, 1e-12).predict(cells, np.array(["a", "unknown"]))
    assert list(found) == [
        "copy_current",
        "denoised_current",
        "mean_successor",
        "type_mean_successor",
        "knn_mean_successor",
        "ridge_successor",
    ]
    assert np.allclose(found["copy_current"], [[0.9, 0], [1, 2]])
    assert found["denoised_current"].tolist() == [[1, 0], [0, 2]]
    assert np.allclose(found["mean_successor"], [[7 / 3, 7 / 3]] * 2)
    assert np.allclose(found["type_mean_successor"], [[1.5, 1.5], [7 / 3, 7 / 3]])
    assert found["knn_mean_successor"].tolist() == [[2, 3], [4, 4]]
    # successors of (0, 0), (1, 0), (0, 2) are (1, 0), (2, 3), (4, 4): an affine map, (1, 0) + x (1, 3) + y (1.5, 2)
    assert np.allclose(found["ridge_successor"], [[1.9, 2.7], [5, 7]], atol=1e-4)


def test_more_neighbors_and_stronger_penalties_by_hand(floors):
    cells = sp.csr_matrix(np.array([[0.9, 0]], dtype=np.float32))
    found = chosen(floors, 2, 2, 1e12).predict(cells)
    assert "type_mean_successor" not in found
    assert found["denoised_current"].tolist() == [[0.5, 0]]
    assert found["knn_mean_successor"].tolist() == [[1.5, 1.5]]
    assert np.allclose(found["ridge_successor"], [[7 / 3, 7 / 3]], atol=1e-4)


def test_weights_count_in_every_mean_when_asked():
    floors = chosen(fit_profile_floors(few_cells(weighted=True), few_cells(), seed=0), 1, 1, 1e-12)
    found = floors.predict(sp.csr_matrix(np.array([[1.0, 0]], dtype=np.float32)), np.array(["a"]))
    assert found["knn_mean_successor"].tolist() == [[1, 2.5]]
    assert found["type_mean_successor"].tolist() == [[1, 1.25]]
    assert np.allclose(found["mean_successor"], [[2, 6.5 / 3]])
    assert np.allclose(found["ridge_successor"], [[1, 2.5]], atol=1e-4)


def test_the_parts_of_a_split_are_predicted_row_by_row(floors):
    part = few_cells()
    whole = floors.predict(part.values, part.types)
    some = floors.of(part)(np.array([3, 1]))
    assert all(np.allclose(some[name], whole[name][[3, 1]]) for name in whole)


def test_without_successors_in_train_there_are_no_floors():
    part = CellPart(sp.csr_matrix(np.eye(3)), sp.csr_matrix((3, 3)))
    with pytest.raises(DataError, match="no train cell has a successor in the train part — hold out whole groups"):
        fit_profile_floors(part, part, seed=0)


def test_without_successors_in_validation_nothing_is_tuned_and_a_note_says_so():
    empty = CellPart(few_cells().values, sp.csr_matrix((4, 4)))
    floors = fit_profile_floors(few_cells(), empty, seed=0)
    assert floors.notes == ("No validation cell has a successor in the validation part: the floors of next cells were not tuned.",)
    assert floors.choices == {"denoised_current": 20, "knn_mean_successor": 20, "ridge_successor": 1.0}
    assert np.isfinite(floors.predict(empty.values)["denoised_current"]).all()


@pytest.fixture(scope="module")
def trajectory():
    """Three parts of whole donors, forward and reversed."""
    cells = planted_trajectory()
    counts = cells.X.toarray()
    values = sp.csr_matrix(np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4).astype(np.float32))
    donors = cells.obs["donor_id"].str[-2:].astype(int).to_numpy()
    parts = {}
    for name, successors in (("forward", cells.obsp["next_cell_ids"]), ("reversed", cells.obsp["next_cell_ids"].T.tocsr())):
        for part, rows in (("train", donors < 6), ("val", (donors == 6) | (donors == 7)), ("test", donors > 7)):
            own = np.flatnonzero(rows)
            types = cells.obs["cell_type"].to_numpy()[own]
            parts[name, part] = CellPart(values[own], successors[own][:, own].tocsr(), types)
    return parts


@pytest.fixture(scope="module")
def fitted(trajectory):
    return {
        name: fit_profile_floors(trajectory[name, "train"], trajectory[name, "val"], seed=0) for name in ("forward", "reversed")
    }


def test_neighbors_are_tuned_on_the_present_and_on_successors(trajectory, fitted):
    floors, train, val = fitted["forward"], trajectory["forward", "train"], trajectory["forward", "val"]
    known, asked = train.values.toarray().astype(np.float64), val.values.toarray().astype(np.float64)
    mean = known.mean(axis=0)
    axes = np.linalg.svd(known - mean, full_matrices=False)[2][:50]
    places = (known - mean) @ axes.T
    nearest = np.argsort(((((asked - mean) @ axes.T)[:, None] - places[None]) ** 2).sum(axis=2), axis=1, kind="stable")
    successors = np.zeros_like(known)
    successors[train.starts] = train.targets(train.starts)
    is_start = np.isin(np.arange(len(known)), train.starts)
    of_starts = np.stack([row[is_start[row]] for row in nearest])
    present = [((known[nearest[:, :count]].mean(axis=1) - asked) ** 2).mean() for count in NEIGHBORS]
    truth = val.targets(val.starts)
    future = [((successors[of_starts[val.starts, :count]].mean(axis=1) - truth) ** 2).mean() for count in NEIGHBORS]
    assert floors.choices["denoised_current"] == NEIGHBORS[int(np.argmin(present))]
    assert floors.choices["knn_mean_successor"] == NEIGHBORS[int(np.argmin(future))]
    count = int(floors.choices["denoised_current"])
    assert np.allclose(floors.predict(val.values)["denoised_current"], known[nearest[:, :count]].mean(axis=1), atol=1e-4)


def test_the_denoised_cell_knows_no_time(trajectory, fitted):
    test = trajectory["forward", "test"]
    found = [fitted[name].of(test)(test.starts) for name in ("forward", "reversed")]
    assert np.array_equal(found[0]["denoised_current"], found[1]["denoised_current"])
    assert not np.allclose(found[0]["ridge_successor"], found[1]["ridge_successor"], atol=0.1)


def test_on_a_planted_trajectory_only_those_who_know_successors_predict_them_and_only_true_ones(trajectory, fitted):
    test = trajectory["forward", "test"]
    errors = {
        name: {
            floor: float(found["squared_error"].mean())
            for floor, found in score_part(test, test.starts, fitted[name].of(test), fitted["forward"].usual).items()
        }
        for name in ("forward", "reversed")
    }
    forward, in_reverse = errors["forward"], errors["reversed"]
    assert forward["copy_current"] > 2 * forward["denoised_current"]
    for floor in ("knn_mean_successor", "ridge_successor"):
        assert forward[floor] < 0.75 * forward["denoised_current"]
        assert in_reverse[floor] > 0.98 * in_reverse["denoised_current"]


def test_of_two_branches_the_coming_one_is_known_by_its_triggers():
    cells = planted_trajectory(1600, 200, lineages=2, donor_effect=0.0)
    counts = cells.X.toarray()
    values = sp.csr_matrix(np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4).astype(np.float32))
    donors = cells.obs["donor_id"].str[-2:].astype(int).to_numpy()
    parts = []
    for rows in (donors < 6, (donors == 6) | (donors == 7), donors > 7):
        own = np.flatnonzero(rows)
        parts.append((own, CellPart(values[own], cells.obsp["next_cell_ids"][own][:, own].tocsr())))
    floors = fit_profile_floors(parts[0][1], parts[1][1], seed=0)
    own, test = parts[2]
    before = np.flatnonzero(cells.obs["time"].to_numpy()[own] == 3)
    predicted = floors.of(test)(before)["ridge_successor"]
    is_first = cells.obs["lineage"].to_numpy()[own][before] == "lineage_0"
    rises = ((cells.var["switch_time"] == 4) & (cells.var["direction"] == "up")).to_numpy()
    first = rises & (cells.var["lineage"] == "lineage_0").to_numpy()
    second = rises & (cells.var["lineage"] == "lineage_1").to_numpy()
    leaning = predicted[:, first].mean(axis=1) - predicted[:, second].mean(axis=1)
    assert leaning[is_first].mean() > leaning[~is_first].mean() + 0.3
