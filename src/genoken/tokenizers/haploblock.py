"""Haploblock tokens: two tokens per block of variants, one for each strand, with the cluster of the strand's haplotype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, cast, get_args

import numpy as np
from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import MADE_OF, Tokenizer, TokenizerState
from genoken.core.errors import ConfigError, DataError, suggestion
from genoken.core.genotypes import BlockRequest
from genoken.core.layout import FIRST_CATEGORY, NUM_SPECIALS, Channel, Layout

if TYPE_CHECKING:
    import pandas as pd
    import scipy.sparse as sp

    from genoken.core.batch import Tokens
    from genoken.core.samples import Samples

Method = Literal["variants", "bp", "linkage", "recombination", "file"]


@settings
class HaploblockTokenizer(Tokenizer):
    """Two tokens per block of neighboring variants, one for each strand, after a CLS token; samples must be phased.

    A token holds the block's identity and the cluster of the strand's haplotype within the block. Clusters are the haplotypes that
    ``min_count`` train strands share, at most ``max_clusters`` of them; any other haplotype belongs to the cluster with the fewest
    other alleles, ties to the more frequent one. Missing calls don't count, and a strand without any call is hidden. Blocks in
    which fewer than two clusters are found say nothing and are left out. Alleles are those that the train split counts.
    """

    blocks: str = "variants"
    """Where blocks are: ``variants`` and ``bp`` are windows, ``linkage`` cuts where the least of it is left in train,
    ``recombination`` at its peaks in ``map_file``; or the path of a table of intervals (TSV, BED, PLINK's ``.blocks.det``)."""
    block_variants: Annotated[int, Field(ge=1, le=4096)] = 16
    """Variants of a window, or with ``linkage`` the most variants of a block; the fewest are a quarter of them."""
    block_bp: Annotated[int, Field(ge=1)] = 50_000
    """Base pairs of a window."""
    map_file: str = ""
    """Genetic map for ``recombination``: chromosome, position in base pairs and in centimorgans."""
    min_rate: Annotated[float, Field(gt=0)] = 10.0
    """Smallest rate of a peak of recombination in cM/Mb."""
    min_count: Annotated[int, Field(ge=1)] = 5
    """Fewest train strands that share a haplotype for it to be a cluster."""
    max_clusters: Annotated[int, Field(ge=2, le=1000)] = 32
    """Most clusters of a block; the most frequent haplotypes are taken."""
    categories: Literal["per_block", "shared"] = "per_block"
    """Whether a block's clusters have vectors of their own, or share them with those of the same rank of frequency elsewhere."""
    min_call_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Smallest share of the train samples in which a variant is called."""
    min_frequency: Annotated[float, Field(ge=0, le=0.5)] = 0.01
    """Smallest train frequency of the rarer allele; a variant that does not vary in the train split is in no block."""
    min_hardy_weinberg: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Smallest p of the exact test of Hardy-Weinberg proportions among the train samples, such as 1e-6; 0 does not ask. Relatives
    and mixed populations depart from the proportions without any error."""
    biallelic: bool = False
    """Leave out variants that share their position with another one, as the parts of a multi-allelic site do."""

    def __post_init__(self) -> None:
        """Refuse blocks of an unknown kind, and recombination without a map."""
        words = tuple(word for word in get_args(Method) if word != "file")
        if self.blocks not in words and not any(letter in self.blocks for letter in "./"):
            raise ConfigError(
                f"'blocks: {self.blocks}' is no way to make blocks and no file", remedy=suggestion(self.blocks, words, "ways")
            )
        if (self.blocks == "recombination") != bool(self.map_file):
            raise ConfigError("'blocks: recombination' and 'map_file' need each other", remedy="give both or neither")

    def block_request(self, train: Samples) -> BlockRequest:
        """Ask for blocks of the variants that vary enough in the train split.

        Raises
        ------
        DataError
            When the samples are no genotypes, are not phased, or no variant is left.
        """
        from genoken.tokenizers import _variants

        self.refuse(train)
        columns, quality = _variants.variants_to_keep(train, self)
        is_file = self.blocks not in get_args(Method)
        size = {"variants": self.block_variants, "linkage": self.block_variants, "bp": self.block_bp}.get(self.blocks, 0)
        method = cast("Method", "file" if is_file else self.blocks)
        return BlockRequest(
            columns, method, size, self.blocks if is_file else self.map_file, self.min_rate, quality=tuple(map(tuple, quality))
        )

    def fit(self, train: Samples) -> TokenizerState:
        """Learn the clusters of each block, which the column ``block`` of the features tells.

        Raises
        ------
        DataError
            When the samples are no genotypes, are not phased or not divided into blocks, or no block has two clusters.
        """
        from genoken.tokenizers import _haplotypes, _variants

        self.refuse(train)
        columns, sizes = _blocks_of(train)
        signed = _variants.oriented(train, columns, _variants.variant_facts(train.features.iloc[columns]), phased=True)
        haplotypes = self._haplotypes(signed, sizes)
        is_kept = np.array([len(block) > 1 for block in haplotypes])
        if not is_kept.any():
            raise DataError(
                f"none of {len(sizes):,} blocks has two haplotypes that {self.min_count} train strands share",
                where=train.origin,
                remedy="make blocks smaller, or lower tokenizer.min_count",
            )
        in_kept = np.repeat(is_kept, sizes)
        haplotypes = [block for block in haplotypes if len(block) > 1]
        table = _haplotypes.HaplotypeTable.of(haplotypes, self._base)
        pairs = table.assign(signed[:, in_kept])
        chosen = train.features.iloc[columns[in_kept]]
        names, per_block = _described(chosen, sizes[is_kept])
        facts = {
            MADE_OF: chosen.index.astype(str).tolist(),
            **_variants.variant_facts(chosen),
            "train_samples": train.num_samples,
            "blocks": self.blocks,
            "blocks_left_out": int((~is_kept).sum()),
            _haplotypes.HAPLOTYPES: haplotypes,
            _haplotypes.SHARES: _haplotypes.cluster_shares(pairs, table.num_clusters.tolist(), self._base),
        }
        return TokenizerState(names, per_block | {"num_clusters": table.num_clusters.astype(np.float64)}, facts)

    def layout(self, state: TokenizerState) -> Layout:
        """Return the identity channel and the channel of clusters."""
        from genoken.tokenizers import _haplotypes

        num_blocks = len(state.feature_ids)
        last = int(self._first_categories(state)[-1]) if self.categories == "per_block" else self.max_clusters
        return Layout(
            channels=(
                Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + num_blocks),
                Channel(name="haplotype", kind="category", role="value", size=FIRST_CATEGORY + last, is_ordered=False),
            ),
            num_features=num_blocks,
            has_cls=True,
            emits_every_feature=False,
            max_tokens=_haplotypes.num_tokens(num_blocks),
        )

    def prepare(self, samples: Samples, columns: np.ndarray, state: TokenizerState) -> sp.csr_matrix:
        """Return the clusters of both strands, (samples, blocks).

        The number is ``(max_clusters + 1) first + second``, clusters counted from 1, and 0 for a strand of which nothing is called.
        Variants that the samples lack, or have with other alleles, are missing in all of them.
        """
        from genoken.tokenizers import _haplotypes, _variants

        self.refuse(samples)
        signed = _variants.oriented(samples, columns, state.facts, phased=True)
        return _haplotypes.HaplotypeTable.of(state.facts[_haplotypes.HAPLOTYPES], self._base).assign(signed)

    def notes(self, samples: Samples, state: TokenizerState) -> tuple[str, ...]:
        """Say how many variants were flipped, and how many have other alleles than those of the train split."""
        from genoken.tokenizers import _variants

        return _variants.orientation_notes(samples, state)

    def plain_values(self, prepared: sp.csr_matrix, state: TokenizerState) -> sp.csr_matrix:
        """Return copies of each cluster of each block, (samples, clusters of all blocks); missing strands at the train shares.

        Baselines thus know as much as the network does: with dosages they could not even in principle tell haplotypes apart.
        """
        from genoken.tokenizers import _haplotypes

        return _haplotypes.cluster_counts(prepared, state.facts, self._base)

    def feature_values(self, prepared: sp.csr_matrix, state: TokenizerState) -> sp.csr_matrix:
        """Return copies of each block's most frequent haplotype, (samples, blocks)."""
        return self.plain_values(prepared, state)[:, self._first_categories(state)[:-1]]

    def encode(self, prepared: sp.csr_matrix, rows: np.ndarray, state: TokenizerState) -> Tokens:
        """Return packed tokens of these rows: CLS, then both strands of the first block, of the second, and so on."""
        from genoken.core.batch import Tokens
        from genoken.tokenizers import _haplotype_kernels, _haplotypes

        rows = np.ascontiguousarray(rows, dtype=np.int64)
        first = self._first_categories(state)[:-1]
        if self.categories == "shared":
            first = np.zeros_like(first)
        csr = prepared.indptr, prepared.indices, prepared.data
        identities, categories = _haplotype_kernels.pack_blocks(*csr, rows, first, self._base)
        offsets = np.arange(len(rows) + 1, dtype=np.int64) * _haplotypes.num_tokens(len(first))
        return Tokens(channels={"feature": identities, "haplotype": categories}, offsets=offsets)

    def lengths(self, prepared: sp.csr_matrix, state: TokenizerState) -> np.ndarray:
        """Return the tokens of each sample: CLS and two per block."""
        from genoken.tokenizers import _haplotypes

        return np.full(prepared.shape[0], _haplotypes.num_tokens(len(state.feature_ids)), dtype=np.int64)

    @property
    def _base(self) -> int:
        return self.max_clusters + 1

    def _first_categories(self, state: TokenizerState) -> np.ndarray:
        """Return where each block's clusters begin; a state that learned nothing has as many as there can be."""
        from genoken.tokenizers import _haplotypes

        most = np.full(len(state.feature_ids), float(self.max_clusters))
        return _haplotypes.first_clusters(state.per_feature.get("num_clusters", most))

    def _haplotypes(self, signed: sp.csr_matrix, sizes: np.ndarray) -> list[list[str]]:
        """Return the haplotypes of each block's clusters."""
        from genoken.tokenizers import _haplotypes

        by_variant, stops = signed.tocsc(), np.cumsum(sizes)
        limits = {"min_count": self.min_count, "max_clusters": self.max_clusters}
        blocks = zip(stops - sizes, stops, strict=True)
        return [_haplotypes.common_haplotypes(by_variant[:, start:stop], **limits) for start, stop in blocks]

    def refuse(self, samples: Samples) -> None:
        """Refuse samples that are no genotypes or are not phased.

        Raises
        ------
        DataError
            With what to use in their place.
        """
        from genoken.tokenizers import _variants

        _variants.refuse_other_values(samples, "haploblock")
        if samples.first_strand is None:
            raise _variants.unphased_error(
                samples, "haploblocks need phased genotypes", "use tokenizer.kind: genotype, or phase them first"
            )


