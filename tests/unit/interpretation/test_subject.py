from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from genoken.core.errors import ConfigError
from genoken.interpretation.attributions._inputs import repeat_samples
from genoken.interpretation.subject import feature_tokens

ROWS = np.arange(6)


def test_two_classes_are_explained_by_log_odds_of_either_sign(subject_of):
    subject = subject_of(classes=2)
    batch = subject.batch(ROWS)
    subject.network.eval()
    logits = subject.network(batch).outputs[:, 0]
    scores = subject.class_scores(batch, np.array([1, 0, 1, 1, 0, 0]))
    assert torch.equal(scores, logits * torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0, -1.0]))
    probability = subject.predictions(ROWS)[:, 1]
    assert np.allclose(np.log(probability / (1 - probability)), logits.detach().numpy(), atol=1e-5)


def test_more_classes_are_explained_by_the_logit_of_the_class(subject_of):
    subject = subject_of(classes=4)
    codes = np.array([3, 0, 2, 1, 1, 2])
    batch = subject.batch(ROWS)
    subject.network.eval()
    outputs = subject.network(batch).outputs
    assert torch.equal(subject.class_scores(batch, codes), outputs[ROWS, codes])
    assert np.allclose(subject.predictions(ROWS), torch.softmax(outputs, dim=1).detach().numpy(), atol=1e-6)


def test_regression_is_explained_by_the_standardized_output(subject_of):
    subject = subject_of(classes=0)
    subject.network.eval()
    batch = subject.batch(ROWS)
    expected = subject.network(batch).outputs[:, 0]
    assert torch.equal(subject.class_scores(batch, np.zeros(6)), expected)
    assert np.allclose(subject.predictions(ROWS), expected.detach().numpy(), atol=1e-6)
    assert subject.classes_of_interest(ROWS).tolist() == [0] * 6


def test_dropout_is_off_and_the_mode_is_left_as_it_was(subject_of):
    subject = subject_of()
    subject.network.train()
    first, second = (subject.class_scores(subject.batch(ROWS), np.zeros(6)) for _ in range(2))
    assert torch.equal(first, second)
    assert subject.network.training
    subject.network.eval()
    subject.predictions(ROWS)
    assert not subject.network.training


def test_class_of_interest_is_the_label_else_the_prediction(subject_of):
    labels = np.array([2, 0, 1, 1, 0, 2])
    assert subject_of(labels=labels).classes_of_interest(np.array([5, 1])).tolist() == [2, 0]
    subject = subject_of()
    assert np.array_equal(subject.classes_of_interest(ROWS), subject.predictions(ROWS).argmax(axis=1))


@pytest.mark.parametrize("budget", [1, 6, 9, 1000])
def test_passes_cover_each_position_once_within_the_budget(subject_of, budget):
    subject = subject_of()
    rows = np.array([4, 0, 3, 2, 1, 5])
    lengths = subject.dataset.lengths()[rows]
    passes = subject.passes(rows, budget)
    assert np.array_equal(np.sort(np.concatenate(passes)), np.arange(6))
    assert all(lengths[part].sum() <= max(budget, lengths.max()) for part in passes)
    assert len(passes) == (1 if budget == 1000 else len(passes))
    assert (len(passes) > 1) == (budget < 1000)


def test_predictions_do_not_depend_on_the_other_rows(subject_of):
    subject = subject_of()
    together = subject.predictions(np.array([4, 2, 0]))
    alone = np.concatenate([subject.predictions(np.array([row])) for row in (4, 2, 0)])
    assert np.allclose(together, alone, atol=1e-6)


def test_attention_rows_sum_to_one_and_reading_it_changes_nothing(subject_of):
    subject = subject_of()
    subject.network.eval()
    batch = subject.batch(np.array([2]))
    fast = subject.network.token_states(batch)
    layers = subject.attention(2)
    assert [tuple(layer.shape) for layer in layers] == [(7, 7)] * 2
    for layer in layers:
        assert torch.allclose(layer.sum(dim=1), torch.ones(7), atol=1e-6)
        assert layer.std() > 0.01
    with subject.network.reading_attention(lambda layer, sample, weights: None):
        eager = subject.network.token_states(batch)
    assert torch.allclose(eager, fast, atol=1e-5)
    assert all(layer.weights_reader is None for layer in subject.network.attention_layers())


def test_attention_is_that_of_the_weights(subject_of):
    """Both layers by the definition, from the weights, for one sample."""
    subject = subject_of()
    subject.network.eval()
    batch = subject.batch(np.array([4]))
    states = subject.network.embedding(batch, subject.network.packing(batch))
    for layer, block in zip(subject.attention(4), subject.network.encoder.blocks, strict=True):
        attention = block.attention
        query, key, _ = (attention.query_key_value(block.attention_norm(states))).view(-1, 3, 3, 4).unbind(1)
        expected = torch.stack([torch.softmax(query[:, head] @ key[:, head].T / 2.0, dim=1) for head in range(3)]).mean(dim=0)
        assert torch.allclose(layer, expected, atol=1e-6)
        states = block(states, subject.network.packing(batch))


def test_networks_without_attention_say_so(subject_of):
    subject = subject_of(encoder="mlp")
    assert not subject.has_attention
    with pytest.raises(ConfigError, match="the method 'attention' needs an encoder with attention layers"):
        subject.attention(0)


def test_other_values_take_the_place_of_the_own(subject_of):
    subject = subject_of()
    other = subject.with_values(sp.csr_matrix(np.eye(7, dtype=np.float32)))
    assert len(other.dataset) == 7
    assert len(subject.dataset) == 6
    assert other.batch(np.array([3])).channels["feature"].tolist() == [0, 6]


def test_other_values_of_own_samples_keep_their_priors(subject_of):
    subject = subject_of()
    prior = np.arange(6, dtype=np.float32)[:, None]
    subject = replace(subject, dataset=replace(subject.dataset, prior=prior))
    values = sp.csr_matrix(np.eye(7, dtype=np.float32)[:3])
    assert subject.with_values(values, np.array([4, 4, 1])).batch(np.array([0, 2])).prior.tolist() == [[4.0], [1.0]]
    assert subject.with_values(values).batch(np.array([0])).prior is None
    repeated, _ = repeat_samples(subject.batch(np.array([5, 2])), 2)
    assert repeated.prior.tolist() == [[5.0], [5.0], [2.0], [2.0]]


def test_tokens_of_features_leave_specials_out(subject_of):
    subject = subject_of()
    tokens, samples, features = feature_tokens(subject.batch(np.array([1, 5, 3])), subject.layout)
    assert tokens.tolist() == [1, 2, 3, 6]
    assert samples.tolist() == [0, 0, 0, 2]
    assert features.tolist() == [1, 3, 6, 3]


def test_readers_of_attention_are_taken_away_after_an_error(subject_of):
    subject = subject_of()
    layers = subject.network.attention_layers()

    def fail(layer: int, sample: int, weights: torch.Tensor) -> None:
        raise KeyError(layer)

    with pytest.raises(KeyError), subject.network.reading_attention(fail):
        subject.network(subject.batch(ROWS))
    assert [layer.weights_reader for layer in layers] == [None, None]
