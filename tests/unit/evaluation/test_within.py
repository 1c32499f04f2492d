"""Scores within strata, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.evaluation.within import scores_within


def within(labels, predicted, strata, task="classification"):
    classes = ("a", "b") if task == "classification" else ()
    return scores_within(
        task=task,
        labels=np.asarray(labels),
        predictions={"model": np.asarray(predicted)},
        names=["model"],
        classes=classes,
        strata=np.asarray(strata),
        column="population",
    )


def test_a_model_that_only_tells_populations_apart_knows_nothing_within_them():
    strata = ["north"] * 20 + ["south"] * 10 + ["rest"] * 3 + [""] * 12
    labels = [1] * 15 + [0] * 5 + [0] * 8 + [1] * 2 + [1] * 15
    chance = [0.9] * 20 + [0.1] * 10 + [0.5] * 15
    found = within(labels, [[1 - value, value] for value in chance], strata)
    assert found["column"] == "population"
    assert list(found["strata"]) == ["north", "south"]  # fewer than ten samples, or no name, make no stratum
    assert [found["strata"][name]["samples"] for name in found["strata"]] == [20, 10]
    assert [found["strata"][name]["model"]["roc_auc"] for name in found["strata"]] == [0.5, 0.5]
    assert [found["strata"][name]["model"]["accuracy"] for name in found["strata"]] == [0.75, 0.8]
    assert found["mean"]["model"]["accuracy"] == pytest.approx((20 * 0.75 + 10 * 0.8) / 30)
    assert found["mean"]["model"]["roc_auc"] == 0.5


def test_a_metric_that_one_stratum_lacks_is_averaged_over_the_others():
    labels = [0, 1] * 6 + [1] * 10
    predicted = [[1 - value, value] for value in [0.2, 0.8] * 6 + [0.7] * 10]
    found = within(labels, predicted, ["x"] * 12 + ["y"] * 10)
    assert found["strata"]["y"]["model"]["roc_auc"] is None
    assert found["mean"]["model"]["roc_auc"] == 1.0


def test_one_stratum_is_none():
    assert within([0.0, 1.0] * 10, [0.0, 1.0] * 10, ["x"] * 20, task="regression") is None


def test_numbers_are_scored_too():
    labels = np.r_[np.arange(10.0), np.arange(10.0) + 100]
    found = within(labels, np.r_[np.full(10, 4.5), np.arange(10.0) + 100], ["x"] * 10 + ["y"] * 10, task="regression")
    assert [found["strata"][name]["model"]["r2"] for name in "xy"] == [0.0, 1.0]
    assert found["mean"]["model"]["r2"] == 0.5
