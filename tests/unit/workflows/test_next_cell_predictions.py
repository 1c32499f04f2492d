"""What is predicted of whole next cells: as in training, and by hand from the answers of a network that is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genoken.core.config import PretrainConfig, build
from genoken.core.contracts import MaskDraw
from genoken.data.pair_tokens import asking_tokens
from genoken.data.successors import Successors
from genoken.evaluation.next_cell_bins import BinScale
from genoken.evaluation.next_cell_ranks import RankScale
from genoken.models.embeddings import EmbeddingStart
from genoken.readers._anndata import samples_from_anndata
from genoken.synthetic import planted_trajectory
from genoken.workflows.encoder import Encoder
from genoken.workflows.next_cell import pairs_for
from genoken.workflows.next_cell_predictions import (
    NextCells,
    expects,
    learn_bin_scale,
    read_scale,
    scale_files,
    why_no_profiles,
    write_bin_scale,
)
from genoken.workflows.pretrained import PretrainedModel, layout_of, new_network, objectives_of, statistics_of

KINDS = {
    "values": {"tokenizer": {"kind": "continuous", "hvgs": 0}, "objectives": ["next_value"]},
    "ranks": {"tokenizer": {"kind": "rank", "max_tokens": 30}, "objectives": ["next_cell"]},
    "bins": {"tokenizer": {"kind": "binned", "edges": [5.0, 5.8]}, "objectives": ["next_value"]},
    "plain bins": {"tokenizer": {"kind": "binned", "edges": [148.0, 330.0], "log": False}, "objectives": ["next_value"]},
    "counts": {
        "tokenizer": {"kind": "continuous", "hvgs": 0, "target_sum": 0},
        "objectives": [{"kind": "next_value", "likelihood": "negative_binomial"}],
    },
    "genes of bins": {"tokenizer": {"kind": "binned", "edges": [0.1, 2.0]}, "objectives": ["next_cell"]},
    "ranks in gene order": {"tokenizer": {"kind": "rank", "order": "gene_order", "values": "all"}, "objectives": ["next_value"]},
}
ALL = MaskDraw(seed=0, epoch=0, probability=1.0)


def made(kind, **successors):
    """A network at its start, the cells, and who follows whom."""
    content = KINDS[kind] | {
        "successors": {"key": "next_cell_ids", **successors},
        "model": {"width": 8, "linear_path": False, "encoder": {"kind": "transformer", "layers": 1, "heads": 2, "feed_forward": 8}},
        "training": {"precision": "fp32"},
    }
    config = build(PretrainConfig, content)
    adata = planted_trajectory(samples=24, features=20, steps=3, donors=1)
    samples = samples_from_anndata(adata)
    encoder, found = Encoder.of_samples(config.tokenizer, samples, None)
    cells = encoder.dataset(samples, found.columns)
    network = new_network(config, cells, EmbeddingStart.from_state(encoder.state.per_feature))
    model = PretrainedModel(config, encoder.state, encoder.symbols, None, network)
    return model, cells, Successors.of_matrix(adata.obsp["next_cell_ids"], 24, "")


@pytest.mark.parametrize(("kind", "expected"), [("values", "values"), ("ranks", "ranks"), ("bins", "values")])
def test_what_can_be_predicted_whole(kind, expected):
    model = made(kind)[0]
    assert expects(model) == expected
    assert why_no_profiles(model) == ""
    needed = {"values": (), "ranks": ("rank_scale.parquet", "rank_lines.parquet"), "bins": ("bin_scale.parquet",)}
    assert scale_files(model) == needed[kind]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("counts", "expected counts depend on a cell's depth, and that of the next cell is not known."),
        ("genes of bins", "how strongly genes are expressed in them was not asked for."),
        ("ranks in gene order", "ranks of genes in gene order have no usual values."),
    ],
)
def test_what_cannot_be_predicted_whole_is_said(kind, why):
    model = made(kind)[0]
    assert expects(model) == ""
    assert why_no_profiles(model) == f"Whole profiles of next cells are not predicted: {why}"


@pytest.mark.parametrize("attention", ["strict", "self", "full"])
def test_values_are_those_of_training_when_everything_is_asked(attention):
    model, cells, successors = made("values", attention=attention)
    pairs = pairs_for(model, cells, successors, where="cells")
    statistics = statistics_of(model.state, every_sample=True)
    objective = objectives_of(model.config)["next_value"]
    hidden = objective.hide(pairs.batch(np.arange(len(pairs))), pairs.layout, ALL, statistics)
    with torch.no_grad():
        outputs = model.network.eval()(hidden)["next_value"]
    in_training = objective.measure(outputs, hidden, pairs.layout)["prediction"].numpy().reshape(len(pairs), -1)
    found = NextCells(model, cells).profiles(pairs.current)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, in_training, atol=1e-5)
    assert NextCells(model, cells).profiles(pairs.current[:0]).shape == (0, 20)


def test_asked_tokens_hold_nothing_but_the_question():
    model, cells, _ = made("values")
    tokens = asking_tokens(layout_of(model.config, cells.layout), 2, 20)
    assert tokens.offsets.tolist() == [0, 21, 42]
    assert np.isnan(tokens.channels["value"]).all()
    np.testing.assert_array_equal(tokens.channels["feature"].reshape(2, 21)[0], tokens.channels["feature"].reshape(2, 21)[1])
    assert len(set(tokens.channels["feature"][:21].tolist())) == 21
    model, cells, _ = made("ranks")
    tokens = asking_tokens(layout_of(model.config, cells.layout), 3, 2)
    assert tokens.offsets.tolist() == [0, 3, 6, 9]
    assert len(set(tokens.channels["feature"].reshape(3, 3)[:, 1:].ravel().tolist())) == 1


def test_probabilities_of_ranks_sum_to_one():
    model, cells, _ = made("ranks")
    scale = RankScale(np.ones(20), np.linspace(1, 0.3, 20), np.ones(20))
    asked = NextCells(model, cells, scale)
    assert asked.num_ranks == 14, "half of what 30 tokens leave beside CLS and separator"
    ((rows, probabilities),) = asked._probabilities(np.arange(24))
    assert rows.tolist() == list(range(24))
    assert probabilities.shape == (24, 14, 20)
    np.testing.assert_allclose(probabilities.sum(axis=2), 1, rtol=1e-5)


def test_presence_ranks_and_profiles_by_hand(monkeypatch):
    """Two cells, three ranks of which the last is too rare to be asked for."""
    model, cells, _ = made("ranks")
    asked = NextCells(model, cells, RankScale(np.array([4.0, 2.0, 1.0]), np.array([1.0, 0.5, 0.001]), np.ones(20)))
    assert asked.num_ranks == 2
    given = np.zeros((2, 2, 20), dtype=np.float32)
    given[0, 0, 3], given[0, 0, 4], given[0, 1, 4] = 0.75, 0.25, 1.0
    given[1, 0, 7], given[1, 1, 7] = 1.0, 1.0
    monkeypatch.setattr(
        NextCells, "_answers", lambda self, rows, kind, count: iter([(rows, torch.from_numpy(given).log().view(4, 20))])
    )
    rows = np.arange(2)
    ranked = asked.ranked(rows)
    expected = np.zeros((3, 2, 20))
    expected[0, 0, 3], expected[0, 0, 4], expected[0, 1, 7] = 0.75, 0.75, 1.0
    expected[1, 0, 4], expected[1, 1, 7] = (0.5 * 1) / 0.75, (0.5 * 1) / 1.5
    expected[2, 0, 3] = 0.75 * np.log(5)
    expected[2, 0, 4] = 0.25 * np.log(5) + 0.5 * np.log(3)
    expected[2, 1, 7] = (np.log(5) + 0.5 * np.log(3)) / 1.5
    for found, typed in zip((ranked.presence, ranked.ranks, ranked.profiles), expected, strict=True):
        np.testing.assert_allclose(found, typed, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(asked.profiles(rows), ranked.profiles)


def test_profiles_of_bins_by_hand(monkeypatch):
    """Two cells; gene 3 is in bin 1 by three quarters, gene 4 in bin 2, all others in bin 0."""
    model, cells, _ = made("bins")
    means = np.tile([0.25, 1.0, 3.0], (20, 1))
    means[4] = [0.0, 1.5, 4.0]
    given = np.zeros((2, 20, 3), dtype=np.float32)
    given[:, :, 0] = 1.0
    given[0, 3], given[1, 4] = [0.25, 0.75, 0.0], [0.0, 0.5, 0.5]
    monkeypatch.setattr(
        NextCells, "_answers", lambda self, rows, kind, count: iter([(rows, torch.from_numpy(given).log().view(40, 3))])
    )
    found = NextCells(model, cells, BinScale(means)).profiles(np.arange(2))
    expected = np.full((2, 20), 0.25)
    expected[0, 3], expected[0, 4], expected[1, 4] = 0.25 * 0.25 + 0.75, 0.0, 0.5 * 1.5 + 0.5 * 4
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize("attention", ["strict", "self", "full"])
def test_bins_are_those_of_training_when_everything_is_asked(attention):
    model, cells, successors = made("bins", attention=attention)
    pairs = pairs_for(model, cells, successors, where="cells")
    assert pairs.every_feature
    hidden = objectives_of(model.config)["next_value"].hide(pairs.batch(np.arange(len(pairs))), pairs.layout, ALL)
    with torch.no_grad():
        outputs = model.network.eval()(hidden)["next_value"]
    scale = BinScale(np.random.default_rng(1).random((20, 3)))
    found = NextCells(model, cells, scale).profiles(pairs.current)
    np.testing.assert_allclose(found, scale.profiles(outputs.softmax(dim=1).numpy().reshape(-1, 20, 3)), atol=1e-5)


@pytest.mark.parametrize(("kind", "edges"), [("bins", [5.0, 5.8]), ("plain bins", [148.0, 330.0])])
def test_what_bins_are_worth_is_learned_from_the_cells(kind, edges, tmp_path):
    """Bins of values without a logarithm are worth log values all the same."""
    model, cells, _ = made(kind)
    dense = cells.values.toarray().astype(np.float64)
    bins, logs = np.digitize(dense, edges), dense if kind == "bins" else np.log1p(dense)
    assert np.bincount(bins.ravel()).min() > 20
    found = learn_bin_scale(model, cells)
    usual = [logs[bins == place].mean() for place in range(3)]
    expected = [
        [logs[bins[:, gene] == place, gene].mean() if (bins[:, gene] == place).any() else usual[place] for place in range(3)]
        for gene in range(20)
    ]
    np.testing.assert_allclose(found.means, expected, rtol=1e-5, atol=1e-6)
    write_bin_scale(tmp_path, found, model.state.feature_ids)
    np.testing.assert_array_equal(read_scale(tmp_path, model).means, found.means)
    assert read_scale(tmp_path / "nowhere", model) is None
