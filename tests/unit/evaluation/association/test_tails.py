"""Logarithms of p: SciPy's where a float holds p, and high-precision values beyond."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from genoken.evaluation.association import _tails
from genoken.evaluation.association._tails import normal_minus_log10_p, student_minus_log10_p

STATISTICS = np.array([0.0, -0.3, 1.0, -1.96, 5.0, 12.0, -30.0])


def test_normal_tails():
    found = normal_minus_log10_p(np.append(STATISTICS, np.nan))
    assert np.allclose(found[:-1], -np.log10(2 * scipy.stats.norm.sf(np.abs(STATISTICS))), atol=1e-12)
    assert np.isnan(found[-1])
    # Leading terms of Mills' ratio: log10 p = log10(2 φ(z) / z (1 - 1 / z² + 3 / z⁴)).
    z = 100.0
    series = 1 - z**-2 + 3 * z**-4 - 15 * z**-6
    expected = z * z / 2 / np.log(10) + np.log10(z * np.sqrt(2 * np.pi) / 2) - np.log10(series)
    assert normal_minus_log10_p(np.array([-z]))[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("freedom", [1, 5, 97, 2000, 500_000])
def test_student_tails_and_the_logarithm_of_their_factors(freedom, monkeypatch):
    found = student_minus_log10_p(np.append(STATISTICS, np.nan), freedom)
    expected = -np.log10(2 * scipy.stats.t.sf(np.abs(STATISTICS), freedom))
    assert np.allclose(found[:-1], expected, atol=1e-12)
    assert np.isnan(found[-1])
    monkeypatch.setattr(_tails, "_SMALLEST", 2.0)
    assert np.allclose(student_minus_log10_p(STATISTICS[3:], freedom), expected[3:], rtol=1e-9)


def test_no_underflow():
    found = student_minus_log10_p(np.array([60.0, 100.0, 1000.0, np.inf]), 10_000)
    assert np.isfinite(found[:3]).all()
    assert (np.diff(found) > 0).all()
    assert found[3] == np.inf
    # With many degrees of freedom Student's tail is normal's.
    assert student_minus_log10_p(np.array([60.0]), 1e9)[0] == pytest.approx(normal_minus_log10_p(np.array([60.0]))[0], rel=1e-5)
