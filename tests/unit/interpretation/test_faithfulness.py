from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from genoken.interpretation.attributions.attention import AttentionToGenes
from genoken.interpretation.attributions.gradient import GradientTimesInput
from genoken.interpretation.faithfulness import Controlled, deletion_curve, randomized_copy, randomized_weights_correlation

ROWS, CLASSES = np.arange(5), np.array([2, 0, 1, 1, 0])


def probability(subject, values: np.ndarray, classes: np.ndarray) -> float:
    predicted = subject.with_values(sp.csr_matrix(values.astype(np.float32))).predictions(np.arange(len(values)))
    return float(predicted[np.arange(len(values)), classes].mean())


def test_deletion_by_hand(subject_of):
    subject = subject_of()
    values = subject.dataset.prepared.toarray()[:2]
    # Row 0 expresses genes 0, 2, 4, 5 and row 1 genes 1, 3, 6; gene 1 of row 0 is not expressed, whatever its score.
    scores = sp.csr_matrix(np.array([[0.1, 9.0, -5.0, 0, 2.0, 1.0, 0], [0, -1.0, 0, 3.0, 0, 0, 0.5]]))
    found = deletion_curve(
        [Controlled(subject, ROWS[:2], CLASSES[:2], scores)], signed=True, seed=0, fractions=(0.0, 0.25, 0.5, 1.0), draws=2
    )
    expected = []
    for first, second in (([], []), ([4], [3]), ([4, 5], [3, 6]), ([0, 2, 4, 5], [1, 3, 6])):
        altered = values.copy()
        altered[0, first], altered[1, second] = 0.0, 0.0
        expected.append(probability(subject, altered, CLASSES[:2]))
    assert np.allclose(found["importance"], expected, atol=1e-6)
    assert found["fractions"] == [0.0, 0.25, 0.5, 1.0]
    assert np.allclose(found["random"][0], expected[0], atol=1e-6)
    assert np.allclose(found["random"][3], expected[3], atol=1e-6)


def test_scores_without_a_sign_go_by_magnitude(subject_of):
    subject = subject_of()
    scores = sp.csr_matrix(np.array([[0.1, 0.0, -5.0, 0, 2.0, 1.0, 0]]))
    found = deletion_curve([Controlled(subject, ROWS[:1], CLASSES[:1], scores)], signed=False, seed=0, fractions=(0.25,), draws=1)
    altered = subject.dataset.prepared.toarray()[:1]
    altered[0, 2] = 0.0
    assert found["importance"] == pytest.approx([probability(subject, altered, CLASSES[:1])])


def test_random_curves_are_means_and_bounds_of_draws_and_repeatable(subject_of):
    subject = subject_of()
    scores = GradientTimesInput().attribute(subject, ROWS, CLASSES).scores
    curve = deletion_curve([Controlled(subject, ROWS, CLASSES, scores)], signed=True, seed=4)
    assert curve == deletion_curve([Controlled(subject, ROWS, CLASSES, scores)], signed=True, seed=4)
    assert curve["random"] != deletion_curve([Controlled(subject, ROWS, CLASSES, scores)], signed=True, seed=5)["random"]
    low, mean, high = (np.array(curve[name]) for name in ("random_low", "random", "random_high"))
    assert np.all((low <= mean) & (mean <= high))
    assert curve["random_low"][-1] < curve["random_high"][-1]
    assert all(len(curve[name]) == 8 for name in curve)


def test_a_row_is_treated_alike_whatever_the_others_are(subject_of):
    subject = subject_of()
    scores = GradientTimesInput().attribute(subject, ROWS, CLASSES).scores
    parts = [Controlled(subject, ROWS[[row]], CLASSES[[row]], scores[row]) for row in range(5)]
    curves = [deletion_curve([part], signed=True, seed=1, draws=1)["random"] for part in parts]
    together = deletion_curve([Controlled(subject, ROWS, CLASSES, scores)], signed=True, seed=1, draws=1)["random"]
    assert np.allclose(together, np.mean(curves, axis=0), atol=1e-6)


