"""Where features are in the genome, as columns beside their importance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from genoken.core.contracts import TokenizerState
from genoken.core.feature_words import VARIANTS_OF_BLOCK, noun_of_state
from genoken.core.genotypes import CHROMOSOME, COUNTED, OTHER, POSITION

VARIANT_COLUMNS = ("chrom", "pos", COUNTED, OTHER, "maf")
"""Columns of a variant; ``maf`` is the frequency of the rarer allele in the train split."""
BLOCK_COLUMNS = ("chrom", "start_bp", "end_bp", VARIANTS_OF_BLOCK)
"""Columns of a block of variants."""


def places_of(states: Sequence[TokenizerState]) -> pd.DataFrame | None:
    """Return the place of each feature of several vocabularies, indexed by feature id; ``None`` where features have none.

    A feature of several vocabularies has what the first of them says.
    """
    tables = [_places(state) for state in states]
    known = [table for table in tables if table is not None]
    if len(known) < len(tables):
        return None
    joined = pd.concat(known)
    return joined[~joined.index.duplicated()]


def _places(state: TokenizerState) -> pd.DataFrame | None:
    noun, numbers, facts = noun_of_state(state), state.per_feature, state.facts
    if noun == "gene":
        return None
    names = np.asarray(facts["chromosomes"], dtype=object)
    columns = {"chrom": names[numbers[CHROMOSOME].astype(np.int64)]}
    if noun == "block":
        columns |= {name: numbers[name].astype(np.int64) for name in BLOCK_COLUMNS[1:]}
    else:
        frequency = numbers["frequency"]
        columns |= {"pos": numbers[POSITION].astype(np.int64), COUNTED: facts[COUNTED], OTHER: facts[OTHER]}
        columns |= {"maf": np.minimum(frequency, 1 - frequency)}
    return pd.DataFrame(columns, index=pd.Index(state.feature_ids, name="feature_id"))
