"""Which train samples floors are fitted on, and which floors are said to be left out."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.config import PretrainConfig, build
from genoken.models.embeddings import EmbeddingStart
from genoken.training.masked import MaskedTask, measured
from genoken.vocabulary.phenotypes import PhenotypeVocabulary
from genoken.workflows import pretraining_floors
from genoken.workflows.encoder import Encoder
from genoken.workflows.pretrained import PretrainedModel, new_network, objectives_of, statistics_of
from genoken.workflows.pretraining_floors import drawn_to_fit, floors_of

RANKS = {"tokenizer": {"kind": "rank"}, "objectives": ["masked_feature"]}
VALUES = {"tokenizer": {"kind": "continuous"}, "objectives": ["masked_value"]}
LINEAR = {"linear_gaussian", "linear_student"}
SWAPPED = "Linear floors were left out: features are asked for that a sample does not hold."


def test_floors_are_fitted_on_all_train_samples_or_on_a_draw_of_them(monkeypatch):
    rows = np.arange(100, 400, 3)
    monkeypatch.setattr(pretraining_floors, "_MOST_LEARNED_FROM", 100)
    assert drawn_to_fit(rows, seed=1).tolist() == rows.tolist()
    monkeypatch.setattr(pretraining_floors, "_MOST_LEARNED_FROM", 40)
    drawn = drawn_to_fit(rows, seed=1)
    assert len(np.unique(drawn)) == 40
    assert (np.diff(drawn) > 0).all()
    assert np.isin(drawn, rows).all()
    assert drawn.max() > rows[60]  # not the first ones
    assert drawn.tolist() == drawn_to_fit(rows, seed=1).tolist() != drawn_to_fit(rows, seed=2).tolist()


@pytest.fixture
def floors_and_notes(samples):
    """Return a function that fits the floors of an untrained network on so many of 40 samples of a panel of four genes."""

    def fit(content, num_train=30, **columns):
        found = samples(np.random.default_rng(2).gamma(3.0, size=(40, 4)), cell=columns.get("cell", ["a"] * 40))
        model = {"width": 8, "encoder": {"layers": 1, "heads": 2, "feed_forward": 8}, "linear_path": False}
        config = build(PretrainConfig, {"model": model, **content})
        rows = {"train": np.arange(num_train), "test": np.arange(30, 40)}
        wanted = "phenotype" in objectives_of(config)
        vocabulary = PhenotypeVocabulary.fit(found.table, ["cell"]) if wanted else None
        encoder, places = Encoder.of_samples(config.tokenizer, found.take(rows["train"]), vocabulary)
        dataset = encoder.dataset(found, places.columns)
        network = new_network(config, dataset, EmbeddingStart())
        task = MaskedTask(
            objectives_of(config), dataset.layout, dataset.take(rows["train"]), num_held_out=10, num_epochs=1, seed=0,
            statistics=statistics_of(encoder.state),
        )  # fmt: skip
        fitted = PretrainedModel(config, encoder.state, encoder.symbols, vocabulary, network)
        asked = measured(network, task, dataset.take(rows["test"]), batch_size=16)
        return floors_of(fitted, task, dataset, rows, asked, found.table)

    return fit


def test_nothing_is_said_where_all_floors_are_there(floors_and_notes):
    floors, notes = floors_and_notes(RANKS)
    assert set(floors["masked_feature"]) == {"uniform", "set_complement", "position_frequency"} | LINEAR
    assert notes == {"masked_feature": []}
    floors, notes = floors_and_notes(VALUES)
    assert set(floors["masked_value"]) == {"train_mean", "ridge"}
    assert notes == {"masked_value": []}


@pytest.mark.parametrize(("content", "linear"), [(RANKS, LINEAR), (VALUES, {"ridge"})], ids=["ranks", "values"])
def test_few_train_samples_have_no_linear_floor(floors_and_notes, content, linear):
    (few,), (note,) = (tuple(found.values()) for found in floors_and_notes(content, num_train=9))
    assert not linear & set(few)
    assert note == ["The linear floor was left out: 9 train samples, fewer than 10."]
    (enough,), (note,) = (tuple(found.values()) for found in floors_and_notes(content, num_train=10))
    assert linear <= set(enough)
    assert note == []


def test_many_features_have_no_linear_floor(floors_and_notes, monkeypatch):
    monkeypatch.setattr("genoken.evaluation._linear_floors.MOST_FEATURES", 3)
    floors, notes = floors_and_notes(RANKS)
    assert not LINEAR & set(floors["masked_feature"])
    assert notes == {"masked_feature": ["The linear floor was left out: 4 features, more than 3."]}
    monkeypatch.setattr("genoken.evaluation._linear_floors.MOST_FEATURES", 4)
    assert floors_and_notes(RANKS)[1] == {"masked_feature": []}


def test_groups_that_train_lacks_have_no_frequencies_of_their_own(floors_and_notes):
    content = RANKS | {"data": {"floor_by": "cell"}}
    floors, notes = floors_and_notes(content, cell=["a", "b"] * 15 + ["b", "c"] * 5)
    assert "position_frequency_by_group" not in floors["masked_feature"]
    assert notes["masked_feature"] == [
        "Train frequencies by 'cell' were left out: it has too many values, or some that train lacks."
    ]
    floors, notes = floors_and_notes(content, cell=["a", "b"] * 20)
    assert "position_frequency_by_group" in floors["masked_feature"]
    assert notes["masked_feature"] == []


@pytest.mark.parametrize("tokenizer", [{"kind": "binned", "edges": [1.0]}, {"kind": "continuous"}], ids=["bins", "values"])
def test_swapped_features_and_phenotypes_have_the_floors_that_they_can_have(floors_and_notes, tokenizer):
    objectives = ["phenotype", {"kind": "masked_value", "absent_swap": 0.5}]
    floors, notes = floors_and_notes({"tokenizer": tokenizer, "objectives": objectives}, cell=["a", "b"] * 20)
    assert not ({"ridge"} | LINEAR) & set(floors["masked_value"])
    assert notes == {"phenotype": [], "masked_value": [SWAPPED]}
