"""Clusters of haplotypes within blocks of variants: learned from train, written as strings of bits, found in any samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from genoken.tokenizers._haplotype_kernels import STRANDS, WORD, assign_clusters, count_clusters, haplotypes_of_block

HAPLOTYPES, SHARES = "haplotypes", "shares"
"""Facts of a state: for each block the haplotypes of its clusters as text of 0 and 1, one per variant, 1 for the counted allele,
the most frequent first; and which share of the called train strands is in each of these clusters."""
_ROWS_AT_ONCE = 256
"""Samples whose dense counts are in memory at a time."""


def common_haplotypes(signed: sp.csc_matrix, *, min_count: int, max_clusters: int) -> list[str]:
    """Return the haplotypes of one block that many train strands have, the most frequent first.

    Strands with a missing call do not count. Haplotypes that are equally frequent stand in the order of their bits.

    Parameters
    ----------
    signed
        CSC (samples, variants of the block), genotypes signed by strand.
    min_count
        Fewest strands.
    max_clusters
        Most haplotypes.

    Returns
    -------
    list of str
        Text of 0 and 1, one per variant.
    """
    num_samples, num_variants = signed.shape
    alleles, is_whole = haplotypes_of_block(signed.indptr, signed.indices, signed.data, num_samples)
    words = alleles[is_whole].reshape(-1, alleles.shape[2])
    ordered = words[np.lexsort(words.T)]  # many times faster than numpy.unique, which compares rows byte by byte
    starts = np.flatnonzero(np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)][: len(ordered)])
    counts = np.diff(np.r_[starts, len(ordered)])
    order = np.argsort(-counts, kind="stable")
    return bits_of(ordered[starts[order[counts[order] >= min_count][:max_clusters]]], num_variants)


def bits_of(words: np.ndarray, num_variants: int) -> list[str]:
    """Return haplotypes, uint64 (haplotypes, words), as text of 0 and 1, the first variant first."""
    own = np.ascontiguousarray(words, dtype="<u8")
    bits = np.unpackbits(own.view(np.uint8), axis=1, bitorder="little")[:, :num_variants]
    return ["".join(map(str, row)) for row in bits.tolist()]


def words_of(texts: Sequence[str]) -> np.ndarray:
    """Return texts of 0 and 1 as uint64 words (haplotypes, words); :func:`bits_of` undone."""
    bits = np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8).reshape(len(texts), -1) - ord("0")
    filled = np.pad(bits, ((0, 0), (0, -bits.shape[1] % WORD)))
    return np.packbits(filled, axis=1, bitorder="little").view("<u8").astype(np.uint64)


@dataclass(frozen=True)
class HaplotypeTable:
    """The known haplotypes of all blocks, as the kernels take them.

    Parameters
    ----------
    num_variants, num_clusters
        Of each block, int64.
    words
        uint64 words of the haplotypes, haplotype after haplotype, block after block.
    base
        Number above all clusters: a pair of clusters, counted from 1, is ``base * first + second``.
    """

    num_variants: np.ndarray
    num_clusters: np.ndarray
    words: np.ndarray
    base: int

    @classmethod
    def of(cls, haplotypes: Sequence[Sequence[str]], base: int) -> HaplotypeTable:
        """Take the haplotypes of each block as text."""
        return cls(
            num_variants=np.array([len(block[0]) for block in haplotypes], dtype=np.int64),
            num_clusters=np.array([len(block) for block in haplotypes], dtype=np.int64),
            words=np.concatenate([words_of(block).ravel() for block in haplotypes]),
            base=base,
        )

    def assign(self, signed: sp.csr_matrix) -> sp.csr_matrix:
        """Return the pair of clusters of each sample in each block, CSR float32 (samples, blocks), 0 where both are missing.

        A haplotype that is not known belongs to the known one with the fewest other alleles among the called variants; of several
        such, to the most frequent one.

        Parameters
        ----------
        signed
            CSR (samples, variants), genotypes signed by strand, all blocks' variants one after the other.
        """
        csr = signed.indptr, signed.indices, signed.data
        return sp.csr_matrix(assign_clusters(*csr, self.num_variants, self.words, self.num_clusters, self.base))


def cluster_counts(pairs: sp.csr_matrix, facts: Mapping[str, Any], base: int) -> sp.csr_matrix:
    """Return the copies of each cluster, CSR float32 (samples, clusters of all blocks); missing strands count as the train shares.

    Parameters
    ----------
    pairs
        From :meth:`HaplotypeTable.assign`.
    facts
        Of the state.
    base
        Number above all clusters.
    """
    shares = np.array([share for block in facts[SHARES] for share in block], dtype=np.float32)
    starts = first_clusters([len(block) for block in facts[SHARES]])
    parts = (pairs[first : first + _ROWS_AT_ONCE].toarray() for first in range(0, pairs.shape[0], _ROWS_AT_ONCE))
    counts = [sp.csr_matrix(count_clusters(part, shares, starts, base)) for part in parts]
    return sp.vstack([sp.csr_matrix((0, len(shares)), dtype=np.float32), *counts], format="csr")


def cluster_shares(pairs: sp.csr_matrix, num_clusters: Sequence[int], base: int) -> list[list[float]]:
    """Return for each block which share of its called strands is in each of its clusters."""
    found = []
    by_block = pairs.tocsc()
    for block, count in enumerate(num_clusters):
        stored = by_block.data[by_block.indptr[block] : by_block.indptr[block + 1]].astype(np.int64)
        copies = np.bincount(np.concatenate([stored // base, stored % base]), minlength=count + 1)[1:]
        found.append((copies / copies.sum()).tolist())
    return found


def block_of_variants(facts: Mapping[str, Any]) -> np.ndarray | None:
    """Return the block of each variant that features are made of, int64 (variants,); ``None`` where these are no blocks."""
    if HAPLOTYPES not in facts:
        return None
    return np.repeat(np.arange(len(facts[HAPLOTYPES])), [len(block[0]) for block in facts[HAPLOTYPES]])


def first_clusters(num_clusters: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return where the clusters of each block begin when all blocks' stand in a row, int64 (blocks + 1,), the end last."""
    return np.concatenate([[0], np.cumsum(num_clusters)]).astype(np.int64)


def num_tokens(num_blocks: int) -> int:
    """Return the tokens of a sample: CLS and two in each block."""
    return 1 + STRANDS * num_blocks
