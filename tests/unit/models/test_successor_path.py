"""The linear path of next cells: predictions by hand, the same as the ridge floor, and what encoder and objective get of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from safetensors.torch import load_file, save_file

from genoken.core.batch import Batch, Tokens
from genoken.core.layout import CLS_ID, FIRST_CATEGORY, NUM_SPECIALS, SEPARATOR_ID, Channel, Layout
from genoken.data.pair_tokens import asking_tokens, every_feature_tokens, extend_layout, pair_tokens
from genoken.evaluation.next_cell_floors import CellPart, fit_profile_floors
from genoken.models.successor_path import NUM_COMPONENTS, SuccessorPath, SuccessorStart, has_successor_path

VALUE = Channel(name="value", kind="scalar", role="value")
BIN = Channel(name="bin", kind="category", role="value", size=FIRST_CATEGORY + 3)
NAN = math.nan
START = SuccessorStart(
    axes=np.array([[1.0, 0.0], [0.0, 2.0], [1.0, -1.0]]),
    coefficients=np.array([[0.5, 0.0, 1.0], [0.0, 1.0, 3.0]]),
    intercept=np.array([0.1, 0.2, 0.3]),
    center=np.array([1.0, 0.0, -1.0]),
    scale=np.array([2.0, 1.0, 4.0]),
)


def cells_layout(num_features: int, *channels: Channel) -> Layout:
    feature = Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + num_features)
    return Layout(
        channels=(feature, *channels),
        num_features=num_features,
        has_cls=True,
        emits_every_feature=False,
        max_tokens=num_features + 1,
    )


def pair_layout(num_features: int) -> Layout:
    return extend_layout(cells_layout(num_features, VALUE), 0)


@pytest.fixture
def two_pairs() -> Batch:
    """``CLS g2=3 g1=1 SEP g0=? g1=7 g2=?`` and ``CLS g0=? g1=2 SEP g2=?``: a hidden token of a current cell counts as 0."""
    first, second, third = NUM_SPECIALS + np.arange(3)
    identities = [CLS_ID, third, second, SEPARATOR_ID, first, second, third, CLS_ID, first, second, SEPARATOR_ID, third]
    values = [0, 3, 1, 0, NAN, 7, NAN, 0, NAN, 2, 0, NAN]
    segments = [0] * 3 + [FIRST_CATEGORY] * 4 + [0] * 3 + [FIRST_CATEGORY] * 2
    channels = {"feature": np.array(identities), "value": np.array(values, dtype=np.float32), "segment": np.array(segments)}
    batch = Batch.from_tokens(Tokens(channels, np.array([0, 7, 12])), np.arange(2))
    return replace(batch, context_lengths=(3, 3), pattern="next_cell_strict")


def test_what_has_a_path():
    assert has_successor_path(pair_layout(3))
    assert not has_successor_path(cells_layout(3, VALUE)), "cells stand alone"
    assert not has_successor_path(extend_layout(cells_layout(3, BIN), 0)), "bins are no numbers"
    assert not has_successor_path(extend_layout(cells_layout(3), 0)), "ranked genes have no values"


def test_components_and_predictions_by_hand(two_pairs):
    path = SuccessorPath(pair_layout(3), START)
    components = path(two_pairs)
    # first current cell: 1 of g1, 3 of g2: (3, 2 - 3); second: 2 of g1: (0, 4)
    assert components[:, :2].tolist() == [[3.0, -1.0], [0.0, 4.0]]
    assert components.shape == (2, NUM_COMPONENTS)
    assert not components[:, 2:].any(), "components that the regression has not are zero"
    # first: (1.5, -1, 3 - 3) + c; second: (0, 4, 12) + c
    expected = [0, 0, 0, 0, 1.6, 0, 0.3, 0, 0.1, 0, 0, 12.3]
    np.testing.assert_allclose(path.hints(components, two_pairs), expected, rtol=1e-6)
    places = torch.tensor([4, 6, 11])
    outputs = path.outputs("successor", components, two_pairs, places)
    np.testing.assert_allclose(outputs, [[(1.6 - 1) / 2], [(0.3 + 1) / 4], [(12.3 + 1) / 4]], rtol=1e-6)


def test_what_is_shown_of_the_next_cell_changes_nothing(two_pairs):
    path = SuccessorPath(pair_layout(3), START)
    values = two_pairs.channels["value"].clone()
    values[[5, 3]] = 99.0
    other = replace(two_pairs, channels=dict(two_pairs.channels) | {"value": values})
    assert torch.equal(path(other), path(two_pairs))
    values = values.clone()
    values[1] = 4.0
    changed = replace(two_pairs, channels=dict(two_pairs.channels) | {"value": values})
    assert path(changed)[:, :2].tolist() == [[4.0, -2.0], [0.0, 4.0]]


def test_cells_alone_are_all_context():
    path = SuccessorPath(pair_layout(3), START)
    channels = {"feature": np.array([CLS_ID, NUM_SPECIALS, NUM_SPECIALS + 2]), "value": np.array([0, 2, 5], dtype=np.float32)}
    batch = Batch.from_tokens(Tokens(channels, np.array([0, 3])), np.arange(1))
    assert path(batch)[:, :2].tolist() == [[7.0, -5.0]]


def test_without_a_start_it_predicts_nothing(two_pairs):
    path = SuccessorPath(pair_layout(3), None)
    assert not path(two_pairs).any()
    assert not path.outputs("successor", path(two_pairs), two_pairs, torch.tensor([4, 6])).any()


def test_it_is_no_parameter_and_comes_back_from_a_file(two_pairs, tmp_path):
    path = SuccessorPath(pair_layout(3), START)
    assert list(path.parameters()) == []
    save_file(path.state_dict(), tmp_path / "path.safetensors")
    empty = SuccessorPath(pair_layout(3), None)
    empty.load_state_dict(load_file(tmp_path / "path.safetensors"))
    assert torch.equal(empty.hints(empty(two_pairs), two_pairs), path.hints(path(two_pairs), two_pairs))
    assert torch.equal(empty.outputs("successor", empty(two_pairs), two_pairs, torch.tensor([4])), torch.tensor([[0.3]]))


def test_it_predicts_what_the_ridge_floor_predicts():
    rng = np.random.default_rng(2)
    values = sp.csr_matrix((rng.random((30, 7)) * (rng.random((30, 7)) < 0.6)).astype(np.float32))
    ends = rng.integers(0, 30, 60)
    graph = sp.csr_matrix((np.ones(60, np.float32), (np.repeat(np.arange(30), 2), ends)), shape=(30, 30))
    part = CellPart(values, graph)
    floors = fit_profile_floors(part, part, seed=0)
    axes, coefficients, intercept = floors.regression()
    layout = pair_layout(7)
    path = SuccessorPath(layout, SuccessorStart(axes, coefficients, intercept, np.zeros(7), np.ones(7)))
    expressed = [np.flatnonzero(row) for row in values.toarray()]
    offsets = np.concatenate([[0], np.cumsum([1 + len(own) for own in expressed])])
    identities = np.concatenate([np.concatenate([[CLS_ID], NUM_SPECIALS + own]) for own in expressed])
    numbers = np.concatenate([np.concatenate([[0.0], row[row > 0]]) for row in values.toarray()]).astype(np.float32)
    current = Tokens({"feature": identities, "value": numbers}, offsets)
    tokens, context = pair_tokens(current, asking_tokens(layout, 30, 7), layout)
    batch = replace(Batch.from_tokens(tokens, np.arange(30)), context_lengths=tuple(context.tolist()))
    places = torch.nonzero(batch.channels["value"].isnan()).squeeze(1)
    found = path.outputs("successor", path(batch), batch, places).reshape(30, 7)
    np.testing.assert_allclose(found, floors.predict(values)["ridge_successor"], rtol=1e-4, atol=1e-5)
    every = every_feature_tokens(current, layout)
    tokens, context = pair_tokens(every, asking_tokens(layout, 30, 7), layout)
    dense = replace(Batch.from_tokens(tokens, np.arange(30)), context_lengths=tuple(context.tolist()))
    np.testing.assert_allclose(path(dense), path(batch), rtol=1e-5, atol=1e-6)
