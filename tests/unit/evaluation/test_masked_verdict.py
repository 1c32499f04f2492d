"""The verdict of masked objectives: means and correlations by hand, intervals against a plain loop, and what the sentence says."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.random import generator
from genoken.evaluation.bootstrap import draw_weights
from genoken.evaluation.masked_verdict import floor_words, memorization_in_training, summarize, verdict


def entropies(model, floor, per_sample=2):
    """Cross-entropies of a model and of two floors, and the samples of the targets."""
    rows = np.repeat(np.arange(len(model)), per_sample)
    both = {name: {"cross_entropy": np.repeat(values, per_sample)} for name, values in (("model", model), ("uniform", floor))}
    worse = {"cross_entropy": both["uniform"]["cross_entropy"] + 1}
    return both["model"], {"uniform": both["uniform"], "set_complement": worse}, rows


def test_means_and_the_difference_to_the_strongest_floor():
    measured = {"cross_entropy": np.array([1.0, 2.0, 6.0]), "correct": np.array([True, False, True])}
    floors = {
        "uniform": {"cross_entropy": np.array([4.0, 4.0, 4.0])},
        "set_complement": {"cross_entropy": np.array([2.0, 4.0, 3.0])},
    }
    found = summarize(measured, floors, np.array([0, 0, 1]), seed=0)
    assert (found["targets"], found["samples"], found["groups"], found["metric"]) == (3, 2, None, "cross_entropy")
    assert found["model"] == {
        "cross_entropy": 3.0,
        "cross_entropy_interval": None,
        "correct": pytest.approx(2 / 3),
        "correct_interval": None,
    }
    assert found["floors"]["uniform"]["cross_entropy"] == 4
    assert found["difference"] == {
        "floor": "set_complement",
        "metric": "cross_entropy",
        "value": 0.0,
        "interval": None,
        "unit": "samples",
        "draws": 1000,
    }
    assert found["verdict"] == (
        "The model does not beat the strongest floor, guessing among the missing features: cross-entropy 3.000 against "
        "3.000 (difference +0.000); no interval is given from fewer than 5 samples (here 2), so this may be chance."
    )


def test_intervals_equal_those_of_a_plain_loop_over_repeated_groups():
    rng = np.random.default_rng(0)
    rows = np.sort(rng.integers(0, 30, 200))
    groups = np.array([f"g{index}" for index in rng.integers(0, 7, 30)])
    value = rng.normal(size=200)
    mean, guess = 0.5 * rng.normal(size=200), value + rng.normal(size=200)
    measured = {"squared_error": (guess - value) ** 2, "prediction": guess, "value": value}
    floors = {"train_mean": {"squared_error": (mean - value) ** 2, "prediction": mean}}
    found = summarize(measured, floors, rows, seed=5, groups=groups, draws=40)
    names, units = np.unique(groups[rows], return_inverse=True)
    expected = {"mse": [], "gap": [], "r": [], "centered": []}
    for weight in draw_weights(len(names), 40, generator(5, "bootstrap")):
        drawn = np.repeat(np.arange(200), weight.astype(int)[units])
        expected["mse"].append(measured["squared_error"][drawn].mean())
        expected["gap"].append((measured["squared_error"] - floors["train_mean"]["squared_error"])[drawn].mean())
        expected["r"].append(np.corrcoef(value[drawn], guess[drawn])[0, 1])
        expected["centered"].append(np.corrcoef((value - mean)[drawn], (guess - mean)[drawn])[0, 1])
    bounds = {name: pytest.approx(np.percentile(values, [2.5, 97.5]).tolist()) for name, values in expected.items()}
    assert found["model"]["squared_error_interval"] == bounds["mse"]
    assert found["difference"]["interval"] == bounds["gap"]
    assert found["model"]["correlation_interval"] == bounds["r"]
    assert found["model"]["centered_correlation_interval"] == bounds["centered"]
    assert found["model"]["correlation"] == pytest.approx(np.corrcoef(value, guess)[0, 1])
    assert found["groups"] == len(names)


def test_means_of_genes_alone_have_no_centered_correlation():
    value, mean = np.array([1.0, 2.0, 11.0, 12.0]), np.array([1.5, 1.5, 11.5, 11.5])
    measured = {"squared_error": np.full(4, 0.25), "prediction": mean, "value": value}
    floors = {"train_mean": {"squared_error": np.full(4, 0.25), "prediction": mean}}
    found = summarize(measured, floors, np.arange(4), seed=0)
    assert found["model"]["correlation"] == pytest.approx(5 / np.sqrt(25.25))
    assert found["model"]["centered_correlation"] is None
    assert found["metric"] == "squared_error"


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (
            -1.0,
            "The model beats the strongest floor, guessing: cross-entropy 1.000 against 2.000 (difference -1.000, 95 % interval -",
        ),
        (1.0, "The model does not beat the strongest floor, guessing: cross-entropy 3.000 against 2.000 (difference +1.000, 95 % "),
        (0.0, "The model does not beat the strongest floor, guessing, beyond chance: cross-entropy 2.000 against 2.000"),
    ],
)
def test_a_win_needs_the_whole_interval(shift, words):
    wiggle = np.tile([0.1, -0.1], 10)
    found = summarize(*entropies(2 + shift + wiggle, np.full(20, 2.0)), seed=0)
    assert found["verdict"].startswith(words)
    assert found["verdict"].endswith("over 20 samples).")
    low, high = found["difference"]["interval"]
    assert low <= shift <= high


def test_four_groups_have_no_interval():
    measured, floors, rows = entropies(np.ones(20), np.full(20, 2.0))
    for num_groups in (4, 5):
        found = summarize(measured, floors, rows, seed=0, groups=np.resize(np.arange(num_groups), 20))
        assert (found["difference"]["interval"] is None) == (num_groups == 4)


def test_phenotypes_are_scored_one_by_one_in_each_predictors_own_codes():
    measured = {
        "cross_entropy": np.ones(6),
        "label": np.array([3, 3, 4, 10, 11, 11]),
        "prediction": np.array([3, 4, 4, 10, 11, 11]),
        "column": np.array([0, 0, 0, 1, 1, 1]),
    }
    floor = {"cross_entropy": np.full(6, 2.0), "label": np.array([0, 0, 1, 0, 1, 1]), "prediction": np.array([0, 0, 0, 1, 1, 1])}
    found = summarize(measured, {"most_frequent": floor}, np.arange(6), seed=0, phenotypes=("cell_type",))["phenotypes"]
    assert list(found) == ["cell_type", "1"]
    assert found["cell_type"]["model"] == {"accuracy": pytest.approx(2 / 3), "macro_f1": pytest.approx(2 / 3)}
    assert found["cell_type"]["most_frequent"] == {"accuracy": pytest.approx(2 / 3), "macro_f1": pytest.approx(0.4)}
    assert found["1"]["model"] == {"accuracy": 1.0, "macro_f1": 1.0}


def test_memorization_is_a_second_sentence():
    measured, floors, rows = entropies(np.ones(6), np.full(6, 2.0))
    calm, memorizing = (summarize(measured, floors, rows, seed=0, losses=(loss, 3.0)) for loss in (2.5, 1.25))
    assert calm["memorization"] == ""
    assert calm["verdict"].endswith("over 6 samples).")
    assert memorizing["verdict"] == f"{calm['verdict']} {memorizing['memorization']}"
    assert memorizing["memorization"] == (
        "The model memorizes its train samples: with the same masks its loss is 1.250 on them and 3.000 on held-out ones."
    )
    assert verdict({"masked_feature": calm}) == calm["verdict"]
    assert verdict({"masked_feature": calm, "phenotype": calm}) == (
        f"Masked features: {calm['verdict']} Masked phenotypes: {calm['verdict']}"
    )


def test_values_may_be_centered_by_given_means():
    value, guess = np.array([1.0, 2.0, 11.0, 12.0]), np.array([1.0, 3.0, 10.0, 12.0])
    measured = {"squared_error": (value - guess) ** 2, "prediction": guess, "value": value, "feature": np.array([0, 0, 1, 1])}
    found = summarize(measured, {}, np.arange(4), seed=0, train_mean=np.array([1.0, 10.0]))["model"]
    expected = np.corrcoef([0, 1, 1, 2], [0, 2, 0, 2])[0, 1]
    assert found["centered_correlation"] == pytest.approx(expected)


def test_nothing_to_compare():
    assert summarize({"cross_entropy": np.ones(2)}, {}, np.arange(2), seed=0)["verdict"] == (
        "The model reaches cross-entropy 1.000; no floor was fitted."
    )
    empty = summarize({"cross_entropy": np.zeros(0)}, {"uniform": {"cross_entropy": np.zeros(0)}}, np.zeros(0, int), seed=0)
    assert empty["verdict"] == "Nothing was asked for in the test samples."
    assert empty["difference"] is None
    assert floor_words("a_new_one") == "a new one"


def test_memorization_in_training_is_told_by_the_last_epoch():
    assert memorization_in_training(0.81, 1.0, best_epoch=2, same_masks=True) == ""
    sentence = memorization_in_training(0.5, 1.0, best_epoch=2, same_masks=False)
    assert sentence == (
        "Training ended in memorization: in the last epoch the loss is 0.500 in training and 1.000 on held-out samples; "
        "the weights of epoch 3 are kept."
    )
    same = memorization_in_training(0.5, 1.0, best_epoch=2, same_masks=True)
    assert "on held-out samples, and every epoch hides the same tokens; the weights" in same
    assert verdict({"phenotype": {"verdict": "It wins."}}, sentence) == f"It wins. {sentence}"


def test_the_encoder_is_held_against_the_linear_path_of_its_own_network():
    rows = np.repeat(np.arange(8), 2)
    model, path, floor = ({"cross_entropy": np.full(16, value)} for value in (1.0, 1.25, 2.0))
    found = summarize(model, {"uniform": floor}, rows, seed=0, linear_path=path, notes=["A floor was left out."])
    assert found["linear_path_alone"]["cross_entropy"] == 1.25
    assert found["encoder_difference"]["value"] == -0.25
    assert list(found["floors"]) == ["uniform"]
    assert found["verdict"].endswith(
        "Its encoder improves on its own linear path alone: cross-entropy 1.000 against 1.250 (difference -0.250, "
        "95 % interval -0.250 to -0.250). A floor was left out."
    )
    same = summarize(path, {"uniform": floor}, rows, seed=0, linear_path=path)
    assert "Its encoder does not improve on its own linear path alone: cross-entropy 1.250 against 1.250" in same["verdict"]
    assert summarize(model, {"uniform": floor}, rows, seed=0)["linear_path_alone"] == {}
