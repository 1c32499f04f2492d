"""Cells with the cells that come next, as training takes them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from genoken.core.errors import ConfigError, DataError
from genoken.core.pretraining_settings import SuccessorSettings
from genoken.core.samples import Samples
from genoken.data.dataset import TokenDataset, collate
from genoken.data.pairs import leave_out_unasked, pair_cells
from genoken.data.successors import Successors
from genoken.tokenizers.binned import BinnedTokenizer
from genoken.tokenizers.continuous import ContinuousTokenizer
from genoken.tokenizers.rank import RankTokenizer

DENSE = np.array([[0, 2.5, 0, 1.5], [0, 0, 3, 0], [1, 3, 3, 2], [4, 0, 0, 0]], dtype=np.float32)
# 0 → 1, 2; 1 → nothing; 2 → 3; 3 → 0
GRAPH = np.array([[0, 1, 3, 0], [0, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]])


def cells_of(tokenizer, dense=DENSE) -> TokenDataset:
    table = pd.DataFrame(index=[str(row) for row in range(len(dense))])
    features = pd.DataFrame(index=[f"g{column}" for column in range(dense.shape[1])])
    samples = Samples(values=sp.csr_matrix(dense), table=table, features=features, value_kind="log", origin="test")
    state = tokenizer.fit(samples)
    return TokenDataset(tokenizer, state, tokenizer.prepare(samples, np.arange(dense.shape[1]), state))


def pairs_of(tokenizer=None, graph=GRAPH, dense=DENSE, max_tokens=0, every_feature=False, **settings):
    cells = cells_of(tokenizer or RankTokenizer(scale="none"), dense)
    successors = Successors.of_matrix(graph, len(dense), "test")
    return pair_cells(
        cells, successors, SuccessorSettings(**settings), seed=3, max_tokens=max_tokens, every_feature=every_feature, where="x.h5ad"
    )


def test_a_batch_of_pairs_is_typed_by_hand():
    pairs = pairs_of(draw="first")
    assert pairs.current.tolist() == [0, 2, 3], "a cell without a successor is left out"
    batch = pairs.batch(np.array([2, 0]))
    assert batch.channels["feature"].tolist() == [0, 3, 2, 4, 6, 0, 4, 6, 2, 5]
    assert batch.channels["segment"].tolist() == [0, 0, 2, 2, 2, 0, 0, 0, 2, 2]
    assert batch.lengths == (5, 5)
    assert batch.context_lengths == (2, 3)
    assert batch.rows.tolist() == [2, 0]
    assert batch.pattern == "next_cell_strict"
    assert batch.visible is None
    assert pairs_of(draw="first", attention="self").batch(np.array([0])).pattern == "next_cell_self"
    assert pairs_of(draw="first", attention="full").batch(np.array([0])).pattern == "full"


def test_cells_without_a_successor():
    identity = pairs_of(draw="first", without="identity")
    assert identity.current.tolist() == [0, 1, 2, 3]
    assert identity.next_cells(np.arange(4)).tolist() == [1, 1, 3, 0]
    with pytest.raises(DataError, match=r"x\.h5ad: 1 of 4 cells have no successor"):
        pairs_of(without="refuse")
    for without in ("skip", "identity", "refuse"):
        with pytest.raises(DataError, match="none of the 4 cells has a successor"):
            pairs_of(graph=np.zeros((4, 4)), without=without)


def test_all_successors_make_pairs_of_their_own():
    pairs = pairs_of(draw="all")
    assert pairs.current.tolist() == [0, 0, 2, 3]
    assert pairs.next_cells(np.array([3, 1, 0])).tolist() == [0, 2, 1]
    assert pairs.drawn(7).next_cells(np.arange(4)).tolist() == [1, 2, 3, 0]
    assert pairs.take(np.array([1, 3])).next_cells(np.arange(2)).tolist() == [2, 0]
    assert pairs.lengths().tolist() == list(pairs.batch(np.arange(4)).lengths)


def test_epochs_draw_anew_and_evaluation_always_alike():
    pairs = pairs_of(draw="random")
    drawn = [int(pairs.drawn(epoch).next_cells(np.array([0]))[0]) for epoch in range(40)]
    assert set(drawn) == {1, 2}
    expected = [int(pairs.successors.draw(np.array([0]), "random", 3, epoch)[0]) for epoch in range(40)]
    assert drawn == expected
    assert pairs.next_cells(np.arange(3)).tolist() == pairs.drawn(-1).next_cells(np.arange(3)).tolist()
    weighted = pairs_of(draw="weighted")
    assert np.mean([weighted.drawn(epoch).next_cells(np.array([0]))[0] == 2 for epoch in range(400)]) == pytest.approx(
        0.75, abs=0.09
    )


def test_items_are_taken_and_cells_are_shared():
    pairs = pairs_of(draw="first")
    taken = pairs.take(np.array([2, 1]))
    assert taken.current.tolist() == [3, 2]
    assert taken.cells is pairs.cells
    assert taken.batch(np.array([0])).channels["feature"].tolist() == pairs.batch(np.array([2])).channels["feature"].tolist()
    assert pairs.of_cells(np.array([3, 1, 0])).current.tolist() == [0, 3]
    labels = dataclasses.replace(pairs.cells, labels=np.array([5, 6, 7, 8]))
    assert dataclasses.replace(taken, cells=labels).labels.tolist() == [8, 7]
    assert taken.labels is None


@pytest.mark.parametrize("tokenizer", [RankTokenizer(scale="none"), ContinuousTokenizer(hvgs=0), BinnedTokenizer(edges=(1.0, 2.0))])
@pytest.mark.parametrize("max_tokens", [0, 4, 5, 6, 7])
def test_lengths_are_known_without_encoding(tokenizer, max_tokens):
    pairs = pairs_of(tokenizer, max_tokens=max_tokens)
    for epoch in range(3):
        drawn = pairs.drawn(epoch)
        assert drawn.lengths().tolist() == list(drawn.batch(np.arange(3)).lengths)
        assert (drawn.lengths() <= pairs.lengths()).all()
    assert pairs.lengths().max() <= pairs.layout.max_tokens
    longest = np.max([pairs.drawn(epoch).lengths() for epoch in range(20)], axis=0)
    assert longest.tolist() == pairs.lengths().tolist(), "the bound is reached"


def test_next_cells_can_have_every_feature():
    pairs = pairs_of(ContinuousTokenizer(hvgs=0), draw="first", every_feature=True)
    batch = pairs.batch(np.array([0]))
    assert batch.channels["feature"].tolist() == [0, 4, 6, 2, 3, 4, 5, 6]
    assert batch.channels["value"].tolist() == [0, 2.5, 1.5, 0, 0, 0, 3, 0]
    assert pairs.lengths().tolist() == [8, 10, 7]
    assert pairs.drawn(0).lengths().tolist() == [8, 10, 7]
    bins = pairs_of(BinnedTokenizer(edges=(1.0, 2.0)), draw="first", every_feature=True)
    batch = bins.batch(np.array([0]))
    assert batch.channels["feature"].tolist() == [0, 4, 6, 2, 3, 4, 5, 6]
    assert batch.channels["bin"].tolist() == [0, 4, 3, 0, 2, 2, 4, 2], "bin 0 is the entry 2"
    assert bins.lengths().tolist() == [8, 10, 7]
    with pytest.raises(ConfigError, match="next cells with every feature need tokens with values"):
        _ = pairs_of(every_feature=True).layout
    with pytest.raises(ConfigError, match=r"'tokenizer\.max_tokens' is 9, which leaves no room for all features"):
        _ = pairs_of(ContinuousTokenizer(hvgs=0), every_feature=True, max_tokens=9).layout


@given(st.permutations(list(range(20))), st.integers(1, 19), st.integers(-1, 5), st.sampled_from(["random", "weighted"]))
def test_a_pair_is_the_same_in_any_batch(order, cut, epoch, draw):
    pairs = _many(draw).drawn(epoch)
    order = np.array(order)
    whole, parts = pairs.batch(order), [pairs.batch(order[:cut]), pairs.batch(order[cut:])]
    for name in whole.channels:
        torch.testing.assert_close(torch.cat([part.channels[name] for part in parts]), whole.channels[name], rtol=0, atol=0)
    assert parts[0].context_lengths + parts[1].context_lengths == whole.context_lengths


def _many(draw):
    rng = np.random.default_rng(5)
    dense = (rng.poisson(1.0, (20, 8)) * rng.uniform(0.5, 1.5, (20, 8))).astype(np.float32)
    dense[:, 0] = 1
    graph = (rng.uniform(size=(20, 20)) < 0.3) * rng.uniform(size=(20, 20)) + np.eye(20)
    return pairs_of(dense=dense, graph=graph, max_tokens=9, draw=draw)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_torch_loader_gives_the_same_pairs(num_workers):
    pairs = _many("random").drawn(4)
    loader = DataLoader(pairs, batch_size=7, collate_fn=collate, num_workers=num_workers)
    for batch, rows in zip(loader, (np.arange(7), np.arange(7, 14), np.arange(14, 20)), strict=True):
        expected = pairs.batch(rows)
        assert batch.channels["feature"].tolist() == expected.channels["feature"].tolist()
        assert batch.context_lengths == expected.context_lengths
        assert batch.pattern == "next_cell_strict"
        assert batch.rows.tolist() == rows.tolist()
    with pytest.raises(IndexError, match="row 20 of 20 pairs"):
        pairs[20]


@pytest.mark.parametrize("attention", ["strict", "self"])
def test_unasked_next_tokens_are_left_out(attention):
    batch = pairs_of(draw="first", attention=attention).batch(np.array([0, 2]))  # lengths 5 and 5, contexts 3 and 2
    asked = {"next_cell.places": torch.tensor([9]), "next_cell.labels": torch.tensor([0])}
    found = leave_out_unasked(dataclasses.replace(batch, targets=asked))
    assert found.visible.tolist() == [0, 1, 2, 3, 5, 6, 7, 9]
    assert found.visible_lengths == (4, 4)
    assert found.lengths == (5, 5)
    fewer = dataclasses.replace(batch, targets=asked, visible=torch.tensor([0, 2, 3, 4, 5, 7, 8, 9]), visible_lengths=(4, 4))
    assert leave_out_unasked(fewer).visible.tolist() == [0, 2, 3, 5, 7, 9]


def test_what_others_see_is_never_left_out():
    full = pairs_of(draw="first", attention="full").batch(np.array([0]))
    assert leave_out_unasked(full) is full
    single = cells_of(RankTokenizer(scale="none")).batch(np.array([0]))
    assert leave_out_unasked(single) is single
