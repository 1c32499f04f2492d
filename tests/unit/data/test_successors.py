"""Who comes next: typed graphs, what is refused, and draws that depend on seed, epoch and row alone."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.errors import DataError
from genoken.data.successors import Successors

# 0 → 2 (1), 1 (3); 1 → nothing; 2 → 3 (2); 3 → 0 (1), 1 (1), 2 (6)
EDGES = [(0, 2, 1.0), (0, 1, 3.0), (2, 3, 2.0), (3, 0, 1.0), (3, 1, 1.0), (3, 2, 6.0)]


def graph_of(edges, num_samples):
    starts, ends, weights = (np.array(column) for column in zip(*edges, strict=True))
    return Successors.of_edges(starts, ends, weights, num_samples)


def edges_of(successors):
    return list(zip(successors.starts.tolist(), successors.graph.indices.tolist(), successors.graph.data.tolist(), strict=True))


@pytest.fixture
def four():
    return graph_of(EDGES, 4)


def test_a_graph_knows_its_edges_in_the_order_in_which_they_were_given(four):
    assert edges_of(four) == EDGES
    assert edges_of(graph_of(EDGES[::-1], 4)) == [EDGES[1], EDGES[0], EDGES[2], *EDGES[:2:-1]]
    assert (four.num_samples, four.num_edges) == (4, 6)
    assert four.count.tolist() == [2, 0, 1, 3]
    assert four.without.tolist() == [False, True, False, False]
    assert four.starts.tolist() == [0, 0, 2, 3, 3, 3]
    assert four.graph.dtype == np.float32


def test_taking_keeps_edges_with_both_ends_and_their_order(four):
    assert edges_of(four.take(np.array([3, 0, 2]))) == [(0, 1, 1.0), (0, 2, 6.0), (1, 2, 1.0), (2, 0, 2.0)]
    assert edges_of(four.take(np.array([1]))) == []
    with pytest.raises(ValueError, match="taken twice"):
        four.take(np.array([0, 0]))


def test_graphs_are_placed_by_row(four):
    two = graph_of([(0, 1, 5.0), (1, 0, 7.0)], 2)
    found = Successors.placed([(four, np.array([6, 5, -1, 0])), (two, np.array([2, 4]))], 7)
    assert edges_of(found) == [(0, 6, 1.0), (0, 5, 1.0), (2, 4, 5.0), (4, 2, 7.0), (6, 5, 3.0)]
    assert Successors.placed([], 3).count.tolist() == [0, 0, 0]


def test_edges_within_parts(four):
    assert edges_of(four.within(np.array(["train", "train", "test", "test"]))) == [(0, 1, 3.0), (2, 3, 2.0), (3, 2, 6.0)]


def test_identity_and_reversal(four):
    assert edges_of(four.with_identity()) == [*EDGES[:2], (1, 1, 1.0), *EDGES[2:]]
    assert edges_of(four.reversed()) == [(0, 3, 1.0), (1, 0, 3.0), (1, 3, 1.0), (2, 0, 1.0), (2, 3, 6.0), (3, 2, 2.0)]
    assert sorted(edges_of(four.reversed().reversed())) == sorted(EDGES)


def test_steps_in_time(four):
    assert four.steps(np.array([1.0, 2.0, 1.5, np.nan])).tolist()[:2] == [0.5, 1.0]
    assert np.isnan(four.steps(np.array([1.0, 2.0, 1.5, np.nan]))[2:]).all()
    assert (four.steps(np.array([3.0, 1.0, 4.0, 5.0])) < 0).sum() == 4


def test_shuffling_exchanges_ends_within_types():
    rng = np.random.default_rng(0)
    types = np.repeat(["a", "b"], 20)
    edges = [(start, int(rng.integers(0, 20)) + 20 * (start >= 20), start + end + 1.0) for start in range(40) for end in range(3)]
    graph = graph_of(edges, 40)
    shuffled = graph.shuffled(types, 1)
    assert shuffled.count.tolist() == graph.count.tolist()
    np.testing.assert_array_equal(shuffled.graph.data, graph.graph.data)
    ends, new = graph.graph.indices, shuffled.graph.indices
    for name in "ab":
        own = types[graph.starts] == name
        np.testing.assert_array_equal(np.sort(new[own]), np.sort(ends[own]))
        assert (new[own] != ends[own]).mean() > 0.5
    np.testing.assert_array_equal(graph.shuffled(types, 1).graph.indices, new)
    assert (graph.shuffled(types, 2).graph.indices != new).any()


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "array", "dense", "counts"])
def test_any_matrix_of_weights_is_taken(kind):
    dense = np.array([[0, 2, 1], [0, 0, 0], [0.5, 0, 0]])
    made = {"csr": sp.csr_matrix, "csc": sp.csc_matrix, "coo": sp.coo_matrix, "array": sp.csr_array, "dense": np.asarray}
    matrix = (dense * 2).astype(np.int64) if kind == "counts" else made[kind](dense)
    found = Successors.of_matrix(matrix, 3, "x")
    np.testing.assert_array_equal(found.graph.toarray(), dense * (2 if kind == "counts" else 1))


def test_the_order_of_storage_stays_zeros_go_and_repeats_are_added():
    ordered = sp.csr_matrix(([5.0, 0.0, 7.0, 1.0], [2, 1, 0, 2], [0, 3, 3, 4]), shape=(3, 3))
    assert edges_of(Successors.of_matrix(ordered, 3, "x")) == [(0, 2, 5.0), (0, 0, 7.0), (2, 2, 1.0)]
    assert ordered.nnz == 4, "the matrix that was given is left as it was"
    repeated = sp.csr_matrix(([5.0, 2.0, 7.0], [2, 1, 2], [0, 3, 3, 3]), shape=(3, 3))
    assert edges_of(Successors.of_matrix(repeated, 3, "x")) == [(0, 2, 12.0), (0, 1, 2.0)]
    assert (Successors.of_matrix(sp.csr_matrix([[0, 1e-60], [1e60, 0]]), 2, "x").graph.data > 0).all()


def test_a_repeated_edge_stands_where_it_is_stored_first():
    """0 → 2 (1), 0 (zero), 1 (2), 2 (3), 0 (4); 1 → nothing; 2 → 1 (5), 2 (6), 1 (7), 1 (8)."""
    weights, ends = [1.0, 0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [2, 0, 1, 2, 0, 1, 2, 1, 1]
    found = Successors.of_matrix(sp.csr_matrix((weights, ends, [0, 5, 5, 9]), shape=(3, 3)), 3, "x")
    assert edges_of(found) == [(0, 2, 4.0), (0, 1, 2.0), (0, 0, 4.0), (2, 1, 20.0), (2, 2, 6.0)]
    assert found.draw(np.array([0, 2]), "first", 0, 0).tolist() == [2, 1]
    assert found.graph.dtype == np.float32


def damaged(indices, indptr, data=None):
    """A matrix whose arrays nobody looked at."""
    matrix = sp.csr_matrix((3, 3), dtype=np.float64)
    matrix.indices, matrix.indptr = np.array(indices, dtype=np.int32), np.array(indptr, dtype=np.int32)
    matrix.data = np.ones(len(indices)) if data is None else np.array(data)
    return matrix


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (sp.eye(4).tocsr(), "cells.h5ad: the graph has the shape 4 x 4, and there are 3 cells — it needs one row"),
        (np.ones((3, 4)), "the graph has the shape 3 x 4"),
        (np.ones(3), "this is no matrix"),
        ({"a": 1}, "this is no matrix"),
        (np.array([["a"] * 3] * 3), "holds no numbers but"),
        (damaged([0, 3, 1], [0, 2, 3, 3]), "1 index of the graph is out of range: 3 is none of 3 cells"),
        (damaged([0, -1, 1], [0, 2, 3, 3]), "1 index of the graph is out of range: -1 is none of 3 cells"),
        (damaged([0, 1, 1], [0, 2, 1, 3]), "its row pointers do not fit"),
        (damaged([0, 1, 1], [0, 2, 3, 7]), "its row pointers do not fit"),
        (sp.csr_matrix([[0, -1, -2], [0, 0, 0], [1, 0, 0]]), "2 weights of the graph are negative, for example -1"),
        (sp.csr_matrix([[0, np.nan, 1.0], [0, 0, 0], [1, 0, 0]]), "1 weight of the graph is not finite, for example nan"),
        (sp.csr_matrix([[0, np.inf, 1.0], [0, 0, 0], [1, 0, 0]]), "1 weight of the graph is not finite, for example inf"),
    ],
)
def test_what_is_wrong_with_a_graph_is_said_in_one_line(matrix, words):
    with pytest.raises(DataError) as refused:
        Successors.of_matrix(matrix, 3, "cells.h5ad")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_first_one_is_the_one_that_is_stored_first(four):
    for epoch in (-1, 0, 5):
        assert four.draw(np.array([3, 1, 0, 2]), "first", 0, epoch).tolist() == [0, -1, 2, 3]


def test_pairs_with_all_successors(four):
    current, following = four.pairs(np.array([3, 1, 0]))
    assert (current.tolist(), following.tolist()) == ([3, 3, 3, 0, 0], [0, 1, 2, 2, 1])
    assert [array.tolist() for array in four.pairs(np.zeros(0, dtype=np.int64))] == [[], []]


@pytest.mark.parametrize(("how", "shares"), [("random", [1 / 3, 1 / 3, 1 / 3]), ("weighted", [1 / 8, 1 / 8, 6 / 8])])
def test_draws_have_the_shares_that_they_promise(four, how, shares):
    draws = np.array([four.draw(np.array([3, 1, 2]), how, 0, epoch) for epoch in range(4000)])
    found = np.bincount(draws[:, 0], minlength=3) / len(draws)
    deviation = np.sqrt(np.array(shares) * (1 - np.array(shares)) / len(draws))
    assert (np.abs(found - shares) < 4 * deviation).all()
    assert set(draws[:, 1]) == {-1}
    assert set(draws[:, 2]) == {3}


def test_draws_differ_between_epochs_seeds_and_rows():
    graph = Successors.of_matrix(np.ones((50, 50)), 50, "x")
    rows = np.arange(50)
    drawn = [graph.draw(rows, "random", seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, -1))]
    assert all((one != other).mean() > 0.8 for place, one in enumerate(drawn) for other in drawn[:place])
    assert len(set(drawn[0].tolist())) > 20


@given(
    st.integers(0, 2**31),
    st.integers(-1, 100),
    st.permutations(list(range(12))),
    st.integers(1, 11),
    st.sampled_from(["random", "weighted"]),
)
def test_a_draw_does_not_depend_on_what_is_drawn_with_it(seed, epoch, order, cut, how):
    rng = np.random.default_rng(3)
    graph = Successors.of_matrix(sp.random(12, 12, 0.4, random_state=rng), 12, "x")
    whole = graph.draw(np.arange(12), how, seed, epoch)
    order = np.array(order)
    np.testing.assert_array_equal(graph.draw(order, how, seed, epoch), whole[order])
    in_two = [graph.draw(order[:cut], how, seed, epoch), graph.draw(order[cut:], how, seed, epoch)]
    np.testing.assert_array_equal(np.concatenate(in_two), whole[order])
    assert all(end == -1 or graph.graph[row, end] > 0 for row, end in enumerate(whole))
    assert (whole == -1).tolist() == graph.without.tolist()


def test_first_edges_loops_and_cycles_by_hand():
    edges = np.array([[0, 1], [0, 2], [1, 1], [2, 3], [3, 2]])
    graph = Successors.of_edges(edges[:, 0], edges[:, 1], np.ones(5), 5)
    assert graph.first().graph.toarray().nonzero()[1].tolist() == [1, 1, 3, 2]
    assert graph.without_loops().without.tolist() == [False, True, False, False, True]
    assert graph.num_on_cycles() == 3
    assert graph.take(np.array([0, 1])).without_loops().num_on_cycles() == 0
