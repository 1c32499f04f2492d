"""ROC and precision-recall curves: by hand, and their areas are the numbers beside them, also over folds."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from genoken.evaluation.metrics.classification import classification_metrics, per_class_table
from genoken.evaluation.metrics.curves import curves


def two_columns(positive):
    positive = np.asarray(positive, dtype=float)
    return np.stack([1 - positive, positive], axis=1)


def area_below(curve, x, y):
    return np.trapezoid(curve[y], curve[x])


def areas(found):
    return (
        area_below(found["roc"], "false_positive_rate", "true_positive_rate"),
        area_below(found["pr"], "recall", "precision"),
    )


def unlike_folds(num_samples, num_classes, seed=0):
    """Return samples of four folds whose scores have scales and class frequencies of their own."""
    rng = np.random.default_rng(seed)
    folds = rng.choice(4, num_samples, p=[0.1, 0.2, 0.3, 0.4])
    codes = np.array(
        [rng.choice(num_classes, p=np.roll(np.linspace(1, 3, num_classes), fold) / (2 * num_classes)) for fold in folds]
    )
    scores = rng.normal(0, 1, (num_samples, num_classes)) + 1.5 * np.eye(num_classes)[codes]
    scores = np.exp(scores * (1 + folds[:, None]) + folds[:, None] * np.arange(num_classes))
    return codes, scores / scores.sum(axis=1, keepdims=True), folds


def test_one_fold_by_hand():
    found = curves(np.array([0, 1, 0, 1]), two_columns([0.1, 0.8, 0.6, 0.3]), classes=("no", "yes"))
    assert found == {
        "yes": {
            "roc": {"false_positive_rate": [0.0, 0.0, 0.5, 0.5, 1.0], "true_positive_rate": [0.0, 0.5, 0.5, 1.0, 1.0]},
            "pr": {"recall": [0.0, 0.5, 0.5, 1.0], "precision": [1.0, 1.0, 2 / 3, 2 / 3]},
        }
    }


def test_two_folds_by_hand():
    # Fold 0: one positive above one negative (1 pair). Fold 1, on a higher scale: its positive is below one of three negatives
    # (3 pairs). Of a false positive rate of 0 the mean true positive rate is 1 * 1/4 + 0 * 3/4, from 1/3 on it is 1.
    codes, folds = np.array([1, 0, 1, 0, 0, 0]), np.array([0, 0, 1, 1, 1, 1])
    found = curves(codes, two_columns([0.2, 0.1, 0.8, 0.9, 0.7, 0.6]), classes=("no", "yes"), folds=folds)["yes"]
    third = 1 / 3
    assert found["roc"]["false_positive_rate"] == pytest.approx([0, 0, third, third, 1])
    assert found["roc"]["true_positive_rate"] == pytest.approx([0, 0.25, 0.25, 1, 1])
    # Precision where the positive is reached: 1 and 1/2, one positive in each fold.
    assert found["pr"] == {"recall": [0.0, 1.0], "precision": [0.75, 0.75]}
    assert areas(found)[0] == pytest.approx((1 * 1 + 3 * 2 / 3) / 4)


def test_slopes_of_tied_scores_are_averaged_between_their_corners():
    # Fold 0 is one slope, since all scores are tied; fold 1 has a corner at 1/2. Both have 2 x 2 pairs.
    codes, folds = np.resize([1, 0], 8), np.repeat([0, 1], 4)
    found = curves(codes, two_columns([0.5] * 4 + [0.9, 0.8, 0.7, 0.6]), classes=("no", "yes"), folds=folds)["yes"]
    assert found["roc"]["false_positive_rate"] == [0.0, 0.0, 0.5, 0.5, 1.0]
    assert found["roc"]["true_positive_rate"] == [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("num_classes", [2, 3])
def test_areas_are_the_numbers_of_folds_of_unlike_scales(num_classes):
    codes, probabilities, folds = unlike_folds(60, num_classes)
    classes = tuple("abc"[:num_classes])
    found = curves(codes, probabilities, classes=classes, folds=folds)
    table = per_class_table(codes, probabilities, classes=classes, folds=folds)
    assert list(found) == list(classes[-1:] if num_classes == 2 else classes)
    for name, curve in found.items():
        expected = (table[name]["roc_auc"], table[name]["average_precision"])
        assert areas(curve) == pytest.approx(expected, abs=1e-12)
    pooled = curves(codes, probabilities, classes=classes)
    assert max(abs(areas(pooled[name])[0] - table[name]["roc_auc"]) for name in found) > 0.02


def test_many_points_are_thinned_but_keep_ends_and_areas():
    codes, probabilities, folds = unlike_folds(5000, 2)
    found = curves(codes, probabilities, classes=("no", "yes"), folds=folds)["yes"]
    scores = classification_metrics(codes, probabilities, classes=("no", "yes"), folds=folds)
    assert areas(found) == pytest.approx((scores["roc_auc"], scores["average_precision"]), abs=0.003)
    for part, x, y in (("roc", "false_positive_rate", "true_positive_rate"), ("pr", "recall", "precision")):
        across, up = found[part][x], found[part][y]
        assert len(across) == len(up) <= 200
        assert across == sorted(across)
        assert (across[0], across[-1]) == (0.0, 1.0)
    assert (found["roc"]["true_positive_rate"][0], found["roc"]["true_positive_rate"][-1]) == (0.0, 1.0)


def test_one_fold_has_scikit_learns_areas():
    codes, probabilities, _ = unlike_folds(80, 2)
    found = curves(codes, probabilities, classes=("no", "yes"))["yes"]
    assert areas(found)[0] == pytest.approx(sk.roc_auc_score(codes, probabilities[:, 1]))
    assert areas(found)[1] == pytest.approx(sk.average_precision_score(codes, probabilities[:, 1]))


def test_folds_and_classes_that_cannot_be_ranked_are_left_out():
    codes, folds = np.array([1, 0, 1, 1]), np.array([0, 0, 1, 1])
    found = curves(codes, two_columns([0.2, 0.1, 0.05, 0.9]), classes=("no", "yes"), folds=folds)
    assert found["yes"]["roc"] == {"false_positive_rate": [0.0, 0.0, 1.0], "true_positive_rate": [0.0, 1.0, 1.0]}
    assert curves(codes, two_columns([0.2, 0.1, 0.05, 0.9]), classes=("no", "yes"), folds=np.arange(4)) == {}
    assert curves(np.ones(4, dtype=int), two_columns([0.2, 0.1, 0.05, 0.9]), classes=("no", "yes")) == {}
