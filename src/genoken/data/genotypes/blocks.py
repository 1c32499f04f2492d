"""Blocks of variants along the genome (haploblocks), as a table of intervals: made from windows, linkage or recombination."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise

import numba
import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.genotypes import CENTIMORGAN, CHROMOSOME, POSITION
from genoken.data.genotypes.linkage import chromosome_ranges

START, END, METHOD, PARAMETERS = "start_bp", "end_bp", "method", "parameters"
"""Columns of an interval table beside the chromosome: first and last base pair, both inside and counted from 1; how the blocks were
made, as a word; and with which settings, as JSON."""
COLUMNS = (CHROMOSOME, START, END, METHOD, PARAMETERS)
"""Columns of an interval table, in order."""


def fixed_windows(
    features: pd.DataFrame, *, variants: int | None = None, bp: int | None = None, cm: float | None = None
) -> pd.DataFrame:
    """Return windows of equal size, counted from the first variant of each chromosome.

    Windows without a variant are left out. A block reaches up to the start of the next one. Variants at one position stay together.

    Parameters
    ----------
    features
        Feature table; the variants of a chromosome stand together, by ascending position.
    variants, bp, cm
        Size in variants, in base pairs or in centimorgans (which need the column ``position_cm``): one of them.

    Raises
    ------
    DataError
        When variants are not in order, or genetic positions are asked for and are not there.
    """
    given = {name: size for name, size in (("variants", variants), ("bp", bp), ("cm", cm)) if size is not None}
    if len(given) != 1 or min(given.values()) <= 0:
        raise ValueError("give one of variants, bp and cm, above 0")
    ((unit, size),) = given.items()
    starts: list[int] = []
    for start, stop in chromosome_ranges(features):
        window = np.floor(_places(features.iloc[start:stop], unit) / size)
        starts += (start + np.flatnonzero(np.r_[True, np.diff(window) > 0])).tolist()
    return _tiled(features, np.array(starts, dtype=np.int64), "window", {unit: size})


def _places(features: pd.DataFrame, unit: str) -> np.ndarray:
    """Return how far each variant of one chromosome is from its first; equal where positions are equal."""
    positions = features[POSITION].to_numpy(dtype=np.int64)
    if unit == "variants":
        return np.searchsorted(positions, positions).astype(np.float64)
    if unit == "bp":
        return (positions - positions[0]).astype(np.float64)
    if CENTIMORGAN not in features or not np.isfinite(features[CENTIMORGAN].to_numpy(dtype=np.float64)).all():
        raise DataError(f"windows in centimorgans need '{CENTIMORGAN}' of every variant", remedy="give a genetic map")
    genetic = features[CENTIMORGAN].to_numpy(dtype=np.float64)
    if genetic[-1] <= genetic[0]:
        raise DataError(
            f"'{CENTIMORGAN}' does not rise along chromosome '{features[CHROMOSOME].iloc[0]}'", remedy="give a genetic map"
        )
    return np.maximum.accumulate(genetic) - genetic[0]


def linkage_cuts(features: pd.DataFrame, pairs: sp.csr_matrix, *, min_variants: int, max_variants: int) -> pd.DataFrame:
    """Cut each chromosome where the least linkage is left between blocks.

    Minimized is the sum of ``r²`` over all pairs of variants that are in different blocks, exactly, by dynamic programming over the
    place of the last cut; among equally good divisions, the one with the smallest sum of squared block sizes. Needed are
    ``variants · max_variants`` steps and memory for the pairs.

    Parameters
    ----------
    features
        Feature table; the variants of a chromosome stand together, by ascending position.
    pairs
        What :func:`genoken.data.genotypes.linkage.linkage` returned. Chance correlations add up: leave out those below a threshold,
        for example ``r² < 0.05``, lest every cut seem costly. The window should be no smaller than a block can be.
    min_variants, max_variants
        Smallest and largest number of variants in a block; a chromosome with fewer than ``min_variants`` is one block.

    Raises
    ------
    DataError
        When a chromosome cannot be divided into blocks of these sizes.

    Notes
    -----
    Every cut costs, so that blocks tend to be large: ``max_variants`` matters. Variants at one position are never cut apart.

    References
    ----------
    Privé 2022, "Optimal linkage disequilibrium splitting", doi:10.1093/bioinformatics/btab519, where the number of blocks is given
    and the least cost is found for each.
    """
    if not 1 <= min_variants <= max_variants:
        raise ValueError("1 <= min_variants <= max_variants")
    positions = features[POSITION].to_numpy(dtype=np.int64)
    starts: list[int] = []
    for start, stop in chromosome_ranges(features):
        here = sp.csr_matrix(pairs[start:stop, start:stop])
        squared = here.multiply(here).tocsc()
        cuttable = np.r_[np.diff(positions[start:stop]) > 0, True]
        fewest = min(min_variants, stop - start)
        later = np.asarray(squared.sum(axis=1), dtype=np.float64).ravel()
        found = _least_linkage(squared.indptr, squared.indices, squared.data, later, cuttable, fewest, max_variants)
        if not len(found):
            raise DataError(
                f"the {stop - start} variants of chromosome '{features[CHROMOSOME].iloc[start]}' cannot be divided into blocks of "
                f"{min_variants} to {max_variants}",
                remedy="let blocks be larger or smaller",
            )
        starts += (start + found).tolist()
    settings = {"min_variants": min_variants, "max_variants": max_variants}
    return _tiled(features, np.array(starts, dtype=np.int64), "linkage", settings)


@numba.njit(nogil=True, cache=True)
def _least_linkage(
    indptr: np.ndarray,
    indices: np.ndarray,
    squared: np.ndarray,
    later: np.ndarray,
    cuttable: np.ndarray,
    fewest: int,
    most: int,
) -> np.ndarray:
    """Return the first variants of the best blocks, none where there is no division; the matrix of pairs is given by columns."""
    size = len(cuttable)
    costs, sizes = np.full(size + 1, np.inf), np.full(size + 1, np.inf)
    costs[0], sizes[0] = 0.0, 0.0
    came_from = np.full(size + 1, -1)
    beyond = later.copy()  # of each variant so far, its linkage with those after the last one
    for last in range(size):
        for stored in range(indptr[last], indptr[last + 1]):
            beyond[indices[stored]] -= squared[stored]
        if not cuttable[last]:
            continue
        cost = 0.0
        for first in range(last, max(last - most, -1), -1):
            cost += max(beyond[first], 0.0)
            length = last - first + 1
            if length < fewest or costs[first] == np.inf:
                continue
            total, spread = costs[first] + cost, sizes[first] + length * length
            better = total < costs[last + 1] - 1e-9
            if better or (total <= costs[last + 1] + 1e-9 and spread < sizes[last + 1]):
                costs[last + 1], sizes[last + 1], came_from[last + 1] = total, spread, first
    if costs[size] == np.inf:
        return np.empty(0, dtype=np.int64)
    starts = [came_from[size]]
    while starts[-1] > 0:
        starts.append(came_from[starts[-1]])
    return np.array(starts[::-1])


def recombination_blocks(genetic_map: pd.DataFrame, *, min_rate: float = 10.0, min_bp: int = 0) -> pd.DataFrame:
    """Return the intervals between peaks of recombination.

    The rate between two points of the map is their genetic over their physical distance, in cM/Mb. A run of rates at or above
    ``min_rate`` is one peak, and the genome is cut in the middle of its highest stretch. Peaks are taken from the highest down; one
    that would leave a block shorter than ``min_bp`` is passed over.

    Parameters
    ----------
    genetic_map
        ``chromosome``, ``position_bp`` and ``position_cm`` of the map's points, ordered within each chromosome.
    min_rate
        Smallest rate of a peak in cM/Mb; the mean of the human genome is about 1.2.
    min_bp
        Smallest length of a block.

    Raises
    ------
    DataError
        When the map is not in order.
    """
    rows = []
    for start, stop in chromosome_ranges(genetic_map):
        part = genetic_map.iloc[start:stop]
        positions = part[POSITION].to_numpy(dtype=np.int64)
        ends = positions[0] - 1, positions[-1]
        cuts = [ends[0]]
        for peak in _peaks(positions, part[CENTIMORGAN].to_numpy(dtype=np.float64), min_rate):
            if min(abs(peak - cut) for cut in (*cuts, ends[1])) >= max(min_bp, 1):
                cuts.append(peak)
        bounds = [*sorted(cuts), ends[1]]
        rows += [(part[CHROMOSOME].iloc[0], first + 1, last) for first, last in pairwise(bounds)]
    return _table(rows, "recombination", {"min_rate": min_rate, "min_bp": min_bp})


def _peaks(positions: np.ndarray, genetic: np.ndarray, min_rate: float) -> list[int]:
    """Return the last base pair before the cut of each peak of one chromosome, the highest peak first."""
    distances = np.diff(positions)
    if (np.diff(genetic) < 0).any():
        raise DataError("the genetic map falls along a chromosome", remedy="sort it by position")
    rates = np.divide(np.diff(genetic) * 1e6, distances, out=np.zeros(len(distances)), where=distances > 0)
    high = rates >= min_rate
    runs = np.cumsum(np.r_[True, high[1:] != high[:-1]]) if len(high) else high
    found = []
    for run in np.unique(runs[high]):
        members = np.flatnonzero(runs == run)
        top = members[np.argmax(rates[members])]
        found.append((-rates[top], int(positions[top] + positions[top + 1]) // 2))
    return [place for _, place in sorted(found)]


def block_of_variants(features: pd.DataFrame, intervals: pd.DataFrame) -> np.ndarray:
    """Return for each variant the row of the interval that holds its position, int64 (variants,); -1 where none does.

    Parameters
    ----------
    features
        Feature table of the variants, in any order.
    intervals
        Interval table whose intervals don't overlap.

    Raises
    ------
    DataError
        When intervals overlap, or one ends before it begins.
    """
    check_intervals(intervals)
    found = np.full(len(features), -1, dtype=np.int64)
    names, positions = features[CHROMOSOME].to_numpy(dtype=str), features[POSITION].to_numpy(dtype=np.int64)
    for name, rows in intervals.reset_index(drop=True).groupby(intervals[CHROMOSOME].to_numpy(dtype=str)):
        ordered = rows.sort_values(START)
        here = np.flatnonzero(names == name)
        place = np.searchsorted(ordered[START].to_numpy(), positions[here], side="right") - 1
        inside = (place >= 0) & (positions[here] <= ordered[END].to_numpy()[np.maximum(place, 0)])
        found[here[inside]] = ordered.index.to_numpy()[place[inside]]
    return found


def check_intervals(intervals: pd.DataFrame, where: str = "") -> None:
    """Refuse intervals that overlap, or that end before they begin.

    Raises
    ------
    DataError
        When there is such an interval.
    """
    backwards = intervals[intervals[END] < intervals[START]]
    if len(backwards):
        raise DataError(f"the block {_named(backwards.iloc[0])} ends before it begins", where=where)
    ordered = intervals.sort_values([CHROMOSOME, START])
    same = ordered[CHROMOSOME].to_numpy()[1:] == ordered[CHROMOSOME].to_numpy()[:-1]
    overlap = np.flatnonzero(same & (ordered[START].to_numpy()[1:] <= ordered[END].to_numpy()[:-1]))
    if len(overlap):
        pair = _named(ordered.iloc[overlap[0]]), _named(ordered.iloc[overlap[0] + 1])
        raise DataError(f"the blocks {pair[0]} and {pair[1]} overlap", where=where, remedy="give blocks that don't")


def _named(interval: pd.Series) -> str:
    return f"{interval[CHROMOSOME]}:{interval[START]}-{interval[END]}"


def _tiled(features: pd.DataFrame, starts: np.ndarray, method: str, parameters: Mapping[str, float]) -> pd.DataFrame:
    """Return intervals from the first variants of blocks; each reaches up to the next one, the last to the last variant."""
    positions = features[POSITION].to_numpy(dtype=np.int64)
    last_of = {stop: positions[stop - 1] for _, stop in chromosome_ranges(features)}
    rows = []
    for start, following in zip(starts, [*starts[1:], len(features)], strict=True):
        end = last_of[following] if following in last_of else positions[following] - 1
        rows.append((features[CHROMOSOME].iloc[start], positions[start], end))
    return _table(rows, method, parameters)


def _table(rows: list[tuple[str, int, int]], method: str, parameters: Mapping[str, float]) -> pd.DataFrame:
    found = pd.DataFrame(rows, columns=[CHROMOSOME, START, END]).astype({START: np.int64, END: np.int64})
    return found.assign(**{METHOD: method, PARAMETERS: json.dumps(dict(parameters))})
