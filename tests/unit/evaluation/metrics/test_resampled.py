"""Weighted metrics equal the plain ones on samples that are really repeated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genoken.evaluation.metrics.classification import classification_metrics
from genoken.evaluation.metrics.regression import regression_metrics
from genoken.evaluation.metrics.resampled import WeightedClassification, WeightedRegression


def assert_equal(weighted, plain, draw):
    assert set(weighted) == set(plain)
    for metric, value in plain.items():
        if value is None:
            assert np.isnan(weighted[metric][draw]), metric
        else:
            assert weighted[metric][draw] == pytest.approx(value, abs=1e-9), metric


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), num_classes=st.integers(2, 4), num_folds=st.integers(1, 3), is_tied=st.booleans())
def test_classification(seed, num_classes, num_folds, is_tied):
    rng = np.random.default_rng(seed)
    num_samples, num_units = 60, 7
    codes, units = rng.integers(0, num_classes, num_samples), rng.integers(0, num_units, num_samples)
    folds = rng.integers(0, num_folds, num_samples)
    probabilities = rng.dirichlet(np.ones(num_classes), num_samples)
    if is_tied:
        probabilities = np.round(probabilities, 1) + 1e-9
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    weights = rng.integers(0, 4, (3, num_units)).astype(float)
    weights[:, 0] += 1
    weights[0] = 1
    units[0] = 0
    scorer = WeightedClassification(codes, probabilities, units, num_units, threshold=0.4, folds=folds)
    found = scorer.metrics(weights)
    for draw, weight in enumerate(weights):
        rows = np.repeat(np.arange(num_samples), weight.astype(int)[units])
        classes = tuple("abcd"[:num_classes])
        plain = classification_metrics(codes[rows], probabilities[rows], classes=classes, threshold=0.4, folds=folds[rows])
        assert_equal(found, plain, draw)


def test_a_draw_of_one_class_has_no_ranking():
    codes, probabilities = np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.8, 0.2]])
    found = WeightedClassification(codes, probabilities, np.array([0, 0, 1, 1]), 2).metrics(np.array([[2.0, 0.0], [1.0, 1.0]]))
    assert np.isnan(found["roc_auc"]).tolist() == [True, False]
    assert found["accuracy"].tolist() == [1.0, 0.75]


def test_one_class_in_all_samples_has_no_ranking():
    found = WeightedClassification(np.zeros(2, dtype=int), np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]), 2).metrics(
        np.ones((3, 2))
    )
    assert np.isnan(found["roc_auc"]).all()
    assert np.isnan(found["average_precision"]).all()


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), is_tied=st.booleans(), num_folds=st.integers(1, 3))
def test_regression(seed, is_tied, num_folds):
    rng = np.random.default_rng(seed)
    truth = 1e3 + rng.normal(size=50)
    predicted = 1e3 + rng.normal(size=50)
    if is_tied:
        truth, predicted = truth.round(0), predicted.round(0)
    units = rng.integers(0, 6, 50)
    units[:6] = np.arange(6)
    weights = rng.integers(1, 4, (3, 6)).astype(float)
    folds = units % num_folds  # whole units, as in a cross-validation over groups, so a draw may leave a fold out
    weights[1, (np.arange(6) % num_folds == 0) & (num_folds > 1)] = 0
    found = WeightedRegression(truth, predicted, units, 6, folds=folds).metrics(weights)
    for draw, weight in enumerate(weights):
        rows = np.repeat(np.arange(50), weight.astype(int)[units])
        assert_equal(found, regression_metrics(truth[rows], predicted[rows], folds=folds[rows]), draw)


def test_a_constant_of_each_fold_correlates_with_nothing():
    folds = np.repeat([0, 1, 2], 20)
    truth = np.random.default_rng(0).normal(size=60) + folds
    constants = np.array([0.1, 1e6 + 0.3, -0.7])[folds]
    found = WeightedRegression(truth, constants, np.arange(60) % 12, 12, folds=folds).metrics(np.ones((2, 12)))
    assert np.isnan(found["pearson"]).all()
    assert np.isnan(found["spearman"]).all()
    pooled = WeightedRegression(truth, constants, np.arange(60) % 12, 12).metrics(np.ones((2, 12)))
    assert not np.isnan(pooled["pearson"]).any()


def test_regression_on_constants_is_undefined():
    found = WeightedRegression(np.array([1.0, 1.0, 2.0]), np.array([5.0, 6.0, 7.0]), np.arange(3), 3).metrics(
        np.array([[1.0, 2.0, 0.0]])
    )
    assert np.isnan(found["r2"][0])
    assert np.isnan(found["pearson"][0])
    assert np.isnan(found["spearman"][0])
    assert found["mae"][0] == pytest.approx((4 + 5 + 5) / 3)
