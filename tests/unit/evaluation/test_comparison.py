"""Two runs compared: alignment by sample, pairing, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.evaluation.comparison import compare_runs
from genoken.evaluation.metrics.classification import classification_metrics

CLASSES = ("B cell", "T cell")


def predictions(share_right, seed, num_samples=120, group=True):
    rng = np.random.default_rng(seed)
    codes = np.resize([0, 1], num_samples)
    right = np.where(rng.random(num_samples) < share_right, codes, 1 - codes)
    positive = np.where(right == 1, 0.8, 0.2) + rng.normal(0, 0.02, num_samples)
    names = np.array(CLASSES)
    return pd.DataFrame(
        {
            "sample_id": [f"cell_{row:03d}" for row in range(num_samples)],
            "group": np.resize([f"g{index}" for index in range(8)], num_samples) if group else None,
            "fold": np.resize([0, 0, 1, 1], num_samples),
            "label": names[codes],
            "predicted": names[(positive >= 0.5).astype(int)],
            "probability_B cell": 1 - positive,
            "probability_T cell": positive,
        }
    )


def test_rows_and_classes_may_come_in_any_order():
    one, other = predictions(0.95, 0), predictions(0.7, 1)
    found = compare_runs(one, other, names=("wide", "narrow"), draws=100)
    shuffled = other.sample(frac=1, random_state=0)[list(reversed(other.columns))]
    again = compare_runs(one, shuffled, names=("wide", "narrow"), draws=100)
    assert again == found
    assert (found["task"], found["samples"], found["groups"]) == ("classification", 120, 8)
    codes = (one["label"] == "T cell").to_numpy().astype(int)
    probabilities = other[["probability_B cell", "probability_T cell"]].to_numpy()
    expected = classification_metrics(codes, probabilities, classes=CLASSES, folds=other["fold"].to_numpy())
    assert {name: found["runs"]["narrow"][name] for name in expected} == pytest.approx(expected)
    assert found["difference"]["interval"][0] > 0
    assert found["verdict"].startswith("'wide' beats 'narrow': macro-F1 0.")


def test_a_run_does_not_differ_from_itself():
    one = predictions(0.8, 0)
    found = compare_runs(one, one.copy(), names=("a", "b"), draws=50)
    assert found["difference"]["value"] == 0
    assert found["difference"]["interval"] == [0, 0]
    assert found["verdict"] == "'a' and 'b' give the same predictions for all 120 samples."


def test_groups_are_taken_from_either_run_or_samples_are_drawn():
    without = predictions(0.8, 0, group=False)
    assert compare_runs(without, predictions(0.7, 1), names=("a", "b"), draws=20)["groups"] == 8
    found = compare_runs(without, predictions(0.7, 1, group=False), names=("a", "b"), draws=20)
    assert found["groups"] is None
    assert found["difference"]["unit"] == "samples"


def test_regressions_are_compared_by_r2():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=60)
    tables = [
        pd.DataFrame({"sample_id": range(60), "label": truth, "predicted": truth + noise * rng.normal(size=60)})
        for noise in (0.1, 1.0)
    ]
    found = compare_runs(*tables, names=("a", "b"), draws=100)
    assert found["task"] == "regression"
    assert found["difference"]["metric"] == "r2"
    assert found["verdict"].startswith("'a' beats 'b': R² 0.9")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.iloc[10:], r"120 and 110, of which 110 are shared"),
        (lambda table: table.assign(sample_id=[f"x{row}" for row in range(120)]), "of which 0 are shared"),
        (lambda table: table.assign(label=table["label"].iloc[::-1].to_numpy()), "120 samples have different labels"),
        (lambda table: table.rename(columns={"probability_T cell": "probability_NK"}), "different classes"),
        (lambda table: table.drop(columns="label"), "no column 'label'"),
        (lambda table: table.assign(sample_id="same"), "predicted more than once"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        compare_runs(predictions(0.9, 0), change(predictions(0.8, 1)), names=("a", "b"), draws=10)


def test_each_run_has_its_own_threshold():
    one, other = predictions(0.9, 0), predictions(0.9, 0)
    found = compare_runs(one, other, names=("a", "b"), draws=40, thresholds=(0.5, 0.9))["runs"]
    truth = (one["label"] == "T cell").to_numpy()
    for name, threshold in (("a", 0.5), ("b", 0.9)):
        called = one["probability_T cell"].to_numpy() >= threshold
        assert found[name]["accuracy"] == pytest.approx((called == truth).mean())
        assert (
            found[name]["predicted_positive_rate_interval"][1]
            >= called.mean()
            >= found[name]["predicted_positive_rate_interval"][0]
        )
    assert found["b"]["predicted_positive_rate"] == 0


def test_the_seed_decides_the_draws():
    def interval(seed):
        tables = predictions(0.9, 0), predictions(0.7, 1)
        return compare_runs(*tables, names=("a", "b"), draws=40, seed=seed)["difference"]["interval"]

    assert interval(3) == interval(3) != interval(4)


def test_labels_that_are_no_class_are_refused():
    tables = [predictions(0.9, seed).assign(label="monocyte") for seed in (0, 1)]
    with pytest.raises(DataError, match="'monocyte' is none of the predicted classes"):
        compare_runs(*tables, names=("a", "b"), draws=10)


def test_names_must_differ():
    with pytest.raises(DataError, match="same name"):
        compare_runs(predictions(0.9, 0), predictions(0.9, 0), names=("a", "a"))
