"""How strongly two categorical columns go together."""

from __future__ import annotations

import numpy as np
import pandas as pd


def contingency(rows: pd.Series, columns: pd.Series) -> pd.DataFrame:
    """Return how many samples have each pair of values; samples without either are left out."""
    return pd.crosstab(rows.to_numpy(), columns.to_numpy())


def cramers_v(table: pd.DataFrame) -> float:
    r"""Return the bias-corrected Cramér's V of a contingency table: 0 for independence, 1 when one column decides the other.

    With :math:`\varphi^2 = \chi^2 / n`, r rows and c columns that are not empty:

    .. math::

        V = \sqrt{\frac{\max(0, \varphi^2 - (r - 1)(c - 1) / (n - 1))}{\min(\tilde r, \tilde c) - 1}},
        \quad \tilde r = r - \frac{(r - 1)^2}{n - 1}

    Parameters
    ----------
    table
        Counts of shape (rows, columns).

    Returns
    -------
    float
        From 0 to 1; 0 when there are fewer than two rows or columns.

    References
    ----------
    Bergsma, A bias-correction for Cramér's V and Tschuprow's T, J. Korean Stat. Soc. 42:323 (2013).
    """
    counts = table.to_numpy(dtype=np.float64)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    total = counts.sum()
    if min(counts.shape) < 2:
        return 0.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
    phi2 = float((((counts - expected) ** 2) / expected).sum() / total)
    r, c = counts.shape
    phi2 = max(0.0, phi2 - (r - 1) * (c - 1) / (total - 1))
    smaller = min(r - (r - 1) ** 2 / (total - 1), c - (c - 1) ** 2 / (total - 1)) - 1
    return float(min(1.0, np.sqrt(phi2 / smaller))) if smaller > 0 else 0.0


def purity(table: pd.DataFrame) -> float:
    """Return the share of samples whose row is the most frequent one of their column: 1 when the column decides the row."""
    counts = table.to_numpy()
    return float(counts.max(axis=0).sum() / counts.sum()) if counts.sum() else 0.0
