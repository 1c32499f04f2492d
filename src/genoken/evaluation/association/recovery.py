"""How well scores of variants point to the causal ones, where these are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

TOP = 10
"""Variants that count as the first ones of a ranking."""
TAGGED = 0.8
"""Smallest ``r²`` with which a variant stands for a causal one."""
SAME_SIGNAL = 0.5
"""Smallest ``r²`` of two variants of one signal."""


def recovery(
    scores: np.ndarray, is_causal: np.ndarray, linkage: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> dict[str, float]:
    """Return what a ranking of variants is worth.

    ``average_precision`` and ``recall_at_10`` of the exact causal variants; ``linkage_recall``: share of them with a variant of
    r² of at least 0.8 among the first ten; ``signal_fdr``: variants are clumped from the top (r² of at least 0.5 with a clump's
    first joins it), as many clumps are taken as there are causal variants, and this is the share of those whose first variant has
    an r² below 0.8 with all causal ones.

    Parameters
    ----------
    scores
        Shape (variants,), higher is more important; no missing values.
    is_causal
        bool (variants,).
    linkage
        r² (rows, columns) of variants by their places.
    """
    from sklearn.metrics import average_precision_score

    order = np.argsort(-scores, kind="stable")
    causal = np.flatnonzero(is_causal)
    leads = _first_signals(order, len(causal), linkage)
    return {
        "average_precision": float(average_precision_score(is_causal, scores)),
        "recall_at_10": float(is_causal[order[:TOP]].sum() / len(causal)),
        "linkage_recall": float((linkage(order[:TOP], causal) >= TAGGED).any(axis=0).mean()),
        "signal_fdr": float((linkage(leads, causal).max(axis=1) < TAGGED).mean()),
    }


def _first_signals(order: np.ndarray, count: int, linkage: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the first variants of the first so many clumps."""
    leads = order[:1]
    for place in range(1, len(order)):
        if len(leads) == count:
            break
        variant = order[place : place + 1]
        if (linkage(variant, leads) < SAME_SIGNAL).all():
            leads = np.concatenate([leads, variant])
    return leads
