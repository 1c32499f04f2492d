from __future__ import annotations

import numpy as np
import pytest
import torch

from genoken.interpretation.attention_weights import attention_matrix, rollout


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


@pytest.mark.parametrize("use_rollout", [False, True])
def test_matrix_is_the_mean_over_the_samples_that_hold_both_genes(subject_of, use_rollout):
    subject = subject_of()
    features, rows = np.array([5, 0, 3]), np.array([0, 2, 4, 5])
    matrix, counts = attention_matrix(subject, rows, features, use_rollout=use_rollout)
    values = subject.dataset.prepared.toarray()
    sums = np.zeros((3, 3))
    for row in rows:
        layers = [layer.numpy().astype(np.float64) for layer in subject.attention(int(row))]
        whole = dense_rollout(layers) if use_rollout else np.mean(layers, axis=0)
        token_of = {feature: 1 + token for token, feature in enumerate(np.flatnonzero(values[row]))}
        for i, first in enumerate(features):
            for j, second in enumerate(features):
                if first in token_of and second in token_of:
                    sums[i, j] += whole[token_of[first], token_of[second]]
    # Genes 5, 0, 3 are expressed in rows {0, 2, 4}, {0, 2, 4} and {4}.
    assert counts.tolist() == [[3, 3, 1], [3, 3, 1], [1, 1, 1]]
    assert np.allclose(matrix, sums / counts, atol=1e-6)


def test_pairs_that_no_sample_holds_have_no_mean(subject_of):
    matrix, counts = attention_matrix(subject_of(), np.array([0, 1]), np.array([0, 1]))
    assert counts.tolist() == [[1, 0], [0, 1]]
    assert np.isnan(matrix).tolist() == [[False, True], [True, False]]
