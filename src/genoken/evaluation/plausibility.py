"""Scores from genotypes that are too good to be believed unremarked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genoken.core.contracts import Task

SUSPICIOUS: dict[Task, tuple[str, float]] = {"classification": ("roc_auc", 0.95), "regression": ("r2", 0.8)}
"""Metric and value above which a score from inherited variants alone is beyond what most traits allow."""
_WORDS = {"roc_auc": "ROC-AUC", "r2": "R²"}
_FROM_ANCESTRY = ("covariates", "covariates_pcs", "pca_linear")
"""Baselines that know ancestry and covariates, but hardly any single variant."""


def plausibility_note(task: Task, scores: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a sentence on a test score from genotypes that is too good for inherited risk; empty for any other.

    Where ancestry and covariates alone do as well, the label goes with them, and the sentence says so. Otherwise it names what else
    brings such scores: leakage, batch, duplicates, hidden ancestry, and traits of one or two genes.

    Parameters
    ----------
    task
        What is predicted.
    scores
        Metrics of ``model`` and of baselines.
    """
    metric, bound = SUSPICIOUS[task]
    value = scores["model"].get(metric)
    if value is None or value <= bound:
        return ""
    known = [scores[name][metric] for name in _FROM_ANCESTRY if name in scores and scores[name][metric] is not None]
    reached = f"A test {_WORDS[metric]} of {value:.3f}"
    if known and max(known) > bound:
        return (
            f"{reached} comes with {max(known):.3f} from ancestry and covariates alone: the label goes with them, and the score "
            "says where samples come from, not what their variants do."
        )
    return (
        f"{reached} is more than inherited variants explain of most traits: look for leakage, batches, duplicates and ancestry "
        "before believing it; a trait of one or two genes can reach it."
    )
