"""What the benchmark of causal recovery is made of: its own measures by hand."""

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


def test_overlap_typed_by_hand():
    from _recovery_scores import overlap

    assert overlap(np.arange(12.0), np.arange(12.0)) == 1
    assert overlap(np.arange(12.0), np.arange(12.0)[::-1]) == pytest.approx(8 / 12)
