"""Controls of next cells: other successors of the same cells, within the parts of the split, and nothing known of the true ones."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from genoken.core.config import PretrainConfig, build
from genoken.core.contracts import MaskDraw
from genoken.core.errors import ConfigError
from genoken.core.samples import Samples
from genoken.data.successors import Successors
from genoken.evaluation.next_cell_floors import CellPart, fit_profile_floors
from genoken.models.embeddings import EmbeddingStart
from genoken.readers._anndata import samples_from_anndata
from genoken.synthetic import planted_trajectory
from genoken.training.masked import MaskedTask
from genoken.workflows import next_cell
from genoken.workflows.encoder import Encoder
from genoken.workflows.next_cell import pairs_for, trained_on_controls, type_column, types_of
from genoken.workflows.prepared import Prepared
from genoken.workflows.pretrained import PretrainedModel, new_network, objectives_of
from genoken.workflows.pretraining_fit import task_of
from genoken.workflows.pretraining_parts import Division
from genoken.workflows.show import Show
from genoken.workflows.source import Source
from genoken.workflows.successor_start import successor_start

PARTS = np.array(["train", "val", "test", "train", "train"])


@pytest.fixture(scope="module")
def config() -> PretrainConfig:
    content = {
        "successors": {"key": "next_cell_ids"}, "objectives": ["next_value"], "tokenizer": {"kind": "continuous", "hvgs": 0},
        "model": {"width": 8, "linear_path": True, "encoder": {"kind": "transformer", "layers": 1, "heads": 2, "feed_forward": 8}},
        "training": {"epochs": 1},
    }  # fmt: skip
    return build(PretrainConfig, content)


@pytest.fixture(scope="module")
def division() -> Division:
    """Cells whose successors lead within parts and across them."""
    adata = planted_trajectory(samples=100, features=30, steps=3, donors=1)
    samples: Samples = samples_from_anndata(adata)
    words = PARTS[np.arange(100) % 5].astype(object)
    successors = Successors.of_matrix(adata.obsp["next_cell_ids"], 100, "")
    return Division(Source(samples, (), ()), words, np.zeros(100, dtype=bool), np.arange(100), successors)


@pytest.fixture(scope="module")
def prepared(config, division) -> Prepared:
    samples, words = division.source.samples, division.words
    rows = {part: np.flatnonzero(words == part) for part in ("train", "val", "test")}
    encoder, found = Encoder.of_samples(config.tokenizer, samples.take(rows["train"]), None)
    dataset = encoder.dataset(samples, found.columns)
    within = division.successors.within(words)
    start = EmbeddingStart(successor=successor_start(config, dataset, rows, within))
    model = PretrainedModel(config, encoder.state, encoder.symbols, None, new_network(config, dataset, start))
    return Prepared(model, dataset, rows, pairs_for(model, dataset, within, where="cells"))


@pytest.fixture
def controls(prepared, division, tmp_path, monkeypatch):
    """What each control would be trained on, by name: the prepared pairs and the network."""
    seen: dict[str, Prepared] = {}
    monkeypatch.setattr(next_cell, "train_prepared", lambda other, *arguments, folder, **named: seen.update({folder.name: other}))
    task, _ = task_of(prepared, where="cells")
    start = copy.deepcopy(prepared.model.network)
    found = trained_on_controls(prepared, start, division, task, folder=tmp_path, show=Show(quiet=True))
    assert isinstance(task, MaskedTask)
    return found, seen


def edges_of(successors: Successors) -> set[tuple[int, int]]:
    return set(zip(successors.starts.tolist(), successors.graph.indices.tolist(), strict=True))


def test_controls_never_cross_parts_and_are_what_they_are_called(controls, prepared, division):
    _, seen = controls
    assert list(seen) == ["reversed", "shuffled"]
    true = edges_of(prepared.pairs.successors)
    assert 20 < len(true) < division.successors.num_edges
    for other in seen.values():
        starts, ends = other.pairs.successors.pairs(other.pairs.current)
        assert (division.words[starts] == division.words[ends]).all()
    assert edges_of(seen["reversed"].pairs.successors) == {(end, start) for start, end in true}
    types = division.source.samples.table["cell_type"].astype(str).to_numpy()
    shuffled = seen["shuffled"].pairs.successors
    assert edges_of(shuffled) != true
    for part in ("train", "val", "test"):
        for name in np.unique(types):
            ends = [
                np.sort(graph.graph.indices[((types == name) & (division.words == part))[graph.starts]])
                for graph in (shuffled, prepared.pairs.successors)
            ]
            np.testing.assert_array_equal(*ends)


def test_the_linear_path_of_a_control_is_fitted_on_its_own_successors(controls, prepared):
    _, seen = controls
    for other in seen.values():
        graphs = {part: other.pairs.successors.take(prepared.rows[part]).graph for part in ("train", "val")}
        parts = {part: CellPart(prepared.dataset.take(prepared.rows[part]).values, graph) for part, graph in graphs.items()}
        axes, coefficients, intercept = fit_profile_floors(parts["train"], parts["val"], 42).regression()
        path = other.model.network.linear_path
        np.testing.assert_allclose(path.intercept, intercept, rtol=1e-4, atol=1e-5)
        found = (path.axes @ path.coefficients).numpy()
        np.testing.assert_allclose(found, axes @ coefficients, rtol=1e-3, atol=1e-5)
    own = prepared.model.network.linear_path
    assert np.abs(own.intercept.numpy() - seen["reversed"].model.network.linear_path.intercept.numpy()).max() > 0.1


def test_controls_are_measured_at_the_true_targets(controls, prepared):
    found, _ = controls
    scored = prepared.scored["test"]
    truth = found.measured["reversed"]["next_value"]["value"]
    np.testing.assert_array_equal(truth, found.measured["shuffled"]["next_value"]["value"])
    task, _ = task_of(prepared, where="cells")
    batch = task.validation_batch(prepared.whole.take(scored), np.arange(len(scored)))
    np.testing.assert_allclose(truth, batch.targets["next_value.labels"], atol=1e-6)


def test_items_of_parts_are_those_of_their_current_cells(prepared, division):
    pairs = prepared.pairs
    for part, items in prepared.items.items():
        assert (division.words[pairs.current[items]] == part).all()
    assert sum(len(items) for items in prepared.items.values()) == len(pairs)
    np.testing.assert_array_equal(prepared.samples_of(prepared.items["val"]), pairs.current[prepared.items["val"]])
    np.testing.assert_array_equal(prepared.part("test").current, pairs.current[prepared.items["test"]])


BINS, EXPRESSED = {"kind": "binned", "edges": [0.1, 5.0]}, {"kind": "continuous", "hvgs": 0}


def asking_for_genes(tokenizer, objectives=("next_cell",), position="none", attention="strict"):
    """An untrained network over the cells of the division, its pairs and its objective."""
    content = {
        "successors": {"key": "next_cell_ids", "attention": attention}, "objectives": list(objectives), "tokenizer": tokenizer,
        "model": {"width": 8, "embedding": {"position": position}, "linear_path": False,
                  "encoder": {"kind": "transformer", "layers": 2, "heads": 2, "feed_forward": 8, "dropout": 0.0}},
    }  # fmt: skip
    config = build(PretrainConfig, content)
    adata = planted_trajectory(samples=30, features=20, steps=3, donors=1)
    encoder, found = Encoder.of_samples(config.tokenizer, samples_from_anndata(adata), None)
    cells = encoder.dataset(samples_from_anndata(adata), found.columns)
    network = new_network(config, cells, EmbeddingStart.from_state(encoder.state.per_feature)).eval()
    model = PretrainedModel(config, encoder.state, encoder.symbols, None, network)
    return model, pairs_for(model, cells, Successors.of_matrix(adata.obsp["next_cell_ids"], 30, ""), where="cells")


@pytest.mark.parametrize("attention", ["strict", "self", "full"])
@pytest.mark.parametrize("tokenizer", [BINS, EXPRESSED], ids=["bins", "numbers"])
@pytest.mark.parametrize("mask_share", [1.0, 0.0], ids=["masked", "kept"])
def test_the_value_of_a_hidden_gene_changes_no_logit(mask_share, tokenizer, attention):
    objective = {"kind": "next_cell", "mask_share": mask_share}
    model, pairs = asking_for_genes(tokenizer, [objective], attention=attention)
    asking, draw, value = (
        objectives_of(model.config)["next_cell"],
        MaskDraw(seed=0, epoch=0, probability=0.3),
        pairs.layout.channel("value"),
    )
    batch = pairs.batch(np.arange(len(pairs)))
    places = asking.hide(batch, pairs.layout, draw).targets["next_cell.places"]
    assert len(places) > 20

    def logits(changed):
        values = batch.channels[value.name].clone()
        values[changed] = 4 if value.kind == "category" else 9.0
        other = replace(batch, channels={**batch.channels, value.name: values})
        assert not torch.equal(values, batch.channels[value.name])
        with torch.no_grad():
            return model.network(asking.hide(other, pairs.layout, draw))["next_cell"]

    with torch.no_grad():
        expected = model.network(asking.hide(batch, pairs.layout, draw))["next_cell"]
    torch.testing.assert_close(logits(places), expected, rtol=0, atol=0)
    current = torch.arange(1, batch.context_lengths[0])
    assert (logits(current) - expected).abs().max() > 1e-4, "values of the current cell do"


@pytest.mark.parametrize("position", ["learned", "sinusoidal"])
@pytest.mark.parametrize("tokenizer", [BINS, EXPRESSED], ids=["bins", "numbers"])
def test_positions_in_the_order_of_genes_tell_the_answer(tokenizer, position):
    words = (
        rf"^'next_cell' asks which gene .* \(model\.embedding\.position: {position}\) — use tokens in the order of ranks .*: none$"
    )
    with pytest.raises(ConfigError, match=words):
        asking_for_genes(tokenizer, position=position)
    _, pairs = asking_for_genes({"kind": "rank"}, position=position)
    assert len(pairs) > 0


@pytest.mark.parametrize(
    ("tokenizer", "objectives"),
    [
        (EXPRESSED | {"tokens": "all"}, ["next_cell"]),
        ({"kind": "rank", "values": "all", "order": "gene_order"}, ["next_cell"]),
        (BINS, ["next_cell", "next_value"]),
        (EXPRESSED, ["next_cell", "next_value"]),
    ],
)
def test_which_genes_a_cell_of_all_genes_has_is_known(tokenizer, objectives):
    with pytest.raises(
        ConfigError, match="'next_cell' asks which genes a next cell has, and here it has all of them, in one order — use"
    ):
        asking_for_genes(tokenizer, objectives)


def test_no_gene_is_absent_from_next_cells_whose_values_are_asked_for():
    with pytest.raises(
        ConfigError, match=r"'objective\.absent_swap' asks for genes that a cell lacks, and next cells hold every gene"
    ):
        asking_for_genes(BINS, [{"kind": "next_value", "absent_swap": 0.5}])


def test_the_column_of_types(config, division):
    table = division.source.samples.table
    assert type_column(config, table) == "cell_type"
    assert types_of(config, table).tolist() == table["cell_type"].astype(str).tolist()
    assert types_of(config, table.drop(columns="cell_type")) is None
