"""Measures of recovery, typed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.evaluation.association.recovery import recovery


def test_measures_typed_by_hand():
    linkage = np.eye(12)
    linkage[0, 1] = linkage[1, 0] = 0.9  # the first two tag each other
    linkage[2, 3] = linkage[3, 2] = 0.6
    is_causal = np.isin(np.arange(12), [1, 3])
    scores = np.array([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1.0])
    found = recovery(scores, is_causal, lambda rows, columns: linkage[np.ix_(rows, columns)])
    assert found["average_precision"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found["recall_at_10"] == 1
    assert found["linkage_recall"] == 1
    # clumps start at 0 (which tags a causal variant) and at 2 (which has an r² of 0.6 with one)
    assert found["signal_fdr"] == 0.5


def test_what_is_not_among_the_first_ten_is_not_found():
    linkage = np.eye(15)
    is_causal = np.arange(15) == 14
    found = recovery(-np.arange(15.0), is_causal, lambda rows, columns: linkage[np.ix_(rows, columns)])
    assert found == {"average_precision": pytest.approx(1 / 15), "recall_at_10": 0.0, "linkage_recall": 0.0, "signal_fdr": 1.0}
