"""From blocks to the variants that they are made of: what of a block's importance belongs to each of its variants."""

from __future__ import annotations

import numpy as np

from genoken.interpretation.pool import PooledMatrix
from genoken.interpretation.variant_ensemble import variant_importance


def shared_importance(scores: PooledMatrix, classes: np.ndarray, copies: np.ndarray, block_of: np.ndarray) -> np.ndarray:
    """Return the importance of each variant of blocks, float64 (variants,).

    Within a class it is the block's importance times the size of the correlation, over the samples, between the variant's copies
    and the block's scores, divided by the largest such of the block; then the mean over the classes. The variant that tells best
    which haplotypes matter has all of it, one that is the same on them hardly any; those in full linkage have the same.

    Parameters
    ----------
    scores
        Matrix (samples, blocks) of one model, each sample explained for its own class.
    classes
        Class of each sample, shape (samples,).
    copies
        float64 (samples, variants): copies of an allele, without missing ones.
    block_of
        Column of each variant's block in ``scores``, int64 (variants,).
    """
    shares = [_shares(scores.matrix[rows].toarray()[:, block_of], copies[rows], block_of) for rows in _rows_of(classes)]
    of_blocks = [variant_importance(scores.take(rows), classes[rows])[block_of] for rows in _rows_of(classes)]
    return np.mean([own * share for own, share in zip(of_blocks, shares, strict=True)], axis=0)


def _rows_of(classes: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(classes == code) for code in np.unique(classes)]


def _shares(scores: np.ndarray, copies: np.ndarray, block_of: np.ndarray) -> np.ndarray:
    """Return the correlation of each variant with its block's scores over the largest of the block; 1 where none has any."""
    found = _correlations(scores, copies)
    largest = np.zeros(block_of.max() + 1)
    np.maximum.at(largest, block_of, found)
    return np.divide(found, largest[block_of], out=np.ones_like(found), where=largest[block_of] > 0)


def _correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the size of the correlation of each pair of columns, 0 where one of them does not vary."""
    first, second = one - one.mean(axis=0), other - other.mean(axis=0)
    lengths = np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
    products = np.abs((first * second).sum(axis=0))
    return np.divide(products, lengths, out=np.zeros_like(lengths), where=lengths > 1e-12)
