"""Training on what was hidden: the loss does not depend on batches, parts are kept apart, runs can be repeated and resumed."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from genoken.core.config import EmbeddingSettings, ModelSettings, TrainingSettings
from genoken.core.errors import DataError
from genoken.core.layout import MASK_CATEGORY
from genoken.core.pretraining_settings import SuccessorSettings
from genoken.data.dataset import TokenDataset
from genoken.data.pairs import CellPairs, pair_cells
from genoken.data.successors import Successors
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.token_network import seeded_token_network
from genoken.objectives.masked_feature import MaskedFeatureObjective
from genoken.objectives.masked_value import MaskedValueObjective
from genoken.objectives.next_cell import NextCellObjective
from genoken.objectives.phenotype import PhenotypeObjective
from genoken.readers._anndata import samples_from_anndata
from genoken.synthetic import planted_markers
from genoken.tokenizers.binned import BinnedTokenizer
from genoken.training.fit import fit
from genoken.training.masked import EVALUATION, MaskedTask, measured
from genoken.vocabulary.phenotypes import UNKNOWN_ENTRY, PhenotypeVocabulary

OBJECTIVES = {
    "masked_feature": MaskedFeatureObjective(probability=0.2, weight=2.0),
    "masked_value": MaskedValueObjective(probability=0.1),
}


@pytest.fixture(scope="module")
def cells() -> TokenDataset:
    """Sixty cells of 32 genes in two bins."""
    samples = samples_from_anndata(planted_markers(samples=60, features=32, seed=3))
    tokenizer = BinnedTokenizer(edges=(0.1, 2.0))
    state = tokenizer.fit(samples)
    return TokenDataset(tokenizer, state, tokenizer.prepare(samples, np.arange(len(state.feature_ids)), state))


@pytest.fixture
def task(cells) -> MaskedTask:
    return MaskedTask(OBJECTIVES, cells.layout, cells.take(np.arange(40)), num_held_out=10, num_epochs=3, seed=5)


@pytest.fixture
def new_network(cells):
    settings = ModelSettings(
        width=8,
        embedding=EmbeddingSettings(init="random"),
        encoder=TransformerEncoder(layers=1, heads=2, feed_forward=8, dropout=0.0),
    )
    heads = {name: objective.head(cells.layout) for name, objective in OBJECTIVES.items()}
    return lambda: seeded_token_network(settings, cells.layout, heads, EmbeddingStart(), 1)


def test_the_loss_is_the_weighed_sum_over_expected_targets(cells, task, new_network):
    network, rows = new_network(), np.arange(6)
    batch = task.training_batch(cells, rows, 0)
    outputs = network(batch)
    expected = sum(
        objective.weight * objective.loss(outputs[name], batch, cells.layout).total / task.expected[name]
        for name, objective in OBJECTIVES.items()
    )
    found = task.training_loss(network, batch)
    torch.testing.assert_close(found.total, expected)
    assert (found.noted, found.count) == (pytest.approx(found.total.item()), 6)
    counted = task.training_batch(cells.take(np.arange(40)), np.arange(40), 0)
    assert task.expected["masked_feature"] == len(counted.targets["masked_feature.places"]) / 40


def with_labels(is_labeled: np.ndarray) -> TokenDataset:
    """Return cells of which some have a value of the only phenotype."""
    samples = samples_from_anndata(planted_markers(samples=len(is_labeled), features=32, seed=3))
    tokenizer = BinnedTokenizer(edges=(0.1, 2.0))
    state = tokenizer.fit(samples)
    prepared = tokenizer.prepare(samples, np.arange(len(state.feature_ids)), state)
    sex = PhenotypeVocabulary(("sex",), (("female", "male"),))
    return TokenDataset(tokenizer, state, prepared, None, sex, np.where(is_labeled, 3, UNKNOWN_ENTRY)[:, None])


def targets_counted(part: TokenDataset) -> float:
    task = MaskedTask({"phenotype": PhenotypeObjective(probability=1.0)}, part.layout, part, num_held_out=1, num_epochs=1, seed=5)
    return task.expected["phenotype"]


def test_targets_are_counted_wherever_they_stand_in_the_file():
    assert targets_counted(with_labels(np.arange(1200) >= 1193)) == 7 / 1200
    labels_first = targets_counted(with_labels(np.arange(2000) < 1000))
    assert labels_first == pytest.approx(0.5, abs=4 * math.sqrt(0.25 / 512))


def test_an_objective_without_any_target_is_refused():
    with pytest.raises(DataError, match="nothing is hidden: the objective 'phenotype' finds no token to ask for in the 30 train"):
        targets_counted(with_labels(np.zeros(30, dtype=bool)))


def test_the_loss_does_not_depend_on_how_samples_are_put_into_batches(cells, task, new_network):
    network = new_network()
    whole = task.training_loss(network, task.training_batch(cells, np.arange(12), 1)).total
    parts = [np.array([11, 2, 5]), np.array([0, 1, 3, 4, 6, 7, 8, 9, 10])]
    torch.testing.assert_close(sum(task.training_loss(network, task.training_batch(cells, rows, 1)).total for rows in parts), whole)


def test_masks_change_with_the_epoch_and_not_in_evaluation(cells, task):
    def places(epoch):
        return task._hidden(cells, np.arange(20), epoch).targets["masked_feature.places"].tolist()

    assert places(0) != places(1)
    assert places(EVALUATION) == places(EVALUATION)
    static = MaskedTask(
        {"masked_feature": dataclasses.replace(OBJECTIVES["masked_feature"], static=True)},
        cells.layout, cells, num_held_out=1, num_epochs=3, seed=5,
    )  # fmt: skip
    first, later = (static.training_batch(cells, np.arange(20), epoch) for epoch in (0, 2))
    assert torch.equal(first.targets["masked_feature.places"], later.targets["masked_feature.places"])


def test_held_out_and_train_samples_are_validated_apart(cells, task, new_network):
    plan = task.validation_plan(25, 8)
    assert [batch.tolist() for batch in plan] == [list(range(8)), [8, 9], list(range(10, 18)), list(range(18, 25))]
    network = new_network().eval()
    with torch.no_grad():
        for rows in plan:
            task.validate(network, task.validation_batch(cells, rows))
        found = task.validation_metrics()
        for prefix, rows in (("", np.arange(10)), ("train_part_", np.arange(10, 25))):
            batch = task.validation_batch(cells, rows)
            outputs = network(batch)
            for name, objective in OBJECTIVES.items():
                term = objective.loss(outputs[name], batch, cells.layout)
                assert found[f"{prefix}{name}_loss"] == pytest.approx(term.total.item() / term.count, rel=1e-5)
                right = objective.measure(outputs[name], batch, cells.layout)["correct"].float().mean().item()
                assert found[f"{prefix}{name}_correct"] == pytest.approx(right)
    assert found["loss"] == pytest.approx(2 * found["masked_feature_loss"] + found["masked_value_loss"])
    assert found["train_part_loss"] == pytest.approx(
        2 * found["train_part_masked_feature_loss"] + found["train_part_masked_value_loss"]
    )


def test_what_is_measured_is_of_every_target_once(cells, task, new_network):
    network = new_network()
    small, large = (measured(network, task, cells, batch_size=size) for size in (7, 60))
    for name in OBJECTIVES:
        assert set(small[name]["row"]) == set(range(60))
        for measure, values in large[name].items():
            np.testing.assert_allclose(small[name][measure], values, rtol=1e-4, atol=1e-5)


def test_workers_and_a_resume_change_nothing(cells, task, new_network, tmp_path):
    def trained(name, **settings):
        chosen = TrainingSettings(
            **{"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "logger": "none", "patience": 0, "average_decay": 0.0}
            | settings
        )
        parts = cells.take(np.arange(40)), cells.take(np.arange(40, 60))
        return fit(new_network(), *parts, task, chosen, folder=tmp_path / name)

    plain = trained("plain")
    losses = [(row["train_loss"], row["val_loss"], row["train_part_loss"]) for row in plain.history]
    assert losses[2][0] < losses[0][0]
    for workers in (1, 2, 4):
        assert [
            (row["train_loss"], row["val_loss"], row["train_part_loss"])
            for row in trained(f"w{workers}", num_workers=workers).history
        ] == losses
    trained("resumed", epochs=3, limit_batches=0)
    for later in sorted((tmp_path / "resumed" / "checkpoints").glob("step-*"))[1:]:
        later.unlink()
    resumed = trained("resumed")
    for name, weight in plain.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], weight), name


@pytest.fixture(scope="module")
def pairs(cells) -> CellPairs:
    """The same cells, each with five that may come next."""
    graph = np.zeros((60, 60))
    graph[np.arange(60)[:, None], (np.arange(60)[:, None] + np.arange(1, 6)) % 60] = 1
    return pair_cells(cells, Successors.of_matrix(graph, 60, "test"), SuccessorSettings(draw="random"), seed=5)


def test_next_cells_are_drawn_for_each_epoch_and_fixed_in_evaluation(pairs):
    task = MaskedTask({"next_cell": NextCellObjective()}, pairs.layout, pairs, num_held_out=10, num_epochs=3, seed=5)
    rows = np.arange(20)
    for epoch in (0, 1):
        batch, expected = task.training_batch(pairs, rows, epoch), pairs.drawn(epoch).batch(rows)
        assert batch.lengths == expected.lengths
        labels, places = batch.targets["next_cell.labels"], batch.targets["next_cell.places"]
        bins = expected.channels["bin"].index_fill(0, places, MASK_CATEGORY)  # the value of a hidden gene is hidden too
        assert torch.equal(batch.channels["bin"], bins)
        assert torch.equal(expected.channels["feature"][places] - 3, labels)
    first, second = (task.training_batch(pairs, rows, epoch).channels["bin"].tolist() for epoch in (0, 1))
    assert first != second
    for epoch in (0, 1):
        batch = task.validation_batch(pairs.drawn(epoch), rows)
        evaluated, expected = batch.channels["bin"], pairs.drawn(EVALUATION).batch(rows).channels["bin"]
        assert torch.equal(evaluated, expected.index_fill(0, batch.targets["next_cell.places"], MASK_CATEGORY))
    assert evaluated.tolist() not in (first, second)
    assert task.expected["next_cell"] == len(task.training_batch(pairs, np.arange(60), 0).targets["next_cell.places"]) / 60
    assert task.without_targets(pairs) == set()


@pytest.mark.parametrize(("attention", "leaves_out"), [("strict", True), ("self", True), ("full", False)])
def test_next_tokens_that_nobody_asks_for_are_left_out(pairs, attention, leaves_out):
    pairs = dataclasses.replace(pairs, settings=SuccessorSettings(attention=attention))
    task = MaskedTask({"next_cell": NextCellObjective()}, pairs.layout, pairs, num_held_out=10, num_epochs=1, seed=5)
    batch = task.training_batch(pairs, np.arange(20), 0)
    assert (batch.visible is not None) == leaves_out
    if leaves_out:
        segment = batch.channels["segment"]
        hidden_or_separator = torch.cat(
            [batch.targets["next_cell.places"], batch.offsets[:-1] + torch.tensor(batch.context_lengths)]
        )
        expected = torch.cat([torch.where(segment == 0)[0], hidden_or_separator]).sort().values
        assert torch.equal(batch.visible, expected)
        assert sum(batch.visible_lengths) == len(expected) < batch.num_tokens
