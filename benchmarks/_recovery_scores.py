"""How well scores of variants point to the causal ones."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score

TOP = 10
TAGGED = 0.8
SAME_SIGNAL = 0.5


def recovery(scores: np.ndarray, is_causal: np.ndarray, linkage: np.ndarray) -> dict[str, float]:
    """Return what the ranking of variants is worth.

    ``average_precision`` and ``recall_at_10`` of the exact causal variants; ``linkage_recall``: share of them with a variant of
    r² of at least 0.8 among the first ten; ``signal_fdr``: variants are clumped from the top (r² of at least 0.5 with a clump's
    first joins it), as many clumps are taken as there are causal variants, and this is the share of those whose first variant has
    an r² below 0.8 with all causal ones.

    Parameters
    ----------
    scores
        Shape (variants,), higher is more important.
    is_causal
        bool (variants,).
    linkage
        r² (variants, variants).
    """
    order = np.argsort(-scores, kind="stable")
    causal = np.flatnonzero(is_causal)
    tagged = linkage[np.ix_(order[:TOP], causal)] >= TAGGED
    leads: list[int] = []
    for variant in order:
        if all(linkage[variant, lead] < SAME_SIGNAL for lead in leads):
            leads.append(int(variant))
        if len(leads) == len(causal):
            break
    return {
        "average_precision": float(average_precision_score(is_causal, scores)),
        "recall_at_10": float(is_causal[order[:TOP]].sum() / len(causal)),
        "linkage_recall": float(tagged.any(axis=0).mean()),
        "signal_fdr": float((linkage[np.ix_(leads, causal)].max(axis=1) < TAGGED).mean()),
    }


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Jaccard index of the first ten of two rankings."""
    first, second = (set(np.argsort(-scores, kind="stable")[:TOP].tolist()) for scores in (one, other))
    return len(first & second) / len(first | second)


def paired_interval(differences: np.ndarray, draws: np.random.Generator) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean over replicates."""
    means = draws.choice(differences, size=(4000, len(differences))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
