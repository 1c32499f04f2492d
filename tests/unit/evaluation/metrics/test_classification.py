"""Classification metrics: by hand, against scikit-learn, and what is undefined."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from genoken.evaluation.metrics import classification
from genoken.evaluation.metrics.classification import (
    classification_metrics,
    confusion,
    metrics_of_confusion,
    per_class_table,
    predicted_codes,
    ranking_scores,
)

THREE = ("a", "b", "c")


def random_problem(num_classes, num_samples=200, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, num_classes, num_samples)
    probabilities = rng.dirichlet(np.full(num_classes, 0.7), num_samples)
    probabilities[np.arange(num_samples), codes] += 0.2
    return codes, probabilities / probabilities.sum(axis=1, keepdims=True)


def test_binary_metrics_by_hand():
    codes = np.array([1, 1, 0, 0])
    positive = np.array([0.8, 0.4, 0.6, 0.2])
    scores = classification_metrics(codes, np.stack([1 - positive, positive], axis=1), classes=("no", "yes"))
    assert scores["accuracy"] == 0.5
    assert scores["balanced_accuracy"] == 0.5
    assert scores["macro_f1"] == 0.5
    assert scores["mcc"] == 0.0
    assert scores["predicted_positive_rate"] == 0.5
    assert scores["roc_auc"] == 0.75  # 3 of the 4 pairs are in order
    assert scores["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert scores["brier"] == pytest.approx((0.04 + 0.36 + 0.36 + 0.04) / 4)
    assert scores["log_loss"] == pytest.approx(-np.log([0.8, 0.4, 0.4, 0.8]).mean())
    # Confidences 0.8, 0.6, 0.6, 0.8: right, wrong, wrong, right.
    assert scores["ece"] == pytest.approx(0.5 * 0.2 + 0.5 * 0.6)


def test_multi_class_metrics_are_those_of_scikit_learn():
    codes, probabilities = random_problem(3)
    predicted = probabilities.argmax(axis=1)
    scores = classification_metrics(codes, probabilities, classes=THREE)
    assert scores["accuracy"] == pytest.approx(sk.accuracy_score(codes, predicted))
    assert scores["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(codes, predicted))
    assert scores["macro_f1"] == pytest.approx(sk.f1_score(codes, predicted, average="macro"))
    assert scores["mcc"] == pytest.approx(sk.matthews_corrcoef(codes, predicted))
    assert scores["roc_auc"] == pytest.approx(sk.roc_auc_score(codes, probabilities, multi_class="ovr"))
    assert scores["average_precision"] == pytest.approx(sk.average_precision_score(np.eye(3)[codes], probabilities))
    assert scores["log_loss"] == pytest.approx(sk.log_loss(codes, probabilities))
    assert scores["brier"] == pytest.approx(sk.brier_score_loss(codes, probabilities, scale_by_half=False))
    assert "predicted_positive_rate" not in scores


def test_binary_metrics_are_those_of_scikit_learn_at_another_threshold():
    codes, probabilities = random_problem(2)
    scores = classification_metrics(codes, probabilities, classes=("no", "yes"), threshold=0.3)
    predicted = probabilities[:, 1] >= 0.3
    assert scores["macro_f1"] == pytest.approx(sk.f1_score(codes, predicted, average="macro"))
    assert scores["predicted_positive_rate"] == pytest.approx(predicted.mean())
    assert scores["roc_auc"] == pytest.approx(sk.roc_auc_score(codes, probabilities[:, 1]))
    assert scores["brier"] == pytest.approx(sk.brier_score_loss(codes, probabilities[:, 1]))


def test_the_threshold_itself_is_positive_and_ties_go_to_the_first_class():
    assert predicted_codes(np.array([[0.5, 0.5], [0.51, 0.49]])).tolist() == [1, 0]
    assert predicted_codes(np.array([[0.4, 0.4, 0.2]])).tolist() == [0]


def test_a_class_that_is_absent_is_left_out_and_one_class_has_no_ranking():
    codes, probabilities = random_problem(4)
    codes = np.where(codes == 3, 0, codes)
    scores = classification_metrics(codes, probabilities, classes=("a", "b", "c", "d"))
    every = [sk.roc_auc_score(codes == code, probabilities[:, code]) for code in range(3)]
    assert scores["roc_auc"] == pytest.approx(np.mean(every))
    alone = classification_metrics(np.zeros(5, dtype=int), probabilities[:5], classes=("a", "b", "c", "d"))
    assert alone["roc_auc"] is None
    assert alone["average_precision"] is None
    assert alone["mcc"] is None
    assert alone["balanced_accuracy"] == alone["accuracy"] == (probabilities[:5].argmax(axis=1) == 0).mean()


def test_mcc_of_one_true_class_is_not_defined_and_of_one_predicted_class_is_zero():
    found = metrics_of_confusion(np.array([[[3, 1], [0, 0]], [[3, 0], [1, 0]], [[2, 0], [0, 2]]]))
    np.testing.assert_array_equal(found["mcc"], [np.nan, 0.0, 1.0])


def test_ranking_within_folds_does_not_compare_scores_of_different_models():
    is_positive = np.array([True, False, True, False])
    scores, folds = np.array([0.9, 0.8, 0.2, 0.1]), np.array([0, 0, 1, 1])
    assert ranking_scores(is_positive, scores, np.zeros(4)) == pytest.approx((0.75, (1 + 2 / 3) / 2))
    assert ranking_scores(is_positive, scores, folds) == (1.0, 1.0)
    assert ranking_scores(is_positive, scores, np.array([0, 1, 0, 1])) is None


def test_ranking_within_folds_counts_pairs_for_the_area_and_positives_for_the_precision():
    rng = np.random.default_rng(0)
    truth, scores, folds = rng.random(90) < 0.3, rng.random(90).round(1), np.repeat([0, 1, 2], [20, 30, 40])
    areas, precisions, pairs, positives = [], [], [], []
    for fold in range(3):
        inside = folds == fold
        areas.append(sk.roc_auc_score(truth[inside], scores[inside]))
        precisions.append(sk.average_precision_score(truth[inside], scores[inside]))
        positives.append(truth[inside].sum())
        pairs.append(truth[inside].sum() * (~truth[inside]).sum())
    expected = np.average(areas, weights=pairs), np.average(precisions, weights=positives)
    assert ranking_scores(truth, scores, folds) == pytest.approx(expected)


def test_a_constant_ranks_at_one_half_within_folds_though_not_across():
    codes = np.array([1, 1, 1, 0, 1, 0, 0, 0])
    folds = np.repeat([0, 1], 4)
    # The majority baseline of each fold: the share of positives in the other fold.
    positive = np.where(folds == 0, 0.25, 0.75)
    probabilities = np.stack([1 - positive, positive], axis=1)
    assert classification_metrics(codes, probabilities, classes=("no", "yes"))["roc_auc"] == 0.25
    assert classification_metrics(codes, probabilities, classes=("no", "yes"), folds=folds)["roc_auc"] == 0.5


def test_confusion_has_true_classes_in_rows():
    matrix = confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    found = metrics_of_confusion(matrix[None])
    assert found["accuracy"][0] == 0.5
    assert found["balanced_accuracy"][0] == pytest.approx((0.5 + 1 + 0) / 3)
    assert found["macro_f1"][0] == pytest.approx((2 / 3 + 0.5 + 0) / 3)


def test_a_disagreement_with_the_confusion_matrix_is_an_error(monkeypatch):
    codes, probabilities = random_problem(3)
    monkeypatch.setattr(classification, "confusion", lambda codes, predicted, count: np.eye(count))
    with pytest.raises(AssertionError, match="the confusion matrix says"):
        classification_metrics(codes, probabilities, classes=THREE)


def test_per_class_table_by_hand_and_by_scikit_learn():
    codes, probabilities = random_problem(3)
    codes, probabilities = codes[codes < 2], probabilities[codes < 2]
    table = per_class_table(codes, probabilities, classes=THREE)
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, support = sk.precision_recall_fscore_support(codes, predicted, labels=[0, 1], zero_division=0)
    for code, name in enumerate(("a", "b")):
        row = table[name]
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx((precision[code], recall[code], f1[code]))
        assert row["support"] == support[code]
        assert row["predicted_rate"] == pytest.approx((predicted == code).mean())
        assert row["roc_auc"] == pytest.approx(sk.roc_auc_score(codes == code, probabilities[:, code]))
    assert table["c"]["support"] == 0
    assert table["c"]["recall"] is None
    assert table["c"]["roc_auc"] is None


@pytest.mark.parametrize(
    "probabilities",
    [
        np.full((2, 3), 0.5),
        np.array([[0.5, 0.5, np.nan]] * 2),
        np.array([[1.2, -0.2, 0.0]] * 2),
        np.full((2, 2), 0.5),
        np.full((3, 3), 1 / 3),
    ],
)
def test_what_are_no_probabilities_is_refused(probabilities):
    with pytest.raises(ValueError, match="probabilities"):
        classification_metrics(np.array([0, 1]), probabilities, classes=THREE)


def test_rounding_of_single_precision_is_allowed():
    codes, probabilities = random_problem(3)
    exact = classification_metrics(codes, probabilities, classes=THREE)
    rounded = classification_metrics(codes, probabilities.astype(np.float32), classes=THREE)
    assert rounded == pytest.approx(exact, abs=1e-6)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="no samples"):
        classification_metrics(np.array([], dtype=int), np.zeros((0, 3)), classes=THREE)