def test_deletion_in_regression_starts_at_one_and_measures_the_change(subject_of):
    subject = subject_of(classes=0)
    scores = GradientTimesInput().attribute(subject, ROWS, CLASSES).scores
    curve = deletion_curve([Controlled(subject, ROWS, CLASSES, scores)], signed=True, seed=0, fractions=(0.0, 1.0))
    silent = subject.with_values(sp.csr_matrix((5, 7), dtype=np.float32)).predictions(ROWS)
    assert curve["importance"][0] == pytest.approx(1.0, abs=1e-6)
    assert curve["importance"][1] == pytest.approx(1.0 - np.abs(silent - subject.predictions(ROWS)).mean(), abs=1e-6)


def test_randomized_copy_shuffles_every_parameter_and_leaves_the_network(subject_of):
    network = subject_of().network
    before = {name: parameter.clone() for name, parameter in network.named_parameters()}
    copy = randomized_copy(network, seed=1)
    for name, parameter in copy.named_parameters():
        assert torch.equal(parameter.flatten().sort().values, before[name].flatten().sort().values), name
        assert parameter.numel() < 8 or not torch.equal(parameter, before[name]), name
        assert torch.equal(dict(network.named_parameters())[name], before[name])
    again, other = randomized_copy(network, seed=1), randomized_copy(network, seed=2)
    assert torch.equal(copy.linear_path.weight, again.linear_path.weight)
    assert not torch.equal(copy.linear_path.weight, other.linear_path.weight)


def test_a_ranking_by_values_alone_resembles_that_of_randomized_weights(subject_of):
    """Attention that is uniform whatever the weights gives one ranking, gradients of the weights give another."""
    rng = np.random.default_rng(0)
    values = rng.random((20, 7)).astype(np.float32) * (rng.random((20, 7)) < np.linspace(0.2, 1.0, 7))
    subject = subject_of(values=values)
    rows, classes = np.arange(20), np.zeros(20, dtype=np.int64)
    with torch.no_grad():
        for layer in subject.network.attention_layers():
            layer.query_key_value.weight.zero_()
            layer.query_key_value.bias.zero_()
    correlations = {}
    for method in (AttentionToGenes(), GradientTimesInput()):
        scores = method.attribute(subject, rows, classes).scores
        correlations[method] = randomized_weights_correlation(
            [Controlled(subject, rows, classes, scores)], method, aggregate="mean", seed=0
        )
    assert correlations[AttentionToGenes()] == pytest.approx(1.0)
    assert correlations[GradientTimesInput()] < 0.95


def test_correlation_is_the_mean_over_classes(subject_of):
    subject, method = subject_of(), GradientTimesInput()
    scores = method.attribute(subject, ROWS, CLASSES).scores
    parts = []
    for code in (0, 1, 2):
        own = np.flatnonzero(code == CLASSES)
        parts.append(
            randomized_weights_correlation([Controlled(subject, own, CLASSES[own], scores[own])], method, aggregate="mean", seed=3)
        )
    whole = randomized_weights_correlation([Controlled(subject, ROWS, CLASSES, scores)], method, aggregate="mean", seed=3)
    assert whole == pytest.approx(np.mean(parts))


def test_a_removed_variant_is_a_missing_call(genotype_subject):
    subject = genotype_subject()
    scores = np.zeros((1, 5))
    scores[0, 1] = 3.0
    part = Controlled(subject, np.array([0]), np.array([1]), sp.csr_matrix(scores))
    curve = deletion_curve([part], signed=True, seed=0, fractions=(0.0, 0.2, 1.0), draws=1)
    dense = subject.dataset.prepared[[0]].toarray()
    wanted = [subject.predictions(np.array([0]))[0, 1]]
    for removed in ([1], range(5)):
        altered = dense.copy()
        altered[0, list(removed)] = np.nan
        wanted.append(subject.with_values(sp.csr_matrix(altered)).predictions(np.array([0]))[0, 1])
    assert len(set(np.round(wanted, 4))) == 3
    np.testing.assert_allclose(curve["importance"], wanted, rtol=1e-5)
