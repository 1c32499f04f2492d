"""Ridge regression on true and on reversed successors: against separate fits, on planted lines, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.evaluation.linear_direction import LinearControls, linear_controls, linear_sentence, summarize_linear
from genoken.evaluation.next_cell_floors import CellPart, fit_profile_floors
from genoken.synthetic import planted_trajectory

TELLS = {"true": 0.4012, "reversed": 0.46, "difference": -0.0588, "interval": [-0.0668, -0.0491]}
NUMBERS = (
    "over whole profiles its mean squared error is 0.4012 on true successors, 0.4600 on reversed ones "
    "(difference -0.0588, 95 % interval -0.0668 to -0.0491)"
)


@pytest.fixture(scope="module")
def trajectory():
    """Three parts of a planted trajectory, of 8 donors, and the donor of each test cell."""
    adata = planted_trajectory(samples=320, features=60, steps=4, donors=8, seed=3)
    donors = adata.obs["donor_id"].astype(str).to_numpy()
    places = np.unique(donors, return_inverse=True)[1]
    rows = [np.flatnonzero(np.isin(places, chosen)) for chosen in ((0, 1, 2, 3), (4, 5), (6, 7))]
    graph = sp.csr_matrix(adata.obsp["next_cell_ids"])
    parts = [CellPart(sp.csr_matrix(adata.X[own], dtype=np.float32), graph[own][:, own]) for own in rows]
    return *parts, donors[rows[2]]


def walk(step, num_cells=40, seed=0):
    """Cells on a ring at equal angles, each followed by the one this many places further on."""
    angles = 2 * np.pi * np.arange(num_cells) / num_cells
    places = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    noise = 0.01 * np.random.default_rng(seed).standard_normal((num_cells, 4))
    values = sp.csr_matrix((np.hstack([places, places]) + noise).astype(np.float32))
    ends = (np.arange(num_cells) + step) % num_cells
    return CellPart(values, sp.csr_matrix((np.ones(num_cells), (np.arange(num_cells), ends)), shape=(num_cells, num_cells)))


def test_both_are_the_floor_as_it_is_fitted_on_its_own_successors(trajectory):
    train, val, test, donors = trajectory
    found = linear_controls(fit_profile_floors(train, val, 7), val, test, donors, 7)
    turned = [replace(part, successors=part.successors.T.tocsr()) for part in (train, val)]
    truth = test.targets(test.starts)
    for errors, parts in ((found.true, (train, val)), (found.reversed_, turned)):
        predicted = fit_profile_floors(*parts, 7).of(test)(test.starts)["ridge_successor"]
        np.testing.assert_allclose(errors, ((predicted - truth) ** 2).mean(axis=1), rtol=1e-4)
    assert found.units.tolist() == donors[test.starts].tolist()


def test_a_planted_step_around_a_ring_is_told_by_a_line():
    """A quarter turn ahead is a linear map, and a quarter turn back predicts the opposite point, at a squared distance of 4."""
    train, val, test = (walk(10, seed=seed) for seed in range(3))
    found = linear_controls(fit_profile_floors(train, val, 0), val, test, np.arange(40) // 4, 0)
    np.testing.assert_allclose(found.true, 0.0, atol=0.01)
    np.testing.assert_allclose(found.reversed_, 2.0, atol=0.1)  # 4 and 4, over four features
    summary = summarize_linear(found, unit="blocks", seed=0, draws=200)
    assert summary["difference"] == pytest.approx(-2.0, abs=0.05)
    assert -2.1 < summary["interval"][0] < summary["interval"][1] < -1.9


def test_a_step_to_the_opposite_point_is_the_same_both_ways():
    train, val, test = (walk(20, seed=seed) for seed in range(3))
    found = linear_controls(fit_profile_floors(train, val, 0), val, test, np.arange(40) // 4, 0)
    np.testing.assert_allclose(found.true, found.reversed_)


def test_without_successors_in_validation_or_test(trajectory):
    train, val, test, donors = trajectory
    val, alone = (replace(part, successors=sp.csr_matrix(part.successors.shape)) for part in (val, test))
    floors = fit_profile_floors(train, val, 7)
    assert floors.choices["ridge_successor"] == 1.0
    assert linear_controls(floors, val, test, donors, 7) is not None
    assert linear_controls(floors, val, alone, donors, 7) is None


def test_the_summary_is_paired_over_units():
    true = np.array([1.0, 5.0, 2.0, 8.0, 3.0, 4.0])
    units = np.array(["a", "b", "c", "d", "e", "f"])
    found = summarize_linear(LinearControls(true, true + 0.5, units), unit="groups", seed=0, draws=100)
    assert (found["true"], found["reversed"], found["difference"]) == (23 / 6, 26 / 6, -0.5)
    np.testing.assert_allclose(found["interval"], [-0.5, -0.5])
    few = summarize_linear(LinearControls(true, true + 0.5, np.array(["a"] * 5 + ["b"])), unit="groups", seed=0, draws=100)
    assert few["interval"] is None


@pytest.mark.parametrize(
    ("changes", "learned", "sentence"),
    [
        ({}, True, f"Ridge regression alone shows the same: {NUMBERS}, so a network is not needed to see it."),
        (
            {},
            False,
            f"Ridge regression alone does tell true successors from reversed ones: {NUMBERS}, so the network missed what it shows.",
        ),
        ({}, None, f"Ridge regression alone does tell true successors from reversed ones: {NUMBERS}."),
        (
            {"interval": [-0.0668, 0.0]},
            None,
            "Ridge regression alone does not tell true successors from reversed ones: over whole profiles its mean squared error "
            "is 0.4012 on true successors, 0.4600 on reversed ones (difference -0.0588, 95 % interval -0.0668 to +0.0000).",
        ),
        (
            {"interval": [-0.0668, 0.0491]},
            True,
            "Ridge regression alone does not show it: over whole profiles its mean squared error is 0.4012 on true successors, "
            "0.4600 on reversed ones (difference -0.0588, 95 % interval -0.0668 to +0.0491).",
        ),
        (
            {"interval": [0.0491, 0.0668]},
            False,
            "Ridge regression alone does not learn it either: over whole profiles its mean squared error is 0.4012 on true "
            "successors, 0.4600 on reversed ones (difference -0.0588, 95 % interval +0.0491 to +0.0668).",
        ),
        (
            {"interval": None},
            True,
            "Of ridge regression alone: over whole profiles its mean squared error is 0.4012 on true successors, 0.4600 on "
            "reversed ones (difference -0.0588).",
        ),
    ],
)
def test_what_the_sentence_says(changes, learned, sentence):
    assert linear_sentence(TELLS | changes, learned) == sentence


def test_nothing_is_said_of_what_was_not_fitted():
    assert linear_sentence(None, True) == ""
