"""Dividing the variants of a train split into blocks as a tokenizer asks for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from genoken.core.contracts import BlockRequest
from genoken.core.errors import DataError
from genoken.core.genotypes import BLOCK, dense_dosages
from genoken.core.samples import Samples
from genoken.data.genotypes.blocks import block_of_variants, fixed_windows, linkage_cuts, recombination_blocks
from genoken.data.genotypes.interval_files import read_genetic_map, read_intervals
from genoken.data.genotypes.linkage import linkage

LEAST_R2 = 0.05
"""Squared correlations below this are left to chance: added up, they would make every cut seem costly."""
LARGEST_OVER_SMALLEST = 4
"""How many times as many variants the largest block between cuts of linkage may have as the smallest."""


def with_blocks(train: Samples, request: BlockRequest) -> pd.DataFrame:
    """Return the feature table of the train split with the column ``block``: the number of each variant's block, -1 for none.

    Parameters
    ----------
    train
        Genotypes of the train split.
    request
        Which variants to divide, and how. Variants that no given interval holds are in no block.

    Raises
    ------
    DataError
        When a file cannot be used or holds no variant, or variants cannot be divided into blocks of the wanted size.
    """
    chosen = train.features.iloc[request.columns]
    found = block_of_variants(chosen, _intervals(train, chosen, request))
    if (found < 0).all():
        raise DataError(
            f"no interval holds any of the {len(found):,} variants",
            where=request.path,
            remedy="are its chromosomes and its genome build those of the genotypes?",
        )
    block = np.full(train.num_features, -1, dtype=np.int64)
    block[request.columns] = found
    return train.features.assign(**{BLOCK: block})


def _intervals(train: Samples, chosen: pd.DataFrame, request: BlockRequest) -> pd.DataFrame:
    """Return the table of blocks."""
    if request.method == "variants":
        return fixed_windows(chosen, variants=request.size)
    if request.method == "bp":
        return fixed_windows(chosen, bp=request.size)
    if request.method == "recombination":
        return recombination_blocks(read_genetic_map(Path(request.path)), min_rate=request.min_rate)
    if request.method == "file":
        return read_intervals(Path(request.path))
    dense = dense_dosages(train.values, request.columns)
    pairs = linkage(dense, chosen, window_variants=request.size, min_r2=LEAST_R2)
    fewest = max(1, request.size // LARGEST_OVER_SMALLEST)
    return linkage_cuts(chosen, pairs, min_variants=fewest, max_variants=request.size)
