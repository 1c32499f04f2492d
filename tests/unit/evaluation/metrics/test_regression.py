"""Regression metrics: by hand, against scipy and scikit-learn, and what is undefined."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from genoken.evaluation.metrics.regression import regression_metrics


def test_by_hand():
    scores = regression_metrics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
    assert scores == pytest.approx({"r2": 0.0, "pearson": 0.5, "spearman": 0.5, "mae": 2 / 3, "rmse": np.sqrt(2 / 3)})


def test_are_those_of_scipy_and_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=80).round(1)
    predicted = (2 * truth + rng.normal(size=80)).round(1)
    scores = regression_metrics(truth, predicted)
    assert scores["r2"] == pytest.approx(sk.r2_score(truth, predicted))
    assert scores["pearson"] == pytest.approx(stats.pearsonr(truth, predicted).statistic)
    assert scores["spearman"] == pytest.approx(stats.spearmanr(truth, predicted).statistic)
    assert scores["rmse"] == pytest.approx(np.sqrt(sk.mean_squared_error(truth, predicted)))


def test_constants_have_no_correlation():
    scores = regression_metrics(np.array([1.0, 2.0]), np.array([1.5, 1.5]))
    assert scores["pearson"] is None
    assert scores["spearman"] is None
    assert scores["r2"] == 0.0
    assert regression_metrics(np.array([1.0, 1.0]), np.array([1.0, 2.0]))["r2"] is None


@pytest.mark.parametrize(
    ("truth", "predicted"), [([], []), ([1.0], [1.0, 2.0]), ([1.0, np.nan], [1.0, 2.0]), ([1.0, 2.0], [1.0, np.inf])]
)
def test_what_cannot_be_scored_is_refused(truth, predicted):
    with pytest.raises(ValueError, match=r"cannot score|finite"):
        regression_metrics(np.array(truth), np.array(predicted))
