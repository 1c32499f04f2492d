"""Seeds in the range that scikit-learn takes."""

from __future__ import annotations

from genoken.core.random import seed_for


def sklearn_seed(seed: int, baseline: str) -> int:
    """Return a seed in [0, 2**32) that is a pure function of the run's seed and the baseline's name."""
    return seed_for(seed, "baseline", baseline) & 0xFFFFFFFF
