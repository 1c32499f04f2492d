"""Linkage disequilibrium: correlations of near variants, and the choice of variants that carry little of each other.

No matrix of all pairs is ever made: correlations are computed block against block within the window, and those that matter are kept
in a sparse matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numba
import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.genotypes import CHROMOSOME, POSITION
from genoken.data.genotypes.imputation import of_unit_length, standardized

_VARIANTS_AT_ONCE = 512
_ROUNDING = 1e-9  # by how much the squared correlation of two equal features can miss 1


def linkage(
    dense: np.ndarray,
    features: pd.DataFrame,
    *,
    window_bp: int | None = None,
    window_variants: int | None = None,
    min_r2: float = 0.0,
) -> sp.csr_matrix:
    """Return the correlations of variants within a window of one chromosome.

    ``r_ij`` is Pearson's correlation of the copies of the counted alleles over the samples, missing calls at the variant's mean;
    it changes its sign when one of the alleles is counted the other way. Needed are about ``samples · variants · window``
    multiplications and memory for a block and for the pairs that are kept.

    Parameters
    ----------
    dense
        int8 (samples, variants) of 0, 1, 2 and ``MISSING``: of train samples only, where a model is judged on others.
    features
        Feature table; the variants of a chromosome stand together, by ascending position.
    window_bp
        Largest distance of a pair in base pairs.
    window_variants
        Largest distance of a pair in variants; both limits hold where both are given.
    min_r2
        Smallest ``r²`` of a pair that is kept.

    Returns
    -------
    scipy.sparse.csr_matrix
        float64 (variants, variants), upper triangle without the diagonal; zeros are stored where they pass ``min_r2``. A variant
        without variation has no correlation with another: 0.

    Raises
    ------
    DataError
        When the variants are not in order.

    Notes
    -----
    Genotypes, not haplotypes, are correlated: this is the ``r`` of ``plink --r``, not that of phased data, which it equals on
    average under random mating. Mixed populations show linkage between variants that are far apart.
    """
    ends = window_ends(features, window_bp=window_bp, window_variants=window_variants)
    return _near_pairs(lambda columns: standardized(dense[:, columns]), ends, min_r2)


def linked_features(values: sp.csr_matrix, *, window: int, min_r2: float, chromosomes: np.ndarray | None = None) -> np.ndarray:
    """Return pairs of neighboring features whose squared correlation reaches a threshold, int64 (2, pairs), the earlier one first.

    The same as :func:`linkage`, of any values that a network is given in the order of the genome; a feature that does not vary is
    in no pair.

    Parameters
    ----------
    values
        CSR matrix (samples, features) of the train split, finite.
    window
        Most features from one to the other.
    min_r2
        Smallest squared correlation.
    chromosomes
        Code of each feature's chromosome; features of different ones are never connected. ``None``: all are on one.
    """
    by_column, count = values.tocsc(), values.shape[1]
    ends = np.minimum(np.arange(count) + window + 1, count)
    found = _near_pairs(
        lambda columns: of_unit_length(by_column[:, columns].toarray().astype(np.float64)), ends, min_r2 - _ROUNDING
    ).tocoo()
    pairs = np.stack([found.row, found.col]).astype(np.int64)
    return pairs if chromosomes is None else pairs[:, chromosomes[pairs[0]] == chromosomes[pairs[1]]]


def _near_pairs(standardized_columns: Callable[[np.ndarray], np.ndarray], ends: np.ndarray, min_r2: float) -> sp.csr_matrix:
    """Return the correlations of each column with those behind it and before its end, as far as their squares reach a limit."""
    rows, columns, values = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
    for first, second, block in _blocks(standardized_columns, ends):
        place, other = np.meshgrid(first, second, indexing="ij")
        wanted = (other > place) & (other < ends[first][:, None]) & (block**2 >= min_r2)
        rows.append(place[wanted])
        columns.append(other[wanted])
        values.append(block[wanted])
    pairs = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    found = sp.csr_matrix(pairs, shape=(len(ends), len(ends)))
    found.sort_indices()
    return found


def window_ends(features: pd.DataFrame, *, window_bp: int | None = None, window_variants: int | None = None) -> np.ndarray:
    """Return for each variant the first later one that is outside its window, int64 (variants,).

    Raises
    ------
    DataError
        When the variants of a chromosome don't stand together, by ascending position.
    """
    if window_bp is None and window_variants is None:
        raise ValueError("give window_bp, window_variants, or both")
    positions = features[POSITION].to_numpy(dtype=np.int64)
    ends = np.empty(len(features), dtype=np.int64)
    for start, stop in chromosome_ranges(features):
        here = np.arange(start, stop)
        end = np.full(len(here), stop)
        if window_bp is not None:
            end = np.minimum(end, start + np.searchsorted(positions[start:stop], positions[here] + window_bp, side="right"))
        if window_variants is not None:
            end = np.minimum(end, here + window_variants + 1)
        ends[start:stop] = end
    return ends


def chromosome_ranges(features: pd.DataFrame) -> list[tuple[int, int]]:
    """Return the first variant of each chromosome and the one after its last, in file order.

    Raises
    ------
    DataError
        When the variants of a chromosome don't stand together, by ascending position.
    """
    names = features[CHROMOSOME].to_numpy(dtype=str)
    positions = features[POSITION].to_numpy(dtype=np.int64)
    starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]]) if len(names) else np.empty(0, np.int64)
    ranges = [(int(start), int(stop)) for start, stop in zip(starts, [*starts[1:], len(names)], strict=True)]
    for number, (start, stop) in enumerate(ranges):
        if names[start] in names[starts[:number]]:
            raise _out_of_order(f"chromosome '{names[start]}' stands in several places")
        if (np.diff(positions[start:stop]) < 0).any():
            raise _out_of_order(f"positions on chromosome '{names[start]}' do not ascend")
    return ranges


def prune(pairs: sp.csr_matrix, frequency: np.ndarray, *, max_r2: float) -> np.ndarray:
    """Return which variants to keep so that no pair in the window has ``r²`` above a limit.

    Pairs are visited in the order of their first, then of their second variant. Of a pair that is still whole and too close, the
    variant with the rarer minor allele goes; of two that are equally frequent, the later one.

    Parameters
    ----------
    pairs
        What :func:`linkage` returned; pairs that are not in it count as apart.
    frequency
        Frequency of the counted (or of the minor) allele, float64 (variants,).
    max_r2
        Largest ``r²`` of two variants that are both kept.

    Returns
    -------
    numpy.ndarray
        bool (variants,).

    Notes
    -----
    The rule is that of ``plink --indep-pairwise`` with a step of one variant; PLINK visits the pairs window after window, so that
    it may keep other variants of the same cluster.
    """
    rarity = np.minimum(frequency, 1.0 - np.asarray(frequency, dtype=np.float64))
    return _pruned(pairs.indptr, pairs.indices, pairs.data, np.nan_to_num(rarity), max_r2)


@numba.njit(nogil=True, cache=True)
def _pruned(indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, frequency: np.ndarray, max_r2: float) -> np.ndarray:
    kept = np.ones(len(indptr) - 1, dtype=np.bool_)
    for first in range(len(kept)):
        for stored in range(indptr[first], indptr[first + 1]):
            second = indices[stored]
            if not kept[first]:
                break
            if kept[second] and data[stored] ** 2 > max_r2:
                if frequency[first] < frequency[second] - 1e-12:
                    kept[first] = False
                else:
                    kept[second] = False
    return kept


def clump(pairs: sp.csr_matrix, scores: np.ndarray, *, min_r2: float) -> np.ndarray:
    """Return for each variant the one that leads its clump.

    The variant with the highest score leads; all that are in its window with ``r² ≥ min_r2`` and have no leader yet join it; and
    so on with the highest score that is left. Equal scores go by file order.

    Parameters
    ----------
    pairs
        What :func:`linkage` returned, with ``min_r2`` no higher than here; its window is the reach of a clump.
    scores
        float64 (variants,), the higher the better: importance, or ``−log10 p``. NaN neither leads nor joins.
    min_r2
        Smallest ``r²`` with the leader.

    Returns
    -------
    numpy.ndarray
        int64 (variants,): the leader's column, its own for a leader; -1 where the score is NaN.
    """
    whole = sp.csr_matrix(pairs + pairs.T)
    order = np.argsort(-scores, kind="stable")
    return _clumped(whole.indptr, whole.indices, whole.data, order[~np.isnan(scores[order])], ~np.isnan(scores), min_r2)


@numba.njit(nogil=True, cache=True)
def _clumped(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, order: np.ndarray, scored: np.ndarray, min_r2: float
) -> np.ndarray:
    leaders = np.full(len(scored), -1)
    for variant in order:
        if leaders[variant] >= 0:
            continue
        leaders[variant] = variant
        for stored in range(indptr[variant], indptr[variant + 1]):
            other = indices[stored]
            if scored[other] and leaders[other] < 0 and data[stored] ** 2 >= min_r2:
                leaders[other] = variant
    return leaders


def _blocks(
    standardized_columns: Callable[[np.ndarray], np.ndarray], ends: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield two blocks of columns and their correlations, wherever their windows meet."""
    for start in range(0, len(ends), _VARIANTS_AT_ONCE):
        first = np.arange(start, min(start + _VARIANTS_AT_ONCE, len(ends)))
        left = standardized_columns(first).T
        reach = int(ends[first].max())
        for other in range(start, reach, _VARIANTS_AT_ONCE):
            second = np.arange(other, min(other + _VARIANTS_AT_ONCE, reach))
            yield first, second, left @ standardized_columns(second)


def _out_of_order(what: str) -> DataError:
    return DataError(f"the variants are not in order: {what}", remedy="sort them by chromosome and position")
