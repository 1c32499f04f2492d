"""Group bootstrap: intervals against a plain loop, pairing, units, limits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from genoken.core.random import generator
from genoken.evaluation import bootstrap as module
from genoken.evaluation.bootstrap import bootstrap, draw_weights, percentile_interval
from genoken.evaluation.calibration import calibration_error


def problem(num_samples=120, num_groups=8, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, num_samples)
    groups = np.array([f"g{index}" for index in rng.integers(0, num_groups, num_samples)])
    good = rng.dirichlet(np.ones(3), num_samples) + 0.5 * np.eye(3)[codes]
    bad = rng.dirichlet(np.ones(3), num_samples)
    return codes, groups, {"model": good / good.sum(axis=1, keepdims=True), "linear": bad}


def test_intervals_equal_those_of_a_plain_loop_over_repeated_groups():
    codes, groups, predictions = problem()
    found = bootstrap(codes, predictions, task="classification", groups=groups, seed=3, draws=60)
    names, units = np.unique(groups, return_inverse=True)
    weights = draw_weights(len(names), 60, generator(3, "bootstrap"))
    expected = {name: [] for name in predictions}
    for weight in weights:
        rows = np.repeat(np.arange(len(codes)), weight.astype(int)[units])
        for name, predicted in predictions.items():
            expected[name].append(f1_score(codes[rows], predicted[rows].argmax(axis=1), average="macro"))
    assert found.interval("model", "macro_f1", 0.5) == pytest.approx(np.percentile(expected["model"], [2.5, 97.5]).tolist())
    gap = np.array(expected["model"]) - np.array(expected["linear"])
    assert found.difference_interval("model", "linear", "macro_f1") == pytest.approx(np.percentile(gap, [2.5, 97.5]).tolist())
    assert (found.unit, found.num_units) == ("groups", 8)


def test_equal_predictions_differ_by_exactly_nothing():
    codes, groups, predictions = problem()
    twins = {"model": predictions["model"], "linear": predictions["model"].copy()}
    found = bootstrap(codes, twins, task="classification", groups=groups, seed=0, draws=50)
    assert found.difference_interval("model", "linear", "macro_f1") == [0.0, 0.0]


def test_is_a_function_of_the_seed_and_not_of_other_predictors():
    codes, groups, predictions = problem()

    def interval(seed, names):
        chosen = {name: predictions[name] for name in names}
        return bootstrap(codes, chosen, task="classification", groups=groups, seed=seed, draws=50).interval("model", "brier", 0.5)

    assert interval(0, ["model"]) == interval(0, ["linear", "model"])
    assert interval(0, ["model"]) != interval(1, ["model"])


def test_cutting_the_draws_into_chunks_changes_nothing(monkeypatch):
    codes, groups, predictions = problem()
    whole = bootstrap(codes, predictions, task="classification", groups=groups, seed=0, draws=50)
    monkeypatch.setattr(module, "_VALUES_AT_ONCE", 7 * len(codes))
    cut = bootstrap(codes, predictions, task="classification", groups=groups, seed=0, draws=50)
    for metric, values in whole.draws["model"].items():
        np.testing.assert_allclose(values, cut.draws["model"][metric], rtol=1e-12, err_msg=metric)


def test_fewer_than_five_groups_have_no_interval():
    codes, _, predictions = problem()
    for num_groups, has_interval in ((4, False), (5, True)):
        groups = np.resize([f"g{index}" for index in range(num_groups)], len(codes))
        found = bootstrap(codes, predictions, task="classification", groups=groups, seed=0, draws=20)
        assert (found.interval("model", "accuracy", 0.5) is not None) == has_interval
        assert (found.difference_interval("model", "linear", "accuracy") is not None) == has_interval
        assert found.num_units == num_groups


def test_without_groups_samples_are_drawn_and_the_interval_has_the_known_width():
    rng = np.random.default_rng(0)
    is_right = rng.random(400) < 0.8
    probabilities = np.stack([np.where(is_right, 0.9, 0.1), np.where(is_right, 0.1, 0.9)], axis=1)
    found = bootstrap(np.zeros(400, dtype=int), {"model": probabilities}, task="classification", groups=None, seed=0, draws=2000)
    low, high = found.interval("model", "accuracy", 0.5)
    share = is_right.mean()
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 400), rel=0.08)
    assert found.unit == "samples"
    assert found.interval("model", "roc_auc", 0.5) is None  # one class: not defined in any draw


def test_correlated_samples_have_wider_intervals_when_groups_are_drawn():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(10), 40)
    is_right = np.repeat(rng.random(10) < 0.6, 40)
    probabilities = np.stack([np.where(is_right, 0.9, 0.1), np.where(is_right, 0.1, 0.9)], axis=1)
    width = {}
    for name, chosen in (("groups", groups), ("samples", None)):
        found = bootstrap(np.zeros(400, int), {"model": probabilities}, task="classification", groups=chosen, seed=0, draws=500)
        low, high = found.interval("model", "accuracy", 0.5)
        width[name] = high - low
    assert width["groups"] > 3 * width["samples"]


def test_regression_is_resampled_too():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=90)
    predictions = {"model": truth + 0.3 * rng.normal(size=90), "linear": truth + rng.normal(size=90)}
    found = bootstrap(truth, predictions, task="regression", groups=np.repeat(np.arange(9), 10), seed=0, draws=200)
    low, high = found.interval("model", "r2", 0.5)
    assert 0.7 < low < high < 1
    assert found.difference_interval("model", "linear", "r2")[0] > 0
    assert found.difference_interval("model", "none", "r2") is None


def test_weights_count_draws_with_replacement():
    weights = draw_weights(6, 2000, np.random.default_rng(0))
    assert (weights.sum(axis=1) == 6).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(6), abs=0.1)
    assert weights.var() == pytest.approx(5 / 6, abs=0.05)


def test_percentiles_leave_undefined_draws_out_up_to_half():
    values = np.arange(101.0)
    assert percentile_interval(values) == [2.5, 97.5]
    assert percentile_interval(np.r_[values, np.full(101, np.nan)]) == [2.5, 97.5]
    assert percentile_interval(np.r_[values, np.full(102, np.nan)]) is None


def test_the_interval_of_a_calibration_error_holds_it():
    # Probabilities that mean what they say: the error of 60 samples is small, and every draw's is larger.
    rng = np.random.default_rng(2)
    positive = rng.uniform(0.02, 0.98, 60)
    codes = (rng.random(60) < positive).astype(np.int64)
    probabilities = np.stack([1 - positive, positive], axis=1)
    value = calibration_error(codes, probabilities, probabilities.argmax(axis=1))
    found = bootstrap(codes, {"model": probabilities}, task="classification", groups=None, seed=0, draws=400)
    drawn = found.draws["model"]["ece"]
    assert drawn.mean() > value + 0.01
    low, high = found.interval("model", "ece", value)
    assert 0 <= low < value < high
    assert high == pytest.approx(np.percentile(drawn, 97.5) - drawn.mean() + value)
    # One that is near 0 stays above it.
    assert found.interval("model", "ece", 0.001)[0] == 0.0
