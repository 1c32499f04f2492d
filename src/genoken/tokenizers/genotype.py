"""Genotype tokens: one token per variant, its identity and how many copies of its counted allele a sample has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import Tokenizer, TokenizerState
from genoken.core.genotypes import QUALITY, Population
from genoken.core.layout import NUM_SPECIALS, Channel, Layout

if TYPE_CHECKING:
    import scipy.sparse as sp

    from genoken.core.batch import Tokens
    from genoken.core.calls import Calls
    from genoken.core.samples import Samples

Table = tuple[tuple[float, ...], ...]

_ONE_HOT: Table = ((0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))
"""Nothing here; 0, 1, 2 copies; missing."""
_EIGHT: Table = (
    (0, 0, 0, 0, 0, 0, 0, 0),
    *(
        (*numbers, is_common)
        for is_common in (0, 1)
        for numbers in ((1, 0, 0, 0, 0, 0, 0), (0, 1, 0, 1, 0, 1, 1), (0, 0, 1, 1, 1, 0, 1), (0, 0, 0, 0, 0, 0, 0))
    ),
)
"""Nothing here; 0, 1, 2 copies and missing of a variant whose counted allele is the rarer one; the same where it is not."""
_STRANDS: Table = ((0, 0, 0, 0, 0), (0, 1, 0, 1, 0), (1, 0, 0, 1, 0), (1, 0, 1, 0, 0), (0, 1, 1, 0, 0), (0, 0, 0, 0, 1))
"""Nothing here; no copy, one on the first strand, two, one on the second strand; missing."""
_TABLES: dict[str, Table] = {"one_hot": _ONE_HOT, "genotype8": _EIGHT, "haplotype": _STRANDS}
_CODES = {"one_hot": (1, 2, 3, 2, 4), "genotype8": (1, 2, 3, 2, 4), "haplotype": (1, 2, 3, 4, 5)}
"""Rows of the table for the genotypes of :data:`genoken.tokenizers._dosages.NUM_GENOTYPES`."""
_CODES_PER_VARIANT_CLASS = 4
"""Rows of ``genotype8`` for each answer to whether the counted allele is the more frequent one."""


@settings
class GenotypeTokenizer(Tokenizer):
    """One token per variant in the order of the genome, after a CLS token.

    Every token holds the variant's identity and, as its value, the copies of the counted allele; a missing call has the train
    mean. Which allele is counted is that of the train split: samples that count the other one are flipped.

    =============  ================================================================================================================
    encoding       what a token holds beside its identity
    =============  ================================================================================================================
    ``dosage``     0, 1 or 2 copies
    ``additive``   copies minus their train mean, so that 0, also that of a missing call, is the average person
    ``one_hot``    copies, and which of 0, 1, 2 copies and missing it is
    ``genotype8``  copies, and eight numbers: which of 0, 1, 2 copies it is; at least one; two; one; any; and, the same in every
                   sample, whether the counted allele has a train frequency above 1/2. All but the last are 0 where it is missing
    ``haplotype``  copies, and for each strand whether it has the counted or the other allele, then whether the call is missing;
                   samples must be phased
    =============  ================================================================================================================
    """

    encoding: Literal["dosage", "additive", "one_hot", "genotype8", "haplotype"] = "dosage"
    """What a token holds, see above."""
    min_call_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Smallest share of the train samples in which a variant is called."""
    min_frequency: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Smallest train frequency of the rarer allele; a variant that does not vary in the train split is never a token."""
    min_hardy_weinberg: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Smallest p of the exact test of Hardy-Weinberg proportions among the train samples, such as 1e-6; 0 does not ask. Relatives
    and mixed populations depart from the proportions without any error."""
    biallelic: bool = False
    """Leave out variants that share their position with another one, as the parts of a multi-allelic site do."""
    max_variants: Annotated[int, Field(ge=0)] = 0
    """Most variants; of more, evenly spaced ones along the genome are taken. 0 for no limit."""

    def fit(self, train: Samples) -> TokenizerState:
        """Choose the variants on the train split and note their alleles, frequencies and moments.

        Raises
        ------
        DataError
            When the samples are no genotypes, are not phased although the strands are wanted, or no variant is left.
        """
        from genoken.tokenizers import _variants

        self.refuse(train)
        moments = _variants.call_moments(train.values)
        columns, quality = _variants.variants_to_keep(train, self, max_variants=self.max_variants)
        learned = _variants.variant_state(train, columns, moments, center=self.encoding == "additive")
        return TokenizerState(
            feature_ids=tuple(train.features.index[columns].astype(str)),
            per_feature=learned["per_feature"],
            facts={"encoding": self.encoding, QUALITY: quality, **learned["facts"]},
        )

    def layout(self, state: TokenizerState) -> Layout:
        """Return the identity, the value and, where there is one, the genotype channel."""
        num_features = len(state.feature_ids)
        channels = [
            Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + num_features),
            Channel(name="value", kind="scalar", role="value"),
        ]
        table = _TABLES.get(self.encoding, ())
        if table:
            channels.append(Channel(name="genotype", kind="lookup", role="genotype", size=len(table), table=table))
        return Layout(
            channels=tuple(channels),
            num_features=num_features,
            has_cls=True,
            emits_every_feature=True,
            max_tokens=num_features + 1,
            is_panel=True,
        )

    def prepare(self, samples: Samples, columns: np.ndarray, state: TokenizerState) -> Calls | sp.csr_matrix:
        """Return genotypes (samples, vocabulary): copies of the vocabulary's counted allele.

        Variants that the samples lack, or have with other alleles, are missing in all of them. With ``haplotype`` it is a matrix,
        NaN where missing, in which a single copy is -1 where it is on the second strand.
        """
        from genoken.tokenizers import _variants

        self.refuse(samples)
        if self.encoding == "haplotype":
            return _variants.oriented(samples, columns, state.facts, phased=True)
        return _variants.oriented_calls(samples, columns, state.facts)

    def notes(self, samples: Samples, state: TokenizerState) -> tuple[str, ...]:
        """Say how many variants were flipped, and how many have other alleles than those of the train split."""
        from genoken.tokenizers import _variants

        return _variants.orientation_notes(samples, state)

    def plain_values(self, prepared: Calls | sp.csr_matrix, state: TokenizerState) -> sp.csr_matrix:
        """Return copies of the counted allele, missing calls at their train mean, whatever the encoding."""
        from genoken.tokenizers import _variants

        return _variants.imputed(prepared, state)

    def population(self, state: TokenizerState) -> Population:
        """Return the train shares of the genotypes; of heterozygous calls, each strand has one half."""
        from genoken.tokenizers import _variants

        return _variants.population(state, phased=self.encoding == "haplotype")

    def encode(self, prepared: Calls | sp.csr_matrix, rows: np.ndarray, state: TokenizerState) -> Tokens:
        """Return packed tokens of these rows: CLS and every variant of the vocabulary, in order."""
        from genoken.core.batch import Tokens
        from genoken.core.calls import Calls
        from genoken.tokenizers import _dosages

        rows = np.ascontiguousarray(rows, dtype=np.int64)
        if isinstance(prepared, Calls):
            prepared, rows = prepared[rows].read(), np.arange(len(rows))
        frequency = state.per_feature["frequency"]
        mean = (2 * frequency).astype(np.float32)
        shift = -mean if self.encoding == "additive" else np.zeros_like(mean)
        first_code = np.zeros(len(mean), dtype=np.int64)
        if self.encoding == "genotype8":
            first_code[frequency > 0.5] = _CODES_PER_VARIANT_CLASS
        code_of = np.array(_CODES.get(self.encoding, ()), dtype=np.int64)
        identities, values, codes = _dosages.pack_variants(
            prepared.indptr, prepared.indices, prepared.data, rows, mean, shift, code_of, first_code
        )
        channels = {"feature": identities, "value": values} | ({"genotype": codes} if len(code_of) else {})
        return Tokens(channels=channels, offsets=np.arange(len(rows) + 1, dtype=np.int64) * (len(mean) + 1))

    def lengths(self, prepared: Calls | sp.csr_matrix, state: TokenizerState) -> np.ndarray:
        """Return the tokens of each sample: CLS and all variants."""
        return np.full(prepared.shape[0], len(state.feature_ids) + 1, dtype=np.int64)

    def refuse(self, samples: Samples) -> None:
        """Refuse samples that are no genotypes, or are not phased although the strands are wanted.

        Raises
        ------
        DataError
            With what to use in their place.
        """
        from genoken.tokenizers import _variants

        _variants.refuse_other_values(samples, "genotype")
        if self.encoding == "haplotype" and samples.first_strand is None:
            raise _variants.unphased_error(
                samples, "the encoding 'haplotype' needs phased genotypes", "use tokenizer.encoding: one_hot, or phase them first"
            )
