"""What the benchmark of causal recovery is made of: its measures by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    yield
    sys.modules.pop("_recovery_scores", None)


def test_measures_typed_by_hand():
    from _recovery_scores import overlap, recovery

    linkage = np.eye(12)
    linkage[0, 1] = linkage[1, 0] = 0.9  # the first two tag each other
    linkage[2, 3] = linkage[3, 2] = 0.6
    is_causal = np.isin(np.arange(12), [1, 3])
    found = recovery(np.array([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1.0]), is_causal, linkage)
    assert found["average_precision"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found["recall_at_10"] == 1
    assert found["linkage_recall"] == 1
    # clumps start at 0 (which tags a causal variant) and at 2 (which has an r² of 0.6 with one)
    assert found["signal_fdr"] == 0.5
    assert overlap(np.arange(12.0), np.arange(12.0)) == 1
    assert overlap(np.arange(12.0), np.arange(12.0)[::-1]) == pytest.approx(8 / 12)
