"""Whether variants are those of one region, of which principal components are no ancestry."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.core.genotypes import CHROMOSOME, POSITION

LONGEST_BP = 20_000_000
"""Length up to which variants of one chromosome are one region."""
REMEDY = "compute components of the whole genome, join them with --phenotypes and name them with --covariates, and set "
"""What to do about it, up to the setting."""


def one_region(features: pd.DataFrame) -> str:
    """Return the name of the region that holds all variants, such as ``chromosome 15 from 28.1 to 28.6 Mb``; empty where none does.

    Variants without a chromosome or a position may be anywhere.

    Parameters
    ----------
    features
        Chromosome and position of the variants.
    """
    names, positions = features[CHROMOSOME].astype(str).to_numpy(), features[POSITION].to_numpy(dtype=np.int64)
    if len(set(names)) != 1 or names[0] in ("", "0") or positions.min() <= 0 or np.ptp(positions) > LONGEST_BP:
        return ""
    return f"chromosome {names[0]} from {positions.min() / 1e6:.2f} to {positions.max() / 1e6:.2f} Mb"
