"""k nearest neighbors: by hand on points of a line, and tuned by validation."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.contracts import BaselineProblem
from genoken.evaluation.baselines.nearest_neighbors import NearestNeighborsBaseline


def on_a_line(train, val, test, train_labels, val_labels, num_classes):
    def column(places):
        return sp.csr_matrix(np.array(places, dtype=float)[:, None] * np.array([[1.0, 2.0, -1.0]]))

    problem = BaselineProblem(column(train), column(val), np.array(train_labels), np.array(val_labels), num_classes, 0)
    return problem, column(test)


def test_counts_the_nearest_three(predicted):
    problem = on_a_line([1, 2, 3, 11, 12, 13], [1.5, 12.5], [2.1, 8.0], [0, 0, 0, 1, 0, 1], [0, 1], 2)
    found = predicted(NearestNeighborsBaseline(neighbors=(3,), num_components=1), *problem)
    assert found[0].tolist() == [1.0, 0.0]
    assert found.argmax(axis=1).tolist() == [0, 1]


def test_more_neighbors_than_samples_are_all_samples(predicted):
    problem = on_a_line([1, 2, 3], [2], [2.5], [1.0, 2.0, 6.0], [3.0], 0)
    found = predicted(NearestNeighborsBaseline(neighbors=(30,), num_components=1), *problem)
    assert found == pytest.approx([3.0])


def test_validation_chooses_the_number_of_neighbors(predicted):
    # Labels alternate from place to place: only the single nearest neighbor is right.
    places, labels = np.arange(20.0), np.resize([0, 1], 20)
    problem = on_a_line(places, places + 0.1, places + 0.2, labels, labels, 2)
    found = predicted(NearestNeighborsBaseline(neighbors=(1, 15), num_components=1), *problem)
    assert (found.argmax(axis=1) == labels).all()
    smooth = on_a_line(places, places + 0.1, places + 0.2, labels, np.zeros(20, dtype=int), 2)
    assert not np.array_equal(predicted(NearestNeighborsBaseline(neighbors=(1, 15), num_components=1), *smooth), found)
