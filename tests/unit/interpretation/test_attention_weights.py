from __future__ import annotations

import weakref
from types import SimpleNamespace

import numpy as np
import torch

from genoken.interpretation.attention_weights import GeneAttention, _by_gene, gene_attention, rollout
from genoken.interpretation.subject import Subject


def stochastic(seed: int, size: int) -> torch.Tensor:
    return torch.softmax(torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1)


def dense_rollout(layers: list[np.ndarray]) -> np.ndarray:
    """The published recipe on whole matrices: mix with the identity, scale the rows, multiply from the first layer up."""
    result = np.eye(len(layers[0]))
    for layer in layers:
        mixed = 0.5 * layer + 0.5 * np.eye(len(layer))
        result = (mixed / mixed.sum(axis=1, keepdims=True)) @ result
    return result


def test_rollout_equals_the_dense_recipe():
    layers = [stochastic(seed, 5) for seed in (1, 2, 3)]
    expected = dense_rollout([layer.numpy() for layer in layers])
    assert np.allclose(rollout(torch.eye(5, dtype=torch.float64), layers).numpy(), expected, atol=1e-12)
    start = torch.tensor([[0.0, 0.25, 0.0, 0.75, 0.0]], dtype=torch.float64)
    found = rollout(start, layers).numpy()
    assert np.allclose(found, start.numpy() @ expected, atol=1e-12)
    assert np.isclose(found.sum(), 1.0)


def test_rollout_by_hand():
    layers = [torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.5, 0.5]])]
    # First layer mixed: [[.5, .5], [.5, .5]]; second: [[1, 0], [.25, .75]].
    assert rollout(torch.eye(2), layers).tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert rollout(torch.eye(2), layers[1:]).tolist() == [[1.0, 0.0], [0.25, 0.75]]


def test_attention_between_genes_is_summed_over_the_samples_that_hold_both(subject_of):
    subject = subject_of()
    features, rows = np.array([5, 0, 3]), np.array([0, 2, 4, 5])
    found = gene_attention(subject, rows, features)
    values = subject.dataset.prepared.toarray()
    heads, rolled = np.zeros((2, 3, 3, 3)), np.zeros((3, 3))
    for row in rows:
        layers = read_layers(subject, int(row))
        whole = dense_rollout([layer.mean(axis=0) for layer in layers])
        token_of = {feature: 1 + token for token, feature in enumerate(np.flatnonzero(values[row]))}
        for i, first in enumerate(features):
            for j, second in enumerate(features):
                if first in token_of and second in token_of:
                    heads[:, :, i, j] += layers[:, :, token_of[first], token_of[second]]
                    rolled[i, j] += whole[token_of[first], token_of[second]]
    # Genes 5, 0, 3 are expressed in rows {0, 2, 4}, {0, 2, 4} and {4}.
    assert found.counts.tolist() == [[3, 3, 1], [3, 3, 1], [1, 1, 1]]
    np.testing.assert_allclose(found.by_head, heads, atol=1e-6)
    np.testing.assert_allclose(found.rollout, rolled, atol=1e-6)
    np.testing.assert_allclose(found.mean(found.rollout), rolled / found.counts, atol=1e-6)
    assert np.ptp(found.by_head[:, :, 0, 1]) > 0.01  # heads and layers differ, so a mean in their place would be seen


def read_layers(subject, row):
    layers = []
    subject.read_attention(row, lambda weights: layers.append(weights.numpy().astype(np.float64)))
    return np.stack(layers)


class ByHand:
    """Two samples of two genes behind CLS, with two layers of two heads whose weights are written down here."""

    WEIGHTS = (
        torch.tensor([[[1.0, 0, 0], [0, 0, 1], [0, 1, 0]], [[1, 0, 0], [0, 0, 1], [0, 0, 1]]]),
        torch.tensor([[[0.0, 1, 0], [0, 1, 0], [1, 0, 0]], [[0, 1, 0], [0, 1, 0], [0, 0.5, 0.5]]]),
    )

    def __init__(self, subject):
        self._subject = subject
        self.layout = subject.layout
        self.network = SimpleNamespace(attention_layers=lambda: [SimpleNamespace(heads=2)] * 2)
        self.batch = subject.batch

    def read_attention(self, row, read):
        for weights in self.WEIGHTS:
            read(weights)


def test_heads_and_rollout_by_hand(subject_of):
    subject = ByHand(subject_of(values=np.array([[1, 0, 2], [3, 0, 1]], dtype=np.float32)))
    found = gene_attention(subject, np.array([0, 1]), np.array([2, 0, 1]))  # tokens 2 and 1; gene 1 is in no sample
    assert found.counts.tolist() == [[2, 2, 0], [2, 2, 0], [0, 0, 0]]
    means = found.mean(found.by_head)[:, :, :2, :2]
    assert means.tolist() == [[[[0, 1], [1, 0]], [[1, 0], [1, 0]]], [[[0, 0], [0, 1]], [[0.5, 0.5], [0, 1]]]]
    # Means over heads, mixed: first [[1, 0, 0], [0, .5, .5], [0, .25, .75]], second [[.5, .5, 0], [0, 1, 0], [.25, .125, .625]].
    assert found.mean(found.rollout)[:2, :2].tolist() == [[0.53125, 0.21875], [0.5, 0.5]]
    assert np.isnan(found.mean(found.rollout)[2]).all()


def test_only_one_layer_of_one_sample_is_in_memory(subject_of, monkeypatch):
    """What is kept of a layer is what lies between the chosen genes; the weights themselves are free once they were read."""
    subject, alive = subject_of(), []
    original = Subject.read_attention

    def watched(self, row, read):
        def note(weights):
            alive.append(weakref.ref(weights))
            assert sum(reference() is not None for reference in alive) == 1
            read(weights)

        original(self, row, note)

    monkeypatch.setattr(Subject, "read_attention", watched)
    gene_attention(subject, np.array([0, 2, 4]), np.array([5, 0]))
    assert len(alive) == 6


def test_pairs_that_no_sample_holds_have_no_mean(subject_of):
    found = gene_attention(subject_of(), np.array([0, 1]), np.array([0, 1]))
    assert found.counts.tolist() == [[1, 0], [0, 1]]
    assert np.isnan(found.mean(found.rollout)).tolist() == [[False, True], [True, False]]
    assert np.isnan(found.mean(found.by_head)).tolist() == [[[[False, True], [True, False]]] * 3] * 2


def test_attention_of_several_tokens_of_a_gene_is_their_mean():
    by_head = np.arange(18, dtype=np.float64).reshape(1, 2, 3, 3)
    of_tokens = GeneAttention(by_head, by_head[0, 0], np.ones((3, 3), dtype=np.int64))
    found, genes = _by_gene(of_tokens, np.array([4, 1, 4]))
    assert genes.tolist() == [1, 4]
    np.testing.assert_array_equal(found.by_head[0, 0], [[4, (3 + 5) / 2], [(1 + 7) / 2, (0 + 2 + 6 + 8) / 4]])
    np.testing.assert_array_equal(found.by_head[0, 1], found.by_head[0, 0] + 9)
    np.testing.assert_array_equal(found.rollout, found.by_head[0, 0])
    np.testing.assert_array_equal(found.counts, np.ones((2, 2)))
    same, places = _by_gene(of_tokens, np.array([4, 1, 0]))
    assert same is of_tokens
    assert places.tolist() == [4, 1, 0]
