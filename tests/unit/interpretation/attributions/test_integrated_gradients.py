from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from genoken.interpretation.attributions import integrated_gradients
from genoken.interpretation.attributions.integrated_gradients import IntegratedGradients

ROWS, CLASSES = np.arange(6), np.array([2, 0, 1, 1, 0, 2])


def reference(subject, row: int, code: int, points: int = 200) -> tuple[np.ndarray, float]:
    """Integrated gradients of one sample by the midpoint rule, and the change of the output; each point is a sample of its own."""
    subject.network.eval()
    values = subject.dataset.prepared[row].toarray()
    shares = (np.arange(points) + 0.5) / points
    batch = subject.with_values(sp.csr_matrix((shares[:, None] * values).astype(np.float32))).batch(np.arange(points))
    scaled = batch.channels["value"].requires_grad_()
    sign = 1.0 if subject.network(batch).outputs.shape[1] > 1 or code else -1.0
    column = code if subject.network(batch).outputs.shape[1] > 1 else 0
    (gradient,) = torch.autograd.grad(sign * subject.network(batch).outputs[:, column].sum(), scaled)
    stored = np.flatnonzero(values)
    dense = np.zeros(7)
    dense[stored] = gradient.view(points, -1).double().mean(dim=0).numpy()[1:] * values[0, stored]
    full = subject.batch(np.array([row]))
    empty = replace(full, channels={**full.channels, "value": torch.zeros_like(full.channels["value"])})
    first, second = (sign * subject.network(part).outputs[0, column].item() for part in (full, empty))
    return dense, first - second


def test_linear_path_alone_is_attributed_exactly(linear_subject, linear_terms):
    found = IntegratedGradients().attribute(linear_subject, ROWS, CLASSES)
    assert np.allclose(found.scores.toarray(), linear_terms(linear_subject, CLASSES), atol=1e-5)
    assert found.completeness_error < 1e-5
    assert np.allclose(found.changes, np.abs(linear_terms(linear_subject, CLASSES).sum(axis=1)), atol=1e-5)


