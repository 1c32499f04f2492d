"""Masked values: how strongly this feature is expressed here."""

from __future__ import annotations

from typing import ClassVar, Literal

from genoken.core.components import settings
from genoken.objectives import _hidden_value


@settings
class MaskedValueObjective(_hidden_value.HiddenValueObjective):
    """Hides the value of some tokens and asks for it.

    Values that are categories (bins, ranks) are asked for by cross-entropy over the categories; numbers by regression, or as counts
    by a negative binomial likelihood. Its mean is ``exp(first output)`` times the sample's library size, its inverse dispersion
    ``exp(second output)``. The library size is the sum of the counts that are not asked for, scaled up to all of the sample's
    tokens of features, so that it does not tell the answers. A random replacement is the value of another token of the same
    sample; a token that is alone is masked instead.

    References
    ----------
    Cui et al., "scGPT" (2024), doi:10.1038/s41592-024-02201-0, for masked values; Lopez et al., "Deep generative modeling for
    single-cell transcriptomics" (2018), doi:10.1038/s41592-018-0229-2, for the likelihood of counts.
    """

    segment: ClassVar[Literal["features", "phenotypes", "next"]] = "features"
