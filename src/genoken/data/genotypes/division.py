"""Dividing the variants of a train split into blocks as a tokenizer asks for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from genoken.core.errors import DataError
from genoken.core.genotypes import BLOCK, CHROMOSOME, HUMAN_AUTOSOMES, POSITION, BlockRequest, dense_dosages
from genoken.core.samples import Samples
from genoken.data.genotypes.blocks import END, START, block_of_variants, fixed_windows, linkage_cuts, recombination_blocks
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
        Which variants to divide, and how. Variants that no given interval holds are in no block; the outer blocks of a
        genetic map reach to the ends of its chromosomes.

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


def _to_the_ends(intervals: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Return blocks of a genetic map whose outer ones reach the first and last variant of their chromosome."""
    found = intervals.copy()
    by_chromosome = found.groupby(CHROMOSOME, sort=False)
    outer = pd.DataFrame({START: by_chromosome[START].idxmin(), END: by_chromosome[END].idxmax()})
    for name, positions in chosen.groupby(CHROMOSOME)[POSITION]:
        if name in outer.index:
            first, last = outer.loc[name]
            found.loc[first, START] = min(found.loc[first, START], positions.min())
            found.loc[last, END] = max(found.loc[last, END], positions.max())
    return found


def num_autosomes(features: pd.DataFrame) -> int:
    """Return how many chromosomes are none of sex: as many as humans have, or as the highest number that the variants name.

    Readers have given names to the numbers after the autosomes, so that those that are left are autosomes.

    Parameters
    ----------
    features
        Feature table of genotypes.
    """
    numbers = (int(name) for name in set(features[CHROMOSOME].astype(str)) if name.isdecimal())
    return max(HUMAN_AUTOSOMES, max(numbers, default=0))


def _intervals(train: Samples, chosen: pd.DataFrame, request: BlockRequest) -> pd.DataFrame:
    """Return the table of blocks."""
    if request.method == "variants":
        return fixed_windows(chosen, variants=request.size)
    if request.method == "bp":
        return fixed_windows(chosen, bp=request.size)
    if request.method == "recombination":
        genetic_map = read_genetic_map(Path(request.path), num_autosomes(chosen))
        return _to_the_ends(recombination_blocks(genetic_map, min_rate=request.min_rate), chosen)
    if request.method == "file":
        return read_intervals(Path(request.path), num_autosomes(chosen))
    dense = dense_dosages(train.values, request.columns)
    pairs = linkage(dense, chosen, window_variants=request.size, min_r2=LEAST_R2)
    fewest = max(1, request.size // LARGEST_OVER_SMALLEST)
    return linkage_cuts(chosen, pairs, min_variants=fewest, max_variants=request.size)
