from __future__ import annotations

import numpy as np
import pytest

from genoken.evaluation.association.agreement import ranking_agreement


def test_by_hand():
    first = np.array([9.0, 8.0, 7.0, 1.0, np.nan, 5.0])
    second = np.array([1.0, 4.0, 3.0, 0.0, 9.0, 2.0])
    found = ranking_agreement(first, second, top=2)
    # Known are five; first: variants 0 and 1; second: variants 1 and 2. Ranks 5 4 3 1 2 and 2 5 4 1 3.
    assert (found["top"], found["shared"], found["variants"]) == (2, 1, 5)
    assert found["expected"] == pytest.approx(4 / 5)
    assert found["spearman"] == pytest.approx(1 - 6 * (9 + 1 + 1 + 0 + 1) / (5 * 24))


def test_nothing_to_compare():
    found = ranking_agreement(np.array([np.nan, 1.0]), np.array([1.0, np.nan]), top=5)
    assert (found["top"], found["shared"], found["expected"], found["variants"]) == (0, 0, 0.0, 0)
    assert np.isnan(found["spearman"])
    assert np.isnan(ranking_agreement(np.ones(3), np.arange(3.0), top=1)["spearman"])
