"""What a feature is called: a gene, a variant, or a block of variants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from genoken.core.contracts import MADE_OF, TokenizerState
from genoken.core.genotypes import COUNTED
from genoken.core.samples import Samples

FeatureNoun = Literal["gene", "variant", "block"]

VARIANTS_OF_BLOCK = "num_variants"
"""Column of a table of features, and name in a state, of how many variants each block has; nothing but blocks has it."""


def noun_of_samples(samples: Samples) -> FeatureNoun:
    """Return what a feature of samples is called."""
    return "variant" if samples.value_kind == "dosage" else "gene"


def noun_of_state(state: TokenizerState) -> FeatureNoun:
    """Return what a feature of a vocabulary is called: what a network sees, and an explanation ranks."""
    if MADE_OF in state.facts:
        return "block"
    return "variant" if COUNTED in state.facts else "gene"


def noun_of_identifiers(kind: str) -> FeatureNoun:
    """Return what a feature of a file is called whose identifiers are of this kind, as ``check.json`` names it."""
    return "variant" if kind == "variant" else "gene"


def noun_of_columns(columns: Iterable[str]) -> FeatureNoun:
    """Return what a row of a table with these columns is called."""
    named = set(columns)
    if VARIANTS_OF_BLOCK in named:
        return "block"
    return "variant" if COUNTED in named else "gene"
