"""What is asked of rankings of variants over several replicates."""

from __future__ import annotations

import numpy as np

from genoken.evaluation.association.recovery import TOP


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Jaccard index of the first ten of two rankings."""
    first, second = (set(np.argsort(-scores, kind="stable")[:TOP].tolist()) for scores in (one, other))
    return len(first & second) / len(first | second)


def paired_interval(differences: np.ndarray, draws: np.random.Generator) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean over replicates."""
    means = draws.choice(differences, size=(4000, len(differences))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
