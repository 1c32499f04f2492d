"""Markers that were planted are found again by explaining a small transformer, and the controls tell it from an untrained one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from genoken.core.config import EmbeddingSettings, ModelSettings
from genoken.core.samples import Samples
from genoken.data.dataset import TokenDataset
from genoken.data.order import epoch_order
from genoken.interpretation.draw import Part
from genoken.interpretation.explain import Explanation, explain_parts
from genoken.interpretation.faithfulness import randomized_copy
from genoken.interpretation.subject import Subject
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.network import seeded_network
from genoken.objectives.classify import ClassifyObjective
from genoken.synthetic import planted_markers
from genoken.tokenizers.continuous import ContinuousTokenizer

NUM_TRAIN, MARKERS = 240, 5


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def adata():
    return planted_markers(samples=300, features=60, classes=3, markers_per_class=MARKERS, groups=6, seed=5, signal=1.5)


def train(adata, *, linear_path: bool) -> Subject:
    """Return a small transformer that learned the cell types, with the samples; the last 60 were not trained on."""
    samples = Samples(adata.X.tocsr(), adata.obs, adata.var, "counts", "planted")
    tokenizer, objective = ContinuousTokenizer(hvgs=0), ClassifyObjective()
    state = tokenizer.fit(samples.take(np.arange(NUM_TRAIN)))
    prepared = tokenizer.prepare(samples, samples.features.index.get_indexer(state.feature_ids), state)
    classes, labels = np.unique(adata.obs["cell_type"], return_inverse=True)
    target = objective.fit(labels[:NUM_TRAIN], "cell_type", tuple(classes))
    settings = ModelSettings(
        width=16,
        embedding=EmbeddingSettings(init="random"),
        encoder=TransformerEncoder(layers=1, heads=2, feed_forward=32, dropout=0.0),
        linear_path=linear_path,
        head_dropout=0.0,
    )
    network = seeded_network(
        settings, tokenizer.layout(state), objective.head(target), EmbeddingStart.from_state(state.per_feature), 0
    )
    dataset = TokenDataset(tokenizer, state, prepared, labels)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3, weight_decay=0.05)
    for epoch in range(12):
        for rows in np.array_split(epoch_order(NUM_TRAIN, 0, epoch), 8):
            batch = objective.prepare(dataset.training_batch(rows, token_dropout=0.2, seed=0, epoch=epoch), labels[rows], target)
            optimizer.zero_grad()
            objective.loss(network(batch).outputs, batch, target).mean.backward()
            optimizer.step()
    return Subject(network, dataset, objective, target)


@pytest.fixture(scope="module")
def trained(adata) -> Subject:
    return train(adata, linear_path=True)


@pytest.fixture(scope="module")
def trained_without_linear_path(adata) -> Subject:
    """Everything that this one knows went through attention."""
    return train(adata, linear_path=False)


def explain(subject: Subject, method: str) -> Explanation:
    rows = np.arange(NUM_TRAIN, len(subject.dataset))
    return explain_parts([Part(subject, rows, subject.dataset.state.feature_ids)], seed=0, method=method)


def share_of_markers(explanation: Explanation, adata) -> float:
    """Return the share of the planted markers among the genes that speak most for their class, as many as there are markers."""
    hits = 0
    for name, rows in explanation.ranking.groupby("class"):
        top = rows.sort_values("importance", ascending=False)["feature_id"][:MARKERS]
        hits += int((adata.var.loc[top, "marker_of"] == name).sum())
    return hits / (3 * MARKERS)


@pytest.fixture(scope="module")
def explained(trained) -> Explanation:
    return explain(trained, "integrated_gradients")


def test_the_networks_learned(trained, trained_without_linear_path):
    rows = np.arange(NUM_TRAIN, len(trained.dataset))
    for subject in (trained, trained_without_linear_path):
        assert (subject.predictions(rows).argmax(axis=1) == subject.dataset.labels[rows]).mean() > 0.9


def test_integrated_gradients_find_the_markers(explained, adata):
    assert share_of_markers(explained, adata) >= 0.9
    assert explained.controls["completeness_error"] < 0.01
    assert explained.ranking["stability"].min() > 0.8


def test_gradients_find_the_markers(trained, adata):
    assert share_of_markers(explain(trained, "gradient"), adata) >= 0.9


def test_integrated_gradients_find_what_went_through_attention(trained_without_linear_path, adata):
    found = explain(trained_without_linear_path, "integrated_gradients")
    # By chance, 5 of 60 genes: 0.08.
    assert share_of_markers(found, adata) >= 0.6
    assert found.controls["completeness_error"] < 0.01
    assert_falls_faster(found, by=0.05)


def test_a_network_with_randomized_weights_does_not_find_them(trained, explained, adata):
    stranger = Subject(randomized_copy(trained.network, 1), trained.dataset, trained.objective, trained.target)
    assert share_of_markers(explain(stranger, "integrated_gradients"), adata) <= 0.35
    assert abs(explained.controls["randomized_weights_correlation"]) < 0.4


def assert_falls_faster(explanation: Explanation, by: float) -> None:
    """From a tenth of the genes on, the prediction must be lower than in the lowest of the random draws."""
    curve = {name: np.array(values) for name, values in explanation.controls["deletion"].items()}
    removed = curve["fractions"] >= 0.1
    assert np.all(curve["importance"][removed] < curve["random_low"][removed] - by)
    assert curve["importance"][0] == pytest.approx(curve["random"][0])


def test_predictions_fall_faster_without_the_top_genes_than_without_random_ones(explained):
    assert_falls_faster(explained, by=0.5)
    assert explained.controls["deletion"]["importance"][3] < 0.2


@pytest.mark.parametrize("method", ["attention", "ensemble"])
def test_other_methods_beat_random_genes(trained_without_linear_path, method):
    curve = explain(trained_without_linear_path, method).controls["deletion"]
    assert np.mean(curve["importance"]) < np.mean(curve["random_low"])
