"""Calibration: bins and error by hand."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.evaluation.calibration import calibration_error, confidence_bins, reliability


def test_bins_are_closed_below_and_the_last_one_holds_one():
    assert confidence_bins(np.array([0.0, 0.05, 0.5, 0.95, 1.0])).tolist() == [0, 0, 5, 9, 9]


def test_by_hand():
    codes = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.92, 0.08], [0.98, 0.02], [0.94, 0.06], [0.35, 0.65]])
    predicted = np.array([0, 0, 0, 1])
    # Bin 0.9-1.0: confidence (0.92 + 0.98 + 0.94) / 3, accuracy 2/3; bin 0.6-0.7: confidence 0.65, accuracy 1.
    expected = 3 / 4 * abs(2.84 / 3 - 2 / 3) + 1 / 4 * 0.35
    assert calibration_error(codes, probabilities, predicted) == pytest.approx(expected)
    found = reliability(codes, probabilities, predicted)
    assert found["ece"] == pytest.approx(expected)
    assert [(row["low"], row["high"], row["samples"]) for row in found["bins"]] == [(0.6, 0.7, 1), (0.9, 1.0, 3)]
    assert found["bins"][1]["confidence"] == pytest.approx(2.84 / 3)
    assert found["bins"][1]["accuracy"] == pytest.approx(2 / 3)


def test_perfectly_calibrated_predictions_have_little_error_and_overconfident_ones_much():
    rng = np.random.default_rng(0)
    positive = rng.random(20_000)
    codes = (rng.random(20_000) < positive).astype(int)
    probabilities = np.stack([1 - positive, positive], axis=1)
    predicted = (positive >= 0.5).astype(int)
    assert calibration_error(codes, probabilities, predicted) < 0.02
    sure = np.where(positive >= 0.5, 0.99, 0.01)
    assert calibration_error(codes, np.stack([1 - sure, sure], axis=1), predicted) == pytest.approx(0.24, abs=0.02)
