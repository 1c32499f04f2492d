from __future__ import annotations

import numpy as np
import pytest

from genoken.interpretation import attributed as module
from genoken.interpretation.attributed import attribute_draw
from genoken.interpretation.attributions.gradient import GradientTimesInput
from genoken.interpretation.attributions.integrated_gradients import IntegratedGradients
from genoken.interpretation.draw import Draw, Part

SYMBOLS = tuple("ABCDEFG")


def draw_of(models, rows, classes) -> Draw:
    return Draw(np.array(models), np.array(rows), np.array(classes), np.array(classes), ("a", "b", "c"), len(rows))


@pytest.mark.parametrize("rows_per_call", [1, 2, 32])
def test_each_sample_has_the_scores_of_its_own_model_in_the_order_of_the_draw(subject_of, monkeypatch, rows_per_call):
    monkeypatch.setattr(module, "_ROWS_PER_CALL", rows_per_call)
    first, second = subject_of(), subject_of(seed=5)
    parts = [Part(first, np.arange(6), SYMBOLS), Part(second, np.arange(6), SYMBOLS)]
    counts: list[int] = []
    found = attribute_draw(parts, draw_of([0, 0, 0, 1, 1], [4, 3, 0, 2, 1], [0, 1, 2, 0, 1]), GradientTimesInput(), counts.append)
    for position, (subject, row, code) in enumerate([(first, 4, 0), (first, 3, 1), (first, 0, 2), (second, 2, 0), (second, 1, 1)]):
        expected = GradientTimesInput().attribute(subject, np.array([row]), np.array([code])).scores
        assert np.allclose(found.scores.matrix[position].toarray(), expected.toarray(), atol=1e-5)
    assert sum(counts) == 5
    assert max(counts) <= rows_per_call
    assert found.completeness_error is None


def test_the_completeness_error_is_that_of_all_samples_together(subject_of):
    parts = [Part(subject_of(seed=seed), np.arange(6), SYMBOLS) for seed in (3, 5)]
    method = IntegratedGradients(steps=1)
    found = attribute_draw(parts, draw_of([0, 0, 1], [0, 2, 4], [0, 1, 2]), method)
    one = method.attribute(parts[0].subject, np.array([0, 2]), np.array([0, 1]))
    other = method.attribute(parts[1].subject, np.array([4]), np.array([2]))
    misses, changes = one.errors.sum() + other.errors.sum(), one.changes.sum() + other.changes.sum()
    assert found.completeness_error == pytest.approx(misses / changes, rel=1e-3)
    assert found.completeness_error > 0.01


def test_a_model_without_drawn_samples_is_left_out(subject_of):
    parts = [Part(subject_of(seed=seed), np.arange(6), SYMBOLS) for seed in (3, 5)]
    found = attribute_draw(parts, draw_of([1, 1], [0, 2], [0, 1]), GradientTimesInput())
    assert len(found.scores) == 2
    assert found.scores.known.shape == (2, 7)
