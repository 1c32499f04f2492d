from __future__ import annotations

import numpy as np
import pytest
import torch

from genoken.core.errors import ConfigError
from genoken.interpretation import subject as subject_module
from genoken.interpretation.states import contextual_gene_states


def test_states_are_means_over_the_samples_that_hold_the_gene(subject_of):
    subject = subject_of()
    rows = np.array([4, 0, 1, 5])
    feature_ids, states, counts = contextual_gene_states(subject, rows)
    sums, expected_counts = np.zeros((7, 12)), np.zeros(7, dtype=int)
    subject.network.eval()
    for row in rows:
        with torch.no_grad():
            tokens = subject.network.token_states(subject.batch(np.array([row]))).numpy()
        for token, feature in enumerate(np.flatnonzero(subject.dataset.prepared[row].toarray()[0])):
            sums[feature] += tokens[1 + token]
            expected_counts[feature] += 1
    assert feature_ids == tuple(f"G{index}" for index in range(7))
    assert counts.tolist() == expected_counts.tolist() == [2, 2, 1, 2, 1, 2, 1]
    assert np.allclose(states, sums / expected_counts[:, None], atol=1e-5)


def test_genes_that_no_sample_holds_have_no_state(subject_of):
    _, states, counts = contextual_gene_states(subject_of(), np.array([3]))
    assert counts.tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert np.isnan(states).all(axis=1).tolist() == [True, True, True, False, True, True, True]


def test_streaming_changes_nothing(subject_of, monkeypatch):
    subject, rows = subject_of(), np.arange(6)
    whole = contextual_gene_states(subject, rows)
    passes = type(subject).passes
    monkeypatch.setattr(subject_module.Subject, "passes", lambda self, rows, max_tokens=1: passes(self, rows, 1))
    assert len(subject.passes(rows)) > 1
    streamed = contextual_gene_states(subject, rows)
    assert np.allclose(whole[1], streamed[1], atol=1e-5)
    assert np.array_equal(whole[2], streamed[2])


def test_encoders_without_tokens_are_refused(subject_of):
    with pytest.raises(ConfigError, match="no token states"):
        contextual_gene_states(subject_of(encoder="mlp"), np.arange(2))
