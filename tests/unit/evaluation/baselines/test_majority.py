"""The baseline without features: by hand."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genoken.core.contracts import BaselineProblem
from genoken.evaluation.baselines.majority import MajorityBaseline


def problem(labels, num_classes):
    nothing = sp.csr_matrix((len(labels), 1))
    return BaselineProblem(nothing, nothing[:0], np.array(labels), np.array(labels)[:0], num_classes, 0)


def answer(labels, num_classes):
    baseline = MajorityBaseline()
    return baseline.predict(baseline.fit(problem(labels, num_classes)), sp.csr_matrix((2, 1))).tolist()


def test_gives_the_train_frequencies():
    assert answer([0, 2, 2, 2], 4) == [[0.25, 0.0, 0.75, 0.0]] * 2


def test_gives_the_train_mean():
    assert answer([1.0, 2.0, 6.0], 0) == [3.0, 3.0]
