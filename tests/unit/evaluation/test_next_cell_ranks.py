"""From profiles to ranks and back: typed answers, a plain loop, and rules that are tuned to what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.evaluation._profiles import Profile
from genoken.evaluation.next_cell_ranks import (
    RankFloors,
    RankRule,
    RankScale,
    RankTargets,
    fit_rank_floors,
    fit_rank_scale,
    near_places,
)


def test_the_kernel_by_hand():
    found = near_places(np.array([[0, 1, 2]]), np.array([0, 0]), np.array([1, 0]), width=1 / 3)
    near, far = np.exp(-0.5), np.exp(-2.0)
    expected = [[near / (1 + 2 * near), 1 / (1 + 2 * near), near / (1 + 2 * near)]]
    expected += [[1 / (1 + near + far), near / (1 + near + far), far / (1 + near + far)]]
    assert np.allclose(found, expected)


def by_hand(medians=(1.0, 1.0, 4.0), rules=None):
    frequencies = np.log(np.array([[0.5, 0.2], [0.25, 0.2], [0.25, 0.6]], dtype=np.float32))
    return RankFloors(Profile(frequencies, 2), np.log1p([1.0, 3.0, 1.0]), np.array(medians), rules or {})


def test_places_follow_values_over_medians_and_ties_share_theirs():
    profiles = np.log1p(np.array([[1.0, 2.0, 12.0], [0.0, 0.0, 1.0], [5.0, 5.0, 12.0]], dtype=np.float32))
    assert by_hand().places(profiles).tolist() == [[2, 1, 0], [1.5, 1.5, 0], [0.5, 0.5, 2]]


def test_tilted_frequencies_by_hand():
    # the median of the train means is 1: (3 + 1) / (1 + 1) = 2, (3 + 1) / (3 + 1) = 1, (0 + 1) / (1 + 1) = 1 / 2
    floors = by_hand()
    ratios = floors.log_ratios(np.log1p(np.array([[3.0, 3.0, 0.0]])))
    assert np.allclose(np.exp(ratios), [[2, 1, 0.5]])
    cells = np.zeros(2, dtype=np.int64)
    assert np.allclose(floors.tilted(ratios, cells, np.array([0, 1]), 0.0), [[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]])
    assert np.allclose(floors.tilted(ratios, cells, np.array([0, 9]), 1.0), [[8 / 11, 2 / 11, 1 / 11], [4 / 9, 2 / 9, 3 / 9]])


def test_a_score_is_the_mixture_at_the_truth():
    rules = {"one": RankRule(1 / 3, 1.0, 0.25), "other": RankRule()}
    floors = by_hand(rules=rules)
    values = np.log1p(np.array([[3.0, 3.0, 0.0], [0.0, 1.0, 8.0]], dtype=np.float32))
    targets = RankTargets(np.array([1, 0, 1]), np.array([0, 1, 1]), np.array([2, 0, 1]))
    found = floors.score(targets, lambda rows: {"one": values[rows], "other": values[rows]})
    assert list(found) == ["position_frequency", "one", "other"]
    places, ratios = floors.places(values), floors.log_ratios(values)
    for index, (cell, rank, feature) in enumerate(zip(targets.cells, targets.ranks, targets.features, strict=True)):
        near = np.exp(-0.5 * (places[cell] - rank) ** 2)
        tilted = np.exp(floors.frequencies.log_probabilities[:, rank] + ratios[cell])
        mixed = 0.25 * near / near.sum() + 0.75 * tilted / tilted.sum()
        assert found["one"]["cross_entropy"][index] == pytest.approx(-np.log(mixed[feature]), abs=1e-5)
        assert found["one"]["correct"][index] == (mixed.argmax() == feature)
    assert np.allclose(found["other"]["cross_entropy"], -np.log([0.25, 0.2, 0.2]), atol=1e-5)
    assert np.allclose(found["position_frequency"]["cross_entropy"], found["other"]["cross_entropy"], atol=1e-5)
    assert np.allclose(found["other"]["top5"], 1.0)


def cells_in_order(num_cells, num_features, seed, *, told):
    """Orders of features per cell, profiles that tell them (or another cell's), and every token as a target."""
    rng = np.random.default_rng(seed)
    orders = np.stack([rng.permutation(num_features) for _ in range(num_cells)])
    profiles = np.zeros((num_cells, num_features), dtype=np.float32)
    np.put_along_axis(profiles, orders, np.linspace(3, 1, num_features, dtype=np.float32)[None].repeat(num_cells, 0), axis=1)
    targets = RankTargets(
        np.repeat(np.arange(num_cells), num_features), np.tile(np.arange(num_features), num_cells), orders.ravel()
    )
    return targets, profiles if told else np.roll(profiles, 1, axis=0)


def test_rules_are_tuned_to_what_a_profile_tells():
    train, _ = cells_in_order(40, 60, 0, told=True)
    val, telling = cells_in_order(10, 60, 1, told=True)
    _, silent = cells_in_order(10, 60, 1, told=False)
    usual = np.full(60, 2.0)
    both = lambda rows: {"telling": telling[rows], "silent": silent[rows]}  # noqa: E731
    floors = fit_rank_floors(train, val, both, usual=usual, medians=None, num_ranks=60)
    assert floors.rules["telling"].mixture >= 0.75
    assert floors.rules["telling"].width == 0.01
    assert floors.rules["silent"].mixture <= 0.05
    found = floors.score(val, both)
    assert found["telling"]["correct"].mean() == 1.0
    assert found["telling"]["cross_entropy"].mean() < 0.5
    assert found["silent"]["cross_entropy"].mean() == pytest.approx(np.log(60), abs=0.2)


def test_medians_turn_the_order_of_a_profile():
    train, _ = cells_in_order(40, 60, 0, told=True)
    val, telling = cells_in_order(10, 60, 1, told=True)
    medians = np.linspace(0.2, 5, 60)
    scaled = np.log1p(np.expm1(telling) * medians).astype(np.float32)
    floors = fit_rank_floors(
        train, val, lambda rows: {"telling": scaled[rows]}, usual=np.full(60, 2.0), medians=medians, num_ranks=60
    )
    assert floors.score(val, lambda rows: {"telling": scaled[rows]})["telling"]["correct"].mean() == 1.0


def test_without_validation_targets_there_are_frequencies_alone():
    train, _ = cells_in_order(5, 6, 0, told=True)
    none = RankTargets(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
    floors = fit_rank_floors(train, none, lambda rows: {}, usual=np.ones(6), medians=None, num_ranks=6)
    assert list(floors.score(train, lambda rows: {})) == ["position_frequency"]


def test_a_train_cell_that_is_given_twice_is_refused():
    twice = RankTargets(np.array([0, 0]), np.array([1, 1]), np.array([2, 3]))
    with pytest.raises(ValueError, match="give each cell once"):
        fit_rank_floors(twice, twice, lambda rows: {}, usual=np.ones(6), medians=None, num_ranks=6)


def test_expected_expression_by_hand():
    scale = RankScale(np.array([4.0, 1.0]), np.array([1.0, 0.5]), np.array([1.0, 2.0, 10.0]))
    probabilities = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    found = scale.profiles(probabilities, np.array([0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 2]), num_cells=3)
    # cell 0: ln 5 for gene 0, and half of half of ln 3 and ln 11; cell 1 has gene 0 one and a half times, its rank 2 is unknown
    expected = [
        [np.log(5), 0.25 * np.log(3), 0.25 * np.log(11)],
        [(np.log(5) + 0.5 * np.log(2)) / 1.5, 0, 0],
        [0, 0, 0],
    ]
    assert np.allclose(found, expected)


def test_what_stands_at_a_rank_by_hand():
    scale = fit_rank_scale(np.array([8.0, 2.0, 2.0]), np.array([0, 0, 1]), num_cells=2, medians=np.ones(3))
    assert np.allclose(scale.values, [4.0, 2.0])
    assert scale.shares.tolist() == [1.0, 0.5]


def test_certain_ranks_give_the_profile_back():
    medians = np.array([1.0, 2.0, 3.0, 4.0])
    ratios, order = np.array([9.0, 3.0, 0.5]), np.array([2, 0, 3])
    scale = fit_rank_scale(ratios, np.arange(3), num_cells=1, medians=medians)
    found = scale.profiles(np.eye(4)[order], np.zeros(3, dtype=np.int64), np.arange(3), num_cells=1)
    expected = np.zeros(4)
    expected[order] = np.log1p(ratios * medians[order])
    assert np.allclose(found, [expected])
