"""Samples with what a network knows for their features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from genoken.core.contracts import TokenizerState
from genoken.core.feature_words import noun_of_samples
from genoken.core.samples import Samples
from genoken.core.scale import sample_totals
from genoken.tokenizers._gathering import gather_columns
from genoken.vocabulary.align import SYMBOL_COLUMNS, align


def restrict_to_vocabulary(
    samples: Samples, state: TokenizerState, symbols: Sequence[str], *, min_coverage: float
) -> tuple[Samples, str]:
    """Return samples with a vocabulary for their features, and the line that says how much of it they hold.

    Features are compared as :func:`genoken.vocabulary.align.align` does. The value of a missing gene is 0; a missing variant is
    left out, and those that are there count the alleles that they count in the file. The samples' totals are still those over all
    genes of their file.

    Parameters
    ----------
    samples
        Samples with any set of features.
    state
        What a tokenizer learned: its vocabulary, or what that is made of.
    symbols
        Readable name of each feature of the vocabulary.
    min_coverage
        Smallest share of it, from 0 to 1, that must be there.

    Raises
    ------
    DataError
        When too little of it is there.
    """
    sought, names = state.sought(tuple(symbols))
    found = align(
        sought,
        samples.features,
        minimum_coverage=min_coverage,
        where=samples.origin,
        symbols=names,
        noun=noun_of_samples(samples),
    )
    if samples.value_kind == "dosage":
        return _with_variants(samples, found.columns[found.columns >= 0]), found.line
    restricted = replace(
        samples,
        values=gather_columns(samples.values, found.columns),
        features=pd.DataFrame({SYMBOL_COLUMNS[0]: list(symbols)}, index=pd.Index(list(sought))),
        totals=None if samples.value_kind == "real" else sample_totals(samples),
    )
    return restricted, found.line


def _with_variants(samples: Samples, columns: np.ndarray) -> Samples:
    """Return genotypes with these of their variants, in this order."""
    strand = samples.first_strand
    return replace(
        samples,
        values=gather_columns(samples.values, columns),
        features=samples.features.iloc[columns],
        first_strand=None if strand is None else gather_columns(strand, columns),
    )
