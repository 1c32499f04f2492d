"""The verdict: the keys of the run folder, the best baseline, and sentences for every outcome."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from genoken.core.files import to_json
from genoken.evaluation.baseline_words import baseline_words
from genoken.evaluation.verdict import best_baseline, evaluate_predictions

CLASSES = ("B cell", "NK cell", "T cell")


def noisy(codes, share_right, seed):
    """Return probabilities whose highest is right for about this share of the samples."""
    rng = np.random.default_rng(seed)
    chosen = np.where(rng.random(len(codes)) < share_right, codes, (codes + rng.integers(1, 3, len(codes))) % 3)
    return 0.7 * np.eye(3)[chosen] + 0.1


def evaluate(model, linear, num_groups=12, **options):
    codes = np.resize([0, 1, 2], 360)
    groups = np.repeat([f"donor{index:02d}" for index in range(num_groups)], 360 // num_groups) if num_groups else None
    predictions = {
        "model": noisy(codes, model, 1),
        "majority": np.tile([0.4, 0.3, 0.3], (360, 1)),
        "linear": noisy(codes, linear, 2),
    }
    arguments = {
        "task": "classification",
        "labels": codes,
        "predictions": predictions,
        "classes": CLASSES,
        "groups": groups,
        "seed": 0,
        "draws": 200,
        "threshold": 0.5,
    }
    return evaluate_predictions(**(arguments | options))


def test_holds_the_keys_that_the_run_folder_promises():
    test = evaluate(0.9, 0.8)["test"]
    assert set(test) == {
        *("samples", "groups", "model", "baselines", "difference", "increment", "within", "plausibility"),
        *("per_class", "confusion", "calibration", "curves"),
    }
    assert (test["increment"], test["within"], test["plausibility"]) == (None, None, "")
    assert (test["samples"], test["groups"]) == (360, 12)
    metrics = {"accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "mcc", "brier", "log_loss", "ece"}
    expected = metrics | {f"{metric}_interval" for metric in metrics}
    assert set(test["model"]) == set(test["baselines"]["linear"]) == set(test["baselines"]["majority"]) == expected
    assert set(test["difference"]) == {"baseline", "metric", "value", "interval", "unit", "draws"}
    assert set(test["per_class"]) == set(test["confusion"]) == set(test["calibration"]) == {"model", "majority", "linear"}
    assert set(test["per_class"]["model"]["T cell"]) == {
        "precision", "recall", "f1", "average_precision", "roc_auc", "support", "predicted_rate",
    }  # fmt: skip
    assert set(test["calibration"]["model"]["bins"][0]) == {"low", "high", "samples", "confidence", "accuracy"}
    assert set(test["curves"]) == {"model"}
    assert set(test["curves"]["model"]["T cell"]) == {"roc", "pr"}
    assert np.sum(test["confusion"]["model"]) == 360
    json.dumps(to_json(test), allow_nan=False)


def test_intervals_hold_their_values_and_the_difference_is_that_of_the_scores():
    test = evaluate(0.9, 0.8)["test"]
    for metric in ("accuracy", "macro_f1", "brier"):
        low, high = test["model"][f"{metric}_interval"]
        assert low < test["model"][metric] < high
    assert test["difference"]["value"] == pytest.approx(test["model"]["macro_f1"] - test["baselines"]["linear"]["macro_f1"])
    assert test["difference"]["unit"] == "groups"


def test_a_win_a_loss_and_a_tie_are_called_as_the_interval_says():
    won = evaluate(0.95, 0.7)
    value, (low, high) = won["test"]["difference"]["value"], won["test"]["difference"]["interval"]
    model, linear = won["test"]["model"]["macro_f1"], won["test"]["baselines"]["linear"]["macro_f1"]
    assert low > 0
    assert won["verdict"] == (
        f"The transformer beats logistic regression: macro-F1 {model:.3f} against {linear:.3f}, "
        f"a difference of +{value:.3f} (95 % interval +{low:.3f} to +{high:.3f} over 12 groups)."
    )
    lost = evaluate(0.7, 0.95)
    assert lost["test"]["difference"]["interval"][1] < 0
    assert lost["verdict"].startswith("Logistic regression wins; the transformer does not beat it: macro-F1 0.")
    tied = evaluate(0.8, 0.8)
    assert tied["test"]["difference"]["interval"][0] < 0 < tied["test"]["difference"]["interval"][1]
    assert tied["verdict"].startswith("The transformer cannot be told apart from logistic regression: macro-F1 0.")


def test_few_groups_give_no_interval_and_say_so():
    found = evaluate(0.95, 0.7, num_groups=4)
    assert found["test"]["difference"]["interval"] is None
    assert found["test"]["model"]["accuracy_interval"] is None
    assert found["verdict"].startswith("The transformer scores higher than logistic regression: macro-F1 0.")
    assert found["verdict"].endswith("no interval is given from fewer than 5 groups (here 4), so this may be chance.")
    assert "scores lower than" in evaluate(0.7, 0.95, num_groups=4)["verdict"]


def test_samples_are_the_unit_without_groups():
    found = evaluate(0.95, 0.7, num_groups=0)
    assert found["test"]["groups"] is None
    assert found["test"]["difference"]["unit"] == "samples"
    assert found["verdict"].endswith("over 360 samples).")


def test_the_best_baseline_has_the_highest_main_metric_not_the_first_place():
    scores = {
        "majority": {"macro_f1": 0.1},
        "linear": {"macro_f1": 0.6},
        "pca_linear": {"macro_f1": 0.7},
        "none": {"macro_f1": None},
    }
    assert best_baseline(scores, "macro_f1") == "pca_linear"
    assert best_baseline({"none": {"macro_f1": None}}, "macro_f1") is None


def test_without_baselines_there_is_no_difference():
    codes = np.resize([0, 1, 2], 360)
    found = evaluate(0.9, 0.9, predictions={"model": noisy(codes, 0.9, 1)}, model_words="the perceptron")
    assert found["test"]["difference"] is None
    assert found["verdict"].startswith("The perceptron reaches macro-F1 0.")
    assert found["verdict"].endswith("no baseline was fitted.")


def test_folds_only_change_what_is_ranked():
    pooled, within = evaluate(0.8, 0.8)["test"]["model"], evaluate(0.8, 0.8, folds=np.resize([0, 1, 2, 3, 4], 360))["test"]["model"]
    assert pooled["macro_f1"] == within["macro_f1"]
    assert pooled["roc_auc"] != within["roc_auc"]
    assert within["roc_auc_interval"][0] < within["roc_auc"] < within["roc_auc_interval"][1]


def test_binary_metrics_use_the_threshold():
    codes, positive = np.resize([0, 1], 40), np.resize([0.3, 0.45], 40)
    probabilities = {"model": np.stack([1 - positive, positive], axis=1), "majority": np.full((40, 2), 0.5)}
    arguments = {"task": "classification", "labels": codes, "predictions": probabilities, "groups": None, "seed": 0, "draws": 20}
    strict = evaluate_predictions(**arguments, classes=("no", "yes"), threshold=0.5)["test"]["model"]
    loose = evaluate_predictions(**arguments, classes=("no", "yes"), threshold=0.4)["test"]["model"]
    assert (strict["accuracy"], strict["predicted_positive_rate"]) == (0.5, 0.0)
    assert (loose["accuracy"], loose["predicted_positive_rate"]) == (1.0, 0.5)


def test_regression_is_compared_by_r2():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    predictions = {
        "model": truth + 0.2 * rng.normal(size=200),
        "majority": np.zeros(200),
        "linear": truth + 0.8 * rng.normal(size=200),
    }
    found = evaluate_predictions(
        task="regression", labels=truth, predictions=predictions, classes=(), groups=np.repeat(np.arange(10), 20), seed=0, draws=100
    )
    assert found["test"]["difference"]["metric"] == "r2"
    assert found["test"]["baselines"]["majority"]["pearson"] is None
    assert found["test"]["baselines"]["majority"]["pearson_interval"] is None
    assert found["test"]["confusion"] == found["test"]["curves"] == {}
    assert found["verdict"].startswith("The transformer beats ridge regression: R² 0.9")


def test_the_train_means_of_folds_have_no_correlation():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 15)
    folds, truth = groups % 5, rng.normal(size=300) + rng.normal(size=20)[groups]
    means = np.array([truth[folds != fold].mean() for fold in range(5)])[folds]
    model = means + 0.5 * (truth - truth.mean()) + 0.1 * rng.normal(size=300)
    arguments = {"task": "regression", "labels": truth, "classes": (), "groups": groups, "seed": 0, "draws": 100}
    pooled = evaluate_predictions(**arguments, predictions={"model": model, "majority": means})["test"]
    assert pooled["baselines"]["majority"]["pearson"] < -0.1
    test = evaluate_predictions(**arguments, predictions={"model": model, "majority": means}, folds=folds)["test"]
    for metric in ("pearson", "spearman"):
        assert test["baselines"]["majority"][metric] is None
        assert test["baselines"]["majority"][f"{metric}_interval"] is None
        low, high = test["model"][f"{metric}_interval"]
        assert low < test["model"][metric] < high
    within = [np.corrcoef(truth[folds == fold], model[folds == fold])[0, 1] for fold in range(5)]
    assert test["model"]["pearson"] == pytest.approx(np.mean(within))
    assert test["model"]["r2_interval"] == pooled["model"]["r2_interval"]


def test_labels_that_do_not_vary_cannot_be_compared():
    predictions = {"model": np.arange(20.0), "majority": np.zeros(20)}
    found = evaluate_predictions(
        task="regression", labels=np.ones(20), predictions=predictions, classes=(), groups=None, seed=0, draws=10
    )
    assert found["test"]["difference"] is None
    assert found["verdict"] == "The transformer has no R² on these samples, so nothing can be compared."


def test_baselines_have_plain_names():
    assert baseline_words("pca_linear", "classification") == "PCA + logistic regression"
    assert baseline_words("majority", "regression") == "the train mean"
    assert baseline_words("nearest_neighbors", "regression") == "k nearest neighbors"
    assert baseline_words("random_forest", "classification") == "random forest"


def with_summands(path, encoder, model=0.8, **options):
    codes = np.resize([0, 1, 2], 360)
    predictions = {
        "model": noisy(codes, model, 1),
        "without_linear_path": noisy(codes, encoder, 3),
        "linear_path_alone": noisy(codes, path, 4),
        "linear": noisy(codes, 0.6, 2),
    }
    return evaluate(model, 0.6, predictions=predictions, **options)


def test_an_ablation_is_scored_on_the_same_draws_but_is_no_baseline():
    found = with_summands(path=0.99, encoder=0.98)
    assert list(found["test"]["baselines"]) == ["linear"]
    assert found["test"]["difference"]["baseline"] == "linear"
    assert set(found["test"]["confusion"]) == set(found["test"]["per_class"]) == {"model", "linear"}
    assert set(found["ablation"]) == {"without_linear_path", "linear_path_alone"}
    assert set(found["ablation"]["linear_path_alone"]) == set(found["test"]["model"])
    low, high = found["ablation"]["linear_path_alone"]["macro_f1_interval"]
    assert low <= found["ablation"]["linear_path_alone"]["macro_f1"] <= high
    gap = found["ablation_difference"]
    assert (gap["part"], gap["metric"], gap["unit"], gap["draws"]) == ("linear_path_alone", "macro_f1", "groups", 200)
    path = found["ablation"]["linear_path_alone"]["macro_f1"]
    assert gap["value"] == pytest.approx(found["test"]["model"]["macro_f1"] - path)
    assert gap["interval"][0] < gap["value"] < gap["interval"][1]
    # On the same draws: as a baseline the path would have had the very same interval of the difference.
    codes = np.resize([0, 1, 2], 360)
    as_rival = evaluate(0.8, 0.8, predictions={"model": noisy(codes, 0.8, 1), "linear": noisy(codes, 0.99, 4)})
    assert as_rival["test"]["difference"]["interval"] == gap["interval"]


def test_a_second_sentence_says_what_the_encoder_adds():
    added = with_summands(path=0.5, encoder=0.7)
    value, (low, high) = added["ablation_difference"]["value"], added["ablation_difference"]["interval"]
    model, path = added["test"]["model"]["macro_f1"], added["ablation"]["linear_path_alone"]["macro_f1"]
    assert low > 0
    assert added["verdict"].startswith("The transformer beats logistic regression: ")
    assert added["verdict"].endswith(
        f"over 12 groups). The encoder adds to the model's own linear path: macro-F1 {model:.3f} against {path:.3f}, "
        f"a difference of +{value:.3f} (95 % interval +{low:.3f} to +{high:.3f} over 12 groups)."
    )
    worse = with_summands(path=0.97, encoder=0.7)
    assert worse["ablation_difference"]["interval"][1] < 0
    assert " The encoder makes the model's own linear path worse: macro-F1 0." in worse["verdict"]
    tied = with_summands(path=0.84, encoder=0.7)
    assert tied["ablation_difference"]["interval"][0] < 0 < tied["ablation_difference"]["interval"][1]
    assert " The model cannot be told apart from its own linear path alone: macro-F1 0." in tied["verdict"]
    few = with_summands(path=0.5, encoder=0.7, num_groups=4)
    assert few["ablation_difference"]["interval"] is None
    assert " The model scores higher than its own linear path alone: macro-F1 0." in few["verdict"]
    assert few["verdict"].endswith("no interval is given from fewer than 5 groups (here 4), so this may be chance.")


def test_a_model_without_summands_has_no_ablation():
    found = evaluate(0.9, 0.8)
    assert (found["ablation"], found["ablation_difference"]) == ({}, None)
    assert found["verdict"].count(" groups).") == 1


def test_one_class_alone_is_scored_without_what_needs_two():
    predictions = {"model": noisy(np.zeros(360, dtype=int), 0.9, 1), "linear": noisy(np.zeros(360, dtype=int), 0.7, 2)}
    found = evaluate(0.9, 0.7, labels=np.zeros(360, dtype=int), predictions=predictions)
    scores = found["test"]["model"]
    assert scores["accuracy"] == (predictions["model"].argmax(axis=1) == 0).mean()
    assert [name for name, value in scores.items() if value is None] == [
        "roc_auc", "roc_auc_interval", "average_precision", "average_precision_interval", "mcc", "mcc_interval",
    ]  # fmt: skip
    assert found["test"]["curves"] == {"model": {}}
    json.dumps(to_json(found), allow_nan=False)


def test_the_curve_that_is_drawn_has_the_area_that_is_printed():
    test = evaluate(0.8, 0.8, folds=np.resize([0, 1, 2, 3, 4], 360))["test"]
    for name in CLASSES:
        roc = test["curves"]["model"][name]["roc"]
        area = np.trapezoid(roc["true_positive_rate"], roc["false_positive_rate"])
        assert area == pytest.approx(test["per_class"]["model"][name]["roc_auc"], abs=1e-9)


def test_the_model_must_be_there():
    with pytest.raises(ValueError, match="'model'"):
        evaluate(0.9, 0.9, predictions={"linear": np.full((360, 3), 1 / 3)})


def with_scratch(model, scratch, num_groups=12):
    codes = np.resize([0, 1, 2], 360)
    predictions = {"model": noisy(codes, model, 1), "scratch": noisy(codes, scratch, 3), "linear": noisy(codes, 0.5, 2)}
    return evaluate(0, 0, num_groups, predictions=predictions)


def test_the_same_network_from_scratch_is_no_baseline():
    found = with_scratch(0.9, 0.95)
    assert set(found["test"]["baselines"]) == {"linear"}
    assert found["test"]["difference"]["baseline"] == "linear"
    assert set(found["test"]["per_class"]) == {"model", "linear"}
    gap = found["scratch_difference"]
    assert gap["value"] == pytest.approx(found["test"]["model"]["macro_f1"] - found["scratch"]["macro_f1"])
    assert set(gap) == {"metric", "value", "interval", "unit", "draws"}
    assert "scratch" not in evaluate(0.9, 0.8)
    assert "scratch_difference" not in evaluate(0.9, 0.8)


@pytest.mark.parametrize(
    ("model", "scratch", "groups", "words"),
    [
        (0.9, 0.6, 12, r"Pretraining adds \+0\.\d{3} \[\+0\.\d{3}, \+0\.\d{3}\] macro-F1 over the same network from scratch\."),
        (
            0.6,
            0.9,
            12,
            r"Pretraining does harm: -0\.\d{3} \[-0\.\d{3}, -0\.\d{3}\] macro-F1 against the same network from scratch\.",
        ),
        (
            0.8,
            0.8,
            12,
            r"Pretraining does not add anything beyond chance: \S+ \[-\S+, \+\S+\] macro-F1 over the same network from scratch\.",
        ),
        (
            0.9,
            0.6,
            4,
            r"Pretraining changes macro-F1 by \+0\.\d{3} against the same network from scratch; no interval is given from fewer "
            r"than 5 groups \(here 4\), so this may be chance\.",
        ),
    ],
)
def test_what_pretraining_adds_is_said_as_its_interval_says(model, scratch, groups, words):
    verdict = with_scratch(model, scratch, groups)["verdict"]
    assert re.search(rf"\. {words}$", verdict), verdict


def test_the_interval_of_what_pretraining_adds_is_paired():
    codes = np.resize([0, 1, 2], 360)
    same = noisy(codes, 0.7, 1)
    found = evaluate(0, 0, predictions={"model": same, "scratch": same.copy()})
    assert (found["scratch_difference"]["value"], found["scratch_difference"]["interval"]) == (0.0, [0.0, 0.0])


def with_covariates(known, model=0.9, **options):
    codes = np.resize([0, 1, 2], 360)
    predictions = {"model": noisy(codes, model, 1), "linear": noisy(codes, 0.95, 2)}
    return evaluate(0.5, 0.5, predictions=predictions | {name: noisy(codes, share, 3) for name, share in known.items()}, **options)


def test_the_headline_is_what_the_model_adds_to_covariates_and_components_with_a_paired_interval():
    found = with_covariates({"covariates": 0.3, "covariates_pcs": 0.6})
    test, increment = found["test"], found["test"]["increment"]
    assert (increment["baseline"], increment["metric"], increment["unit"], increment["draws"]) == (
        "covariates_pcs", "macro_f1", "groups", 200,
    )  # fmt: skip
    assert increment["value"] == pytest.approx(test["model"]["macro_f1"] - test["baselines"]["covariates_pcs"]["macro_f1"])
    low, high = increment["interval"]
    assert 0 < low < increment["value"] < high
    others = increment["others"]
    assert set(others) == {"roc_auc", "average_precision"}
    assert others["roc_auc"]["value"] == pytest.approx(test["model"]["roc_auc"] - test["baselines"]["covariates_pcs"]["roc_auc"])
    assert found["test"]["difference"]["baseline"] == "linear"  # the strongest baseline is another one
    assert re.search(
        r"The model adds \+0\.\d+ \[\+0\.\d+, \+0\.\d+\] macro-F1 over covariates and principal components\.$", found["verdict"]
    )


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"covariates": 0.5}, r"The model adds \+0\.\d+ .* over covariates\."),
        ({"covariates_pcs": 0.9}, r"The model does not add anything beyond chance: .* over covariates and principal components\."),
        ({"covariates_pcs": 1.0}, r"The model does harm: .* against covariates and principal components\."),
    ],
)
def test_what_the_model_adds_is_said_as_its_interval_says(known, words):
    assert re.search(words, with_covariates(known)["verdict"])


def test_scores_of_genotypes_are_given_within_strata_and_remarked_on_when_they_are_too_good():
    strata = np.resize(["CEU", "YRI"], 360)
    arguments = {"strata": ("population", strata), "is_genotypes": True}
    found = with_covariates({"covariates_pcs": 0.5}, model=1.0, **arguments)
    within = found["test"]["within"]
    assert list(within["strata"]) == ["CEU", "YRI"]
    assert set(within["mean"]) == {"model", "covariates_pcs", "linear"}
    assert within["strata"]["CEU"]["model"]["accuracy"] == 1.0
    assert found["verdict"].endswith(found["test"]["plausibility"])
    assert found["test"]["plausibility"].startswith("A test ROC-AUC of 1.000 is more than inherited variants explain")
    assert with_covariates({"covariates_pcs": 0.5}, **arguments)["test"]["plausibility"] == ""
