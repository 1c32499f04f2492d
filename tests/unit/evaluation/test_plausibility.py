"""Which scores from genotypes are remarked on, and how."""

from __future__ import annotations

import pytest

from genoken.evaluation.plausibility import plausibility_note


@pytest.mark.parametrize(
    ("task", "scores", "words"),
    [
        ("classification", {"model": {"roc_auc": 0.95}}, ""),
        ("classification", {"model": {"roc_auc": None}}, ""),
        ("classification", {"model": {"roc_auc": 0.991}}, "A test ROC-AUC of 0.991 is more than inherited variants explain"),
        (
            "classification",
            {"model": {"roc_auc": 0.991}, "covariates_pcs": {"roc_auc": 0.6}, "linear": {"roc_auc": 0.99}},
            "look for leakage, batches, duplicates and ancestry",
        ),
        (
            "classification",
            {"model": {"roc_auc": 0.991}, "covariates_pcs": {"roc_auc": 0.9}, "pca_linear": {"roc_auc": 0.97}},
            "A test ROC-AUC of 0.991 comes with 0.970 from ancestry and covariates alone: the label goes with them",
        ),
        ("regression", {"model": {"r2": 0.8}}, ""),
        ("regression", {"model": {"r2": 0.93}, "covariates": {"r2": None}}, "A test R² of 0.930 is more than inherited variants"),
    ],
)
def test_what_is_said_of_a_score(task, scores, words):
    found = plausibility_note(task, scores)
    assert words in found
    assert bool(found) == bool(words)