@pytest.mark.parametrize("combine", ["affine", "multiplicative", "additive", "concatenate"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_equals_the_definition(subject_of, combine, pooling):
    subject = subject_of(combine=combine, pooling=pooling)
    found = IntegratedGradients(steps=256).attribute(subject, ROWS[:3], CLASSES[:3])
    for row in range(3):
        expected, change = reference(subject, row, CLASSES[row])
        assert np.allclose(found.scores[row].toarray()[0], expected, atol=0.01 * np.abs(expected).max())
        assert np.isclose(found.changes[row], abs(change), atol=1e-4)


@pytest.mark.parametrize("classes", [0, 2, 5])
def test_is_complete_for_every_task(subject_of, classes):
    subject = subject_of(classes=classes)
    codes = CLASSES % max(classes, 1) % 2
    found = IntegratedGradients(steps=64).attribute(subject, ROWS, codes)
    sums = np.asarray(found.scores.sum(axis=1)).ravel()
    changes = np.array([reference(subject, row, codes[row] if classes else 1, points=1)[1] for row in range(5)])
    assert np.allclose(sums[:5], changes, atol=0.01 * np.abs(changes).max())
    assert found.completeness_error < 0.01
    assert np.abs(changes).min() > 0.01


def test_completeness_error_is_the_miss_of_the_sums(subject_of, monkeypatch):
    subject = subject_of()
    monkeypatch.setattr(integrated_gradients, "FIRST_STEPS", 1)
    found = IntegratedGradients(steps=1).attribute(subject, ROWS, CLASSES)
    changes = np.array([reference(subject, row, code, points=1)[1] for row, code in enumerate(CLASSES[:5])] + [0.0])
    misses = np.abs(np.asarray(found.scores.sum(axis=1)).ravel() - changes)
    assert np.allclose(found.errors, misses, atol=1e-4)
    assert np.isclose(found.completeness_error, misses.sum() / np.abs(changes).sum(), atol=1e-4)
    assert found.completeness_error > 0.01


def test_points_are_doubled_for_samples_that_miss(subject_of, monkeypatch):
    counts = []
    integrate = integrated_gradients._integrate

    def counting(subject, batch, classes, steps):
        counts.append((steps, batch.num_samples))
        return integrate(subject, batch, classes, steps)

    monkeypatch.setattr(integrated_gradients, "_integrate", counting)
    monkeypatch.setattr(integrated_gradients, "FIRST_STEPS", 1)
    IntegratedGradients(steps=5).attribute(subject_of(), ROWS, CLASSES)
    steps = sorted({count for count, _ in counts})
    assert steps == [1, 2, 4, 5]
    totals = [sum(samples for count, samples in counts if count == step) for step in steps]
    assert totals[0] == 6
    assert all(later <= earlier for earlier, later in pairwise(totals))
    assert totals[1] < 6


def test_samples_alone_and_permuted_give_the_same(subject_of):
    subject, method = subject_of(), IntegratedGradients()
    together = method.attribute(subject, ROWS, CLASSES).scores.toarray()
    alone = np.concatenate([method.attribute(subject, ROWS[[row]], CLASSES[[row]]).scores.toarray() for row in range(6)])
    assert np.allclose(together, alone, atol=1e-5)
    order = np.array([3, 5, 0, 4, 1, 2])
    assert np.allclose(method.attribute(subject, ROWS[order], CLASSES[order]).scores.toarray(), together[order], atol=1e-5)


def test_tokens_are_stored_and_absent_genes_are_not(subject_of):
    scores = IntegratedGradients().attribute(subject_of(), ROWS, CLASSES).scores
    assert scores.indices.tolist() == subject_of().dataset.prepared.indices.tolist()
    assert scores.indptr.tolist() == subject_of().dataset.prepared.indptr.tolist()


def test_with_all_genes_as_tokens_zeros_score_zero(subject_of):
    subject = subject_of(tokens="all")
    scores = IntegratedGradients().attribute(subject, ROWS, CLASSES).scores
    assert scores.nnz == 6 * 7
    assert np.all(scores.toarray()[subject.dataset.prepared.toarray() == 0] == 0)
    assert np.all(scores.toarray()[subject.dataset.prepared.toarray() != 0] != 0)


def test_a_linear_encoder_is_attributed_by_its_weights(subject_of):
    subject = subject_of(encoder="linear")
    with torch.no_grad():
        for parameter in subject.network.parameters():
            parameter.zero_()
        subject.network.embedding.weight[:, 0] = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
        subject.network.embedding.bias[0] = 9.0
        list(subject.network.head.modules())[-1].weight[:, 0] = torch.tensor([1.0, -2.0, 0.5])
    found = IntegratedGradients().attribute(subject, ROWS[:2], np.array([1, 0]))
    # Values over deviations times weights: 1 / 0.5 * 0.1, 2 / 2 * 0.3, 0.5 / 1.6 * 0.5, 3 / 0.4 * 0.6 for class 1, times -2; and
    # 1.5 / 1 * 0.2, 0.7 / 0.8 * 0.4, 2.5 / 1 * 0.7 for class 0, times 1.
    expected = [[-0.4, 0, -0.6, 0, -0.3125, -9.0, 0], [0, 0.3, 0, 0.35, 0, 0, 1.75]]
    assert np.allclose(found.scores.toarray(), expected, atol=1e-5)
    assert np.allclose(found.changes, [10.3125, 2.4], atol=1e-5)
    assert found.completeness_error < 1e-6


def test_encoders_without_tokens_are_explained_too(subject_of):
    subject = subject_of(encoder="mlp")
    found = IntegratedGradients(steps=64).attribute(subject, ROWS, CLASSES)
    expected, _ = reference(subject, 2, CLASSES[2])
    assert np.allclose(found.scores[2].toarray()[0], expected, atol=0.01 * np.abs(expected).max())
    assert found.completeness_error < 0.01


def test_rounding_of_an_output_that_hardly_changes_is_no_error(linear_subject):
    with torch.no_grad():
        linear_subject.network.linear_path.weight.mul_(1e-9)
    found = IntegratedGradients().attribute(linear_subject, ROWS, CLASSES)
    assert found.changes.max() < 1e-6
    assert found.completeness_error < 1e-3
