"""Numba kernels over phased genotypes: haplotypes as bits, the nearest of known ones, packed tokens; they hold no lock.

Bit ``j`` of word ``w`` of a haplotype is its allele at variant ``64 w + j`` of the block: 1 for the counted one.
"""

from __future__ import annotations

import numba
import numpy as np

from genoken.core.layout import CLS_ID, FIRST_CATEGORY, MASK_CATEGORY, NO_CATEGORY, NUM_SPECIALS

WORD = 64
"""Variants in one word."""
STRANDS = 2
"""Haplotypes, and so tokens, of a sample in each block."""


@numba.njit(nogil=True, cache=True)
def num_bits(word: np.uint64) -> int:
    """Return how many bits of a word are 1, by sums of neighboring bits, then of pairs, then of nibbles."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@numba.njit(nogil=True, cache=True)
def _set_alleles(alleles: np.ndarray, called: np.ndarray, word: int, bit: int, value: float) -> None:
    """Note a stored genotype: 1 and -1 are a copy on the first and on the second strand, 2 one on each, NaN a missing call."""
    mask = np.uint64(1) << np.uint64(bit)
    if np.isnan(value):
        called[word] &= ~mask
        return
    if value > 0:
        alleles[0, word] |= mask
    if value < 0 or value > 1:
        alleles[1, word] |= mask


@numba.njit(nogil=True, cache=True)
def _all_called(num_variants: np.ndarray, first_word: np.ndarray) -> np.ndarray:
    """Return words with a 1 for every variant of every block."""
    called = np.zeros(first_word[-1], dtype=np.uint64)
    for block in range(len(num_variants)):
        for variant in range(num_variants[block]):
            called[first_word[block] + variant // WORD] |= np.uint64(1) << np.uint64(variant % WORD)
    return called


@numba.njit(nogil=True, cache=True)
def haplotypes_of_block(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, num_samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the haplotypes of a block, uint64 words (samples, strands, words), and which samples have no call missing in it.

    Parameters
    ----------
    indptr, indices, data
        The block's variants as a CSC matrix (samples, variants) of genotypes signed by strand.
    num_samples
        Rows of the matrix.
    """
    num_variants = len(indptr) - 1
    alleles = np.zeros((num_samples, STRANDS, (num_variants + WORD - 1) // WORD), dtype=np.uint64)
    called = np.zeros(alleles.shape[2], dtype=np.uint64)
    is_whole = np.ones(num_samples, dtype=np.bool_)
    for variant in range(num_variants):
        for stored in range(indptr[variant], indptr[variant + 1]):
            sample = indices[stored]
            _set_alleles(alleles[sample], called, variant // WORD, variant % WORD, data[stored])
            if np.isnan(data[stored]):
                is_whole[sample] = False
    return alleles, is_whole


@numba.njit(nogil=True, cache=True)
def _nearest(alleles: np.ndarray, called: np.ndarray, known: np.ndarray) -> int:
    """Return 1 + the first of the known haplotypes (haplotypes, words) with the fewest other alleles; 0 where nothing is called."""
    num_called = 0
    for word in range(len(called)):
        num_called += num_bits(called[word])
    if num_called == 0:
        return 0
    best, fewest = 0, num_called + 1
    for place in range(len(known)):
        distance = 0
        for word in range(len(called)):
            distance += num_bits((alleles[word] ^ known[place, word]) & called[word])
        if distance < fewest:
            best, fewest = place + 1, distance
            if distance == 0:
                break
    return best


@numba.njit(nogil=True, cache=True)
def assign_clusters(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    num_variants: np.ndarray,
    known: np.ndarray,
    num_clusters: np.ndarray,
    base: int,
) -> np.ndarray:
    """Return for each sample and block ``base * first + second``, float32 (samples, blocks), of the strands' clusters.

    A cluster is counted from 1; 0 stands for a strand of which nothing is called.

    Parameters
    ----------
    indptr, indices, data
        CSR matrix (samples, variants) of genotypes signed by strand; the blocks' variants follow each other.
    num_variants
        Variants of each block, int64.
    known
        uint64 words of the clusters' haplotypes, cluster after cluster, block after block.
    num_clusters
        Clusters of each block, int64.
    base
        Number above all clusters.
    """
    num_blocks = len(num_variants)
    first_word, first_known = np.zeros(num_blocks + 1, dtype=np.int64), np.zeros(num_blocks + 1, dtype=np.int64)
    word_of, bit_of = np.empty(num_variants.sum(), dtype=np.int64), np.empty(num_variants.sum(), dtype=np.int64)
    variant = 0
    for block in range(num_blocks):
        num_words = (num_variants[block] + WORD - 1) // WORD
        first_word[block + 1] = first_word[block] + num_words
        first_known[block + 1] = first_known[block] + num_words * num_clusters[block]
        for place in range(num_variants[block]):
            word_of[variant], bit_of[variant] = first_word[block] + place // WORD, place % WORD
            variant += 1
    everything = _all_called(num_variants, first_word)
    alleles, called = np.empty((STRANDS, first_word[-1]), dtype=np.uint64), np.empty(first_word[-1], dtype=np.uint64)
    found = np.zeros((len(indptr) - 1, num_blocks), dtype=np.float32)
    for row in range(len(found)):
        alleles[:] = 0
        called[:] = everything
        for stored in range(indptr[row], indptr[row + 1]):
            _set_alleles(alleles, called, word_of[indices[stored]], bit_of[indices[stored]], data[stored])
        for block in range(num_blocks):
            here = slice(first_word[block], first_word[block + 1])
            own = known[first_known[block] : first_known[block + 1]].reshape((num_clusters[block], here.stop - here.start))
            first = _nearest(alleles[0, here], called[here], own)
            found[row, block] = base * first + _nearest(alleles[1, here], called[here], own)
    return found


@numba.njit(nogil=True, cache=True)
def pack_blocks(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, rows: np.ndarray, first_category: np.ndarray, base: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return identities and categories: CLS, then two tokens per block, one for each strand.

    Parameters
    ----------
    indptr, indices, data
        What :func:`assign_clusters` found, as a CSR matrix; nothing stored means that nothing is called.
    rows
        int64, which rows.
    first_category
        int64 of shape (blocks,): what is added to the category of a block's clusters.
    base
        See :func:`assign_clusters`.
    """
    num_blocks = len(first_category)
    length = 1 + STRANDS * num_blocks
    identities = np.empty(len(rows) * length, dtype=np.int64)
    categories = np.full(len(rows) * length, MASK_CATEGORY, dtype=np.int64)
    for position in range(len(rows)):
        start = position * length
        identities[start], categories[start] = CLS_ID, NO_CATEGORY
        for block in range(num_blocks):
            place = start + 1 + STRANDS * block
            identities[place] = identities[place + 1] = NUM_SPECIALS + block
        for stored in range(indptr[rows[position]], indptr[rows[position] + 1]):
            block, pair = indices[stored], int(data[stored])
            place = start + 1 + STRANDS * block
            for strand in range(STRANDS):
                cluster = pair // base if strand == 0 else pair % base
                if cluster > 0:
                    categories[place + strand] = FIRST_CATEGORY + first_category[block] + cluster - 1
    return identities, categories


@numba.njit(nogil=True, cache=True)
def count_clusters(codes: np.ndarray, shares: np.ndarray, first_cluster: np.ndarray, base: int) -> np.ndarray:
    """Return the copies of each cluster that samples have, float32 (samples, clusters of all blocks).

    A strand of which nothing is called counts as the train shares of the block's clusters.

    Parameters
    ----------
    codes
        float32 (samples, blocks) from :func:`assign_clusters`.
    shares
        Of the train strands, of each cluster of each block, float32.
    first_cluster
        int64 of shape (blocks + 1,): where each block's clusters begin.
    base
        See :func:`assign_clusters`.
    """
    counts = np.zeros((len(codes), len(shares)), dtype=np.float32)
    for row in range(len(codes)):
        for block in range(codes.shape[1]):
            pair = int(codes[row, block])
            for cluster in (pair // base, pair % base):
                if cluster > 0:
                    counts[row, first_cluster[block] + cluster - 1] += 1
                else:
                    for place in range(first_cluster[block], first_cluster[block + 1]):
                        counts[row, place] += shares[place]
    return counts
