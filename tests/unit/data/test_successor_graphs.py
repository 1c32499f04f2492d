"""Graphs from where cells are and when: typed by hand, and on a planted line along which cells move."""

from __future__ import annotations

import math

import numpy as np
import pytest

from genoken.core.random import generator
from genoken.data.successor_graphs import by_pseudotime, by_similarity, by_time


def ends(successors):
    """Successors of each cell, in order."""
    graph = successors.graph
    return [graph.indices[graph.indptr[row] : graph.indptr[row + 1]].tolist() for row in range(graph.shape[0])]


POINTS = np.array([[0.0], [1.0], [2.0], [3.5], [10.0], [11.0]])
TIMES = np.array([1.0, 1.0, 2.0, 2.0, 2.0, 5.0])


def test_by_time_cells_of_the_next_time_point_follow_the_nearest_first():
    found = by_time(POINTS, TIMES, 2)
    assert ends(found) == [[2, 3], [2, 3], [5], [5], [5], []]
    # distances 2 and 3.5: their median 2.75; 1 and 2.5: 1.75; a single one is its own median
    weights = [(2, 2.75), (3.5, 2.75), (1, 1.75), (2.5, 1.75), (9, 9), (7.5, 7.5), (1, 1)]
    np.testing.assert_allclose(found.graph.data, [math.exp(-((d / s) ** 2) / 2) for d, s in weights], rtol=1e-6)


def test_by_time_groups_and_missing_times_have_their_own_next_time_point():
    groups = np.array([0, 1, 0, 0, 1, 1])
    assert ends(by_time(POINTS, TIMES, 1, groups)) == [[2], [4], [], [], [5], []]
    groups = np.array([0, 1, -1, 0, -1, 1])
    assert ends(by_time(POINTS, TIMES, 1, groups)) == [[3], [5], [], [], [], []]
    for missing in (np.nan, np.inf):
        times = np.where(np.arange(6) == 2, missing, TIMES)
        assert ends(by_time(POINTS, times, 1)) == [[3], [3], [], [5], [5], []]


def test_by_pseudotime_later_cells_among_the_nearest_follow():
    times = np.array([0.1, 0.3, 0.2, 0.2, np.inf, 0.9])
    found = by_pseudotime(POINTS, times, 2)
    # nearest two: 0: 1 2; 1: 0 2; 2: 1 3; 3: 2 1; 5: 3 2; the cell out of reach is nobody's neighbor
    assert ends(found) == [[1, 2], [], [1], [1], [], []]
    weights = [(1, 1.5), (2, 1.5), (1, 1), (2.5, 2.5)]
    np.testing.assert_allclose(found.graph.data, [math.exp(-((d / s) ** 2) / 2) for d, s in weights], rtol=1e-6)
    assert ends(by_pseudotime(POINTS, times, 2, np.array([0, 1, 0, 1, 0, 1]))) == [[2], [5], [], [1, 5], [], []]


def test_by_similarity_the_nearest_follow():
    assert ends(by_similarity(POINTS, 2)) == [[1, 2], [0, 2], [1, 3], [2, 1], [5, 3], [4, 3]]
    assert ends(by_similarity(POINTS, 9, np.array([0, 0, 0, 1, 2, 2]))) == [[1, 2], [0, 2], [1, 0], [], [5], [4]]


def test_cells_in_one_place_are_neighbors_of_weight_one():
    points = np.zeros((4, 2))
    found = by_similarity(points, 3)
    assert (found.count == 3).all()
    assert (found.graph.data == 1).all()
    assert all(row not in own for row, own in enumerate(ends(found))), "no cell follows itself"
    far = by_time(np.array([[0.0], [0.0], [0.001], [1e6]]), np.array([0.0, 1, 1, 1]), 3)
    assert ends(far) == [[1, 2, 3], [], [], []]
    assert (far.graph.data > 0).all()


@pytest.fixture(scope="module")
def line():
    """Cells that move along a line by one unit per time point, 40 at each of six times, in eight noisy axes, in a drawn order."""
    rng = generator(0, "line")
    times = rng.permutation(np.repeat(np.arange(6.0), 40))
    places = times + rng.uniform(-0.3, 0.3, len(times))
    points = rng.normal(0, 0.05, (len(times), 8))
    points[:, 0] += places
    return points, times, places


def test_on_a_planted_line_each_cell_is_followed_by_those_nearest_ahead(line):
    points, times, places = line
    found = by_time(points, times, 5)
    assert found.count[times < 5].tolist() == [5] * 200
    assert found.count[times == 5].tolist() == [0] * 40
    assert (found.steps(times) == 1).all()
    assert (found.steps(places) > 0).all()
    # Of the cells of the next time point the nearest are those that have come least far.
    ahead = found.steps(places)
    everyone = [places[times == time + 1].mean() - place for time, place in zip(times, places, strict=True) if time < 5]
    assert ahead.mean() < np.mean(everyone) - 0.15


def test_on_a_planted_line_pseudotime_leads_forward_and_similarity_both_ways(line):
    points, _, places = line
    forward = by_pseudotime(points, places, 10)
    assert (forward.steps(places) > 0).all()
    both = by_similarity(points, 10)
    assert (both.steps(places) > 0).mean() == pytest.approx(0.5, abs=0.05)
    kept = {(start, end) for start, end in zip(both.starts, both.graph.indices, strict=True) if places[end] > places[start]}
    assert {(start, end) for start, end in zip(forward.starts, forward.graph.indices, strict=True)} == kept
    assert forward.without[np.argmax(places)]


def test_the_order_of_cells_changes_no_edge(line):
    points, times, _ = line
    order = generator(1, "order").permutation(len(times))
    moved, whole = by_time(points[order], times[order], 4), by_time(points, times, 4)
    named = {(order[start], order[end]) for start, end in zip(moved.starts, moved.graph.indices, strict=True)}
    assert named == set(zip(whole.starts.tolist(), whole.graph.indices.tolist(), strict=True))
