"""How much of a model's vocabulary a file holds: features of the same name and, of variants, of the same alleles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genoken.core.contracts import TokenizerState
from genoken.core.errors import DataError
from genoken.core.feature_words import noun_of_samples
from genoken.core.genotypes import COUNTED, OTHER
from genoken.core.samples import Samples
from genoken.tokenizers._variants import ABSENT, orientation_of
from genoken.vocabulary.align import Alignment, align


def find_vocabulary(
    samples: Samples, state: TokenizerState, symbols: tuple[str, ...], *, min_coverage: float, reference: str = "the model"
) -> Alignment:
    """Return where a vocabulary, or what that is made of, is in samples.

    Features are compared as :func:`genoken.vocabulary.align.align` does. A variant of other alleles is not the vocabulary's: its
    column is -1, as where there is none of its name.

    Parameters
    ----------
    samples
        Samples with any set of features.
    state
        What a tokenizer learned.
    symbols
        Readable name of each feature of the vocabulary.
    min_coverage
        Smallest share of it, from 0 to 1, that must be there.
    reference
        Whose vocabulary it is, for messages.

    Raises
    ------
    DataError
        When too little of it is there, by name or by alleles.
    """
    sought, names = state.sought(symbols)
    found = align(
        sought,
        samples.features,
        minimum_coverage=min_coverage,
        where=samples.origin,
        symbols=names,
        reference=reference,
        noun=noun_of_samples(samples),
    )
    if samples.value_kind != "dosage" or "counted_allele" not in state.facts:
        return found
    agreeing = _of_the_same_alleles(samples, state, found)
    if agreeing.coverage < min_coverage or not agreeing.coverage:
        raise DataError(
            f"too few variants have the alleles of {reference}: {agreeing.line}; {min_coverage:.0%} are needed",
            where=samples.origin,
            remedy=f"use a file of the variants of {reference} with the same alleles, or accept less with --min-coverage",
        )
    return agreeing


def _of_the_same_alleles(samples: Samples, state: TokenizerState, found: Alignment) -> Alignment:
    """Return an alignment without the variants of other alleles, which its line counts."""
    foreign = (orientation_of(samples.features, found.columns, state.facts) == ABSENT) & (found.columns >= 0)
    if not foreign.any():
        return found
    sought, columns = state.sought()[0], np.where(foreign, -1, found.columns)
    missing = tuple(str(sought[place]) for place in np.flatnonzero(columns < 0))
    count, place = int((columns >= 0).sum()), int(np.flatnonzero(foreign)[0])
    variant = samples.features.iloc[found.columns[place]]
    line = (
        f"{count:,} of {len(columns):,} variants found ({count / len(columns):.1%}), matched by {found.matched_by} and alleles; "
        f"{int(foreign.sum()):,} more have other alleles, or ones that the strands leave open, such as {sought[place]} with "
        f"{variant[COUNTED]}/{variant[OTHER]} for {state.facts['counted_allele'][place]}/{state.facts['other_allele'][place]}"
    )
    return replace(found, columns=columns, coverage=count / len(columns), missing=missing, line=line)
