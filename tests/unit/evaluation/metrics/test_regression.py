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


def test_correlations_of_a_cross_validation_are_those_within_folds():
    truth = np.array([1.0, 2.0, 3.0, 11.0, 12.0, 14.0, 13.0])
    predicted = np.array([9.0, 11.0, 10.0, 3.0, 2.0, -8.0, 0.0])
    scores = regression_metrics(truth, predicted, folds=np.array([0, 0, 0, 1, 1, 1, 1]))
    # Fold 0: 0.5 over 3 samples. Fold 1: ranks are reversed, and the values' products sum to -17.5 over sqrt(5 * 74.75).
    assert scores["spearman"] == pytest.approx((3 * 0.5 - 4 * 1) / 7)
    assert scores["pearson"] == pytest.approx((3 * 0.5 - 4 * 17.5 / np.sqrt(5 * 74.75)) / 7)
    pooled = regression_metrics(truth, predicted)
    assert pooled["pearson"] < -0.7
    assert {name: scores[name] for name in ("r2", "mae", "rmse")} == {name: pooled[name] for name in ("r2", "mae", "rmse")}


def test_a_constant_of_each_fold_correlates_with_nothing():
    """The train mean of each fold is lower where the test part's is higher, which across folds looks like a correlation."""
    truth = np.array([1.0, 2.0, 4.0, 5.0, 7.0, 9.0])
    folds = np.array([0, 0, 1, 1, 2, 2])
    train_means = np.array([truth[folds != fold].mean() for fold in folds])
    assert regression_metrics(truth, train_means)["pearson"] < -0.9
    scores = regression_metrics(truth, train_means, folds=folds)
    assert (scores["pearson"], scores["spearman"]) == (None, None)
    assert scores["mae"] == pytest.approx(np.abs(truth - train_means).mean())
    only_one_varies = np.array([3.0, 3.0, 2.0, 1.0, 8.0, 8.0])
    assert regression_metrics(truth, only_one_varies, folds=folds)["pearson"] == pytest.approx(-1)


@pytest.mark.parametrize(
    ("truth", "predicted"), [([], []), ([1.0], [1.0, 2.0]), ([1.0, np.nan], [1.0, 2.0]), ([1.0, 2.0], [1.0, np.inf])]
)
def test_what_cannot_be_scored_is_refused(truth, predicted):
    with pytest.raises(ValueError, match=r"cannot score|finite"):
        regression_metrics(np.array(truth), np.array(predicted))