def _blocks_of(train: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of the variants that are in blocks, in the order of the genome, and how many each block has."""
    from genoken.core.genotypes import BLOCK
    from genoken.tokenizers import _variants

    if BLOCK not in train.features:
        raise DataError(f"the variants have no column '{BLOCK}'", where=train.origin, remedy="divide them into blocks first")
    columns = _variants.genome_order(train.features)
    block = train.features[BLOCK].to_numpy(dtype=np.int64)[columns]
    columns, block = columns[block >= 0], block[block >= 0]
    starts = np.flatnonzero(np.r_[True, block[1:] != block[:-1]])
    if len(starts) > len(np.unique(block)):
        raise DataError("the variants of a block do not stand together", where=train.origin)
    return columns, np.diff(np.r_[starts, len(block)])


def _described(features: pd.DataFrame, sizes: np.ndarray) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Return the name of each block, its chromosome and the positions of its first and last variant, and where it is as numbers."""
    import pandas as pd

    from genoken.core.genotypes import CHROMOSOME, POSITION

    stops = np.cumsum(sizes)
    codes, names = pd.factorize(features[CHROMOSOME].astype(str))
    positions = features[POSITION].to_numpy(dtype=np.int64)
    code, first, last = codes[stops - sizes], positions[stops - sizes], positions[stops - 1]
    prefixes = [f"{names[own]}:" if names[own] else "" for own in code]
    ids = tuple(f"{prefix}{start}-{end}" for prefix, start, end in zip(prefixes, first, last, strict=True))
    # not position_bp: that is the place of a variant, and these features are none
    return ids, {
        "chromosome": code.astype(np.float64),
        "start_bp": first.astype(np.float64),
        "end_bp": last.astype(np.float64),
        "num_variants": sizes.astype(np.float64),
    }
