from __future__ import annotations

import numpy as np
import pytest

from genoken.core.errors import ConfigError
from genoken.interpretation.attributions.attention import AttentionToGenes

ROWS, CLASSES = np.arange(6), np.zeros(6, dtype=np.int64)


def expected_scores(subject, row: int, layers: str) -> np.ndarray:
    """The definition on whole matrices."""
    weights = [layer.numpy().astype(np.float64) for layer in subject.attention(row)]
    if layers == "rollout":
        whole = np.eye(len(weights[0]))
        for layer in weights:
            whole = (0.5 * layer + 0.5 * np.eye(len(layer))) @ whole
    else:
        whole = weights[-1] if layers == "last" else np.mean(weights, axis=0)
    pooled = whole[0] if subject.pooling == "cls" else whole.mean(axis=0)
    dense = np.zeros(7)
    dense[np.flatnonzero(subject.dataset.prepared[row].toarray()[0])] = pooled[1:] / max(pooled[1:].sum(), 1e-12)
    return dense


@pytest.mark.parametrize("layers", ["rollout", "mean", "last"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_equals_the_definition(subject_of, layers, pooling):
    subject = subject_of(pooling=pooling)
    scores = AttentionToGenes(layers=layers).attribute(subject, ROWS, CLASSES).scores.toarray()
    assert np.allclose(scores, [expected_scores(subject, row, layers) for row in ROWS], atol=1e-6)
    assert scores[2].std() > 1e-3


def test_scores_are_shares(subject_of):
    found = AttentionToGenes().attribute(subject_of(), ROWS, CLASSES)
    assert (found.scores.data >= 0).all()
    assert np.allclose(found.scores.sum(axis=1).ravel(), [1, 1, 1, 1, 1, 0])
    assert found.completeness_error is None
    assert not AttentionToGenes.signed


def test_permuting_samples_permutes_scores(subject_of):
    subject, order = subject_of(), np.array([3, 5, 0, 4, 1, 2])
    whole = AttentionToGenes().attribute(subject, ROWS, CLASSES).scores.toarray()
    assert np.allclose(AttentionToGenes().attribute(subject, ROWS[order], CLASSES).scores.toarray(), whole[order])


def test_says_that_it_ignores_the_linear_path(subject_of):
    subject = subject_of()
    before = AttentionToGenes().attribute(subject, ROWS, CLASSES).scores.toarray()
    subject.network.linear_path.weight.data *= 100.0
    assert np.array_equal(AttentionToGenes().attribute(subject, ROWS, CLASSES).scores.toarray(), before)
    assert "linear path" in AttentionToGenes.note


def test_networks_without_attention_are_refused(subject_of):
    with pytest.raises(ConfigError, match="the method 'attention' needs an encoder with attention layers"):
        AttentionToGenes().attribute(subject_of(encoder="mlp"), ROWS, CLASSES)
