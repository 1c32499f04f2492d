from __future__ import annotations

import numpy as np
import pytest

from genoken.core.errors import DataError
from genoken.interpretation import draw as module
from genoken.interpretation.draw import Draw, Part, draw_controls, draw_per_class, draw_samples

SYMBOLS = tuple("ABCDEFG")
LABELS = np.array([2, 0, 0, 0, 0, 2])


def test_draw_is_seeded_sorted_and_complete_for_small_classes():
    members = np.array([0] * 20 + [1] * 3)
    first, second = draw_per_class(members, 5, 0), draw_per_class(members, 5, 0)
    assert np.array_equal(first, second)
    assert np.all(np.diff(first) > 0)
    assert first[-3:].tolist() == [20, 21, 22]
    assert len(first) == 8
    assert not np.array_equal(first, draw_per_class(members, 5, 1))


def test_samples_of_all_parts_are_in_one_draw(subject_of):
    parts = [Part(subject_of(labels=LABELS), np.array([5, 1]), SYMBOLS), Part(subject_of(labels=LABELS), np.array([0, 3]), SYMBOLS)]
    found = draw_samples(parts, seed=0)
    assert found.models.tolist() == [0, 0, 1, 1]
    assert found.rows.tolist() == [5, 1, 0, 3]
    assert found.classes.tolist() == found.members.tolist() == [2, 0, 2, 0]
    assert found.names == ("class 0", "class 1", "class 2")
    assert found.of_model(1).tolist() == [2, 3]
    assert (len(found), found.num_offered) == (4, 4)


def test_groups_of_all_parts_have_one_list_of_names(subject_of):
    subject = subject_of(labels=LABELS)
    groups = (np.array(["y", "x"]), np.array(["z", "y"]))
    found = draw_samples([Part(subject, np.array([row, row + 1]), SYMBOLS, groups[row]) for row in (0, 1)], seed=0)
    assert found.names == ("x", "y", "z")
    assert found.members.tolist() == [1, 0, 2, 1]
    assert found.classes.tolist() == [2, 0, 0, 0]


def test_the_limit_holds_for_all_parts_together(subject_of, monkeypatch):
    monkeypatch.setattr(module, "SAMPLES_PER_CLASS", 3)
    parts = [Part(subject_of(labels=LABELS), np.arange(6), SYMBOLS) for _ in range(2)]
    found = draw_samples(parts, seed=0)
    assert np.bincount(found.classes).tolist() == [3, 0, 3]
    assert found.num_offered == 12
    assert np.all(np.diff(found.models) >= 0)


def test_no_sample_is_refused(subject_of):
    with pytest.raises(DataError, match="no sample"):
        draw_samples([Part(subject_of(), np.arange(0), SYMBOLS)], seed=0)


def test_controls_come_from_every_model_and_class_alike():
    classes, models = np.tile([0] * 9 + [1], 40), np.repeat([0, 1, 2, 3], 100)
    draw = Draw(models, np.arange(400), classes, classes, ("a", "b"), 400)
    chosen = draw_controls(draw, seed=1)
    assert np.all(np.diff(chosen) > 0)
    counts = np.zeros((4, 2), dtype=int)
    np.add.at(counts, (models[chosen], classes[chosen]), 1)
    assert counts.tolist() == [[4, 4]] * 4  # 32 samples
    assert np.array_equal(chosen, draw_controls(draw, seed=1))
    assert not np.array_equal(chosen, draw_controls(draw, seed=2))


def test_a_small_class_gives_the_controls_that_it_has():
    classes = np.array([0] * 50 + [1] * 2)
    draw = Draw(np.zeros(52, dtype=int), np.arange(52), classes, classes, ("a", "b"), 52)
    assert np.bincount(classes[draw_controls(draw, seed=0)]).tolist() == [16, 2]
