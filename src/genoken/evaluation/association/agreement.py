"""How far two rankings of variants agree."""

from __future__ import annotations

import numpy as np


def ranking_agreement(first: np.ndarray, second: np.ndarray, *, top: int) -> dict[str, float | int]:
    """Return how alike two rankings of variants are, over the variants that both rank.

    Parameters
    ----------
    first, second
        float (variants,), the higher the better; NaN where a variant has none.
    top
        How many variants count as the first ones.

    Returns
    -------
    dict
        ``spearman``, the rank correlation (NaN where one of them does not vary); ``top``, how many variants count as the first ones
        of each (fewer where fewer are ranked); ``shared``, how many of these are the same; ``expected``, how many would be by
        chance; ``variants``, how many both rank. Of equal numbers the earlier variant comes first.
    """
    from scipy.stats import rankdata

    known = np.flatnonzero(~(np.isnan(first) | np.isnan(second)))
    one, other = first[known], second[known]
    count = min(top, len(known))
    shared = np.intersect1d(np.argsort(-one, kind="stable")[:count], np.argsort(-other, kind="stable")[:count])
    varies = len(known) > 1 and np.ptp(one) > 0 and np.ptp(other) > 0
    correlation = np.corrcoef(rankdata(one), rankdata(other))[0, 1] if varies else np.nan
    return {
        "spearman": float(correlation),
        "top": count,
        "shared": len(shared),
        "expected": count**2 / len(known) if len(known) else 0.0,
        "variants": len(known),
    }
