"""Who is related to whom: kinship from genotypes, groups of relatives to split by, and samples that are there twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.genotypes import MISSING

RELATED = 0.0442
"""Smallest kinship of third-degree relatives (cousins have 0.0625): ``2^-4.5``."""
DUPLICATE = 0.354
"""Smallest kinship of one person typed twice, or of identical twins (0.5): ``2^-1.5``."""
_SAMPLES_AT_ONCE = 512
_VARIANTS_AT_ONCE = 4096


def related_pairs(dense: np.ndarray, *, min_kinship: float = RELATED) -> pd.DataFrame:
    """Return the pairs of samples whose kinship is at least a threshold.

    ``kinship_ij = 1/2 − Σ_v (x_iv − x_jv)² / (4 min(h_i, h_j))`` over the variants that are called in both; ``h`` counts the
    heterozygous ones of each sample among them. Expected are 0.5 for duplicates and identical twins, 0.25 for parents with
    children and for full siblings, 0.125 and 0.0625 for the second and third degree; unrelated samples are about 0, or below it
    where they come from different populations.

    Parameters
    ----------
    dense
        int8 (samples, variants) of 0, 1, 2 and ``MISSING``, of autosomes; some thousand variants, which need not be pruned.
    min_kinship
        Smallest kinship of a pair that is returned; see :data:`RELATED` and :data:`DUPLICATE`.

    Returns
    -------
    pandas.DataFrame
        One row per pair: ``first`` and ``second`` (int64 rows of ``dense``, first < second), ``kinship``, ``apart`` (share of
        variants in which the two have no allele in common: about 0 for parents and children, more for siblings), ``variants``
        (int64, called in both); ordered by first, then second. Pairs of which one sample has no heterozygous variant have no
        kinship and are left out.

    Notes
    -----
    This is the between-family estimator, which needs no allele frequencies and so holds in mixed populations; it is too low for
    relatives whose ancestries differ. Memory is that of a block of pairs.

    References
    ----------
    Manichaikul et al. 2010, doi:10.1093/bioinformatics/btq559.
    """
    blocks = [_found(first, second, sums, min_kinship) for first, second, sums in _blocks(dense)]
    columns = {"first": np.int64, "second": np.int64, "kinship": np.float64, "apart": np.float64, "variants": np.int64}
    if not blocks:
        return pd.DataFrame({name: np.empty(0, kind) for name, kind in columns.items()})
    return pd.concat(blocks, ignore_index=True).sort_values(["first", "second"], ignore_index=True).astype(columns)


def duplicate_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs that are one person typed twice, or identical twins: kinship above :data:`DUPLICATE`."""
    return pairs[pairs["kinship"] > DUPLICATE].reset_index(drop=True)


def kinship_groups(pairs: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Return a group for each sample such that no pair of relatives is in two groups.

    Groups are the connected components of the pairs: relatives of relatives are together even where they are not related.

    Parameters
    ----------
    pairs
        What :func:`related_pairs` returned.
    names
        Sample ids, none twice, in the order of the genotypes' rows.

    Returns
    -------
    numpy.ndarray
        Text of shape (samples,): the id of the first sample of the group; a sample without relatives is a group of its own.
    """
    size = len(names)
    links = (np.ones(len(pairs), dtype=bool), (pairs["first"].to_numpy(), pairs["second"].to_numpy()))
    _, component = sp.csgraph.connected_components(sp.coo_matrix(links, shape=(size, size)), directed=False)
    _, first_of = np.unique(component, return_index=True)
    return np.asarray(names, dtype=str)[first_of[component]] if size else np.empty(0, dtype=str)


def _blocks(dense: np.ndarray) -> Iterator[tuple[int, int, dict[str, np.ndarray]]]:
    """Yield the first rows of two blocks of samples and what is added up over variants for each of their pairs."""
    for first in range(0, len(dense), _SAMPLES_AT_ONCE):
        for second in range(first, len(dense), _SAMPLES_AT_ONCE):
            yield first, second, _sums(dense[first : first + _SAMPLES_AT_ONCE], dense[second : second + _SAMPLES_AT_ONCE])


def _sums(left: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
    """Return sums over variants for each pair of a row on the left and one on the right, as products of matrices.

    Blocks of variants keep the sums of 32-bit products exact.
    """
    names = ("called", "left_heterozygous", "right_heterozygous", "both_heterozygous", "product")
    sums = {name: np.zeros((len(left), len(right))) for name in names}
    for start in range(0, left.shape[1], _VARIANTS_AT_ONCE):
        here, there = (_indicators(part[:, start : start + _VARIANTS_AT_ONCE]) for part in (left, right))
        sums["called"] += here[0] @ there[0].T
        sums["left_heterozygous"] += here[1] @ there[0].T
        sums["right_heterozygous"] += here[0] @ there[1].T
        sums["both_heterozygous"] += here[1] @ there[1].T
        sums["product"] += here[2] @ there[2].T
    return sums


def _indicators(dense: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return float32 matrices: called, heterozygous, and copies less 1 (0 where missing)."""
    called = dense != MISSING
    return called.astype(np.float32), (dense == 1).astype(np.float32), np.where(called, dense - 1, 0).astype(np.float32)


def _found(first: int, second: int, sums: dict[str, np.ndarray], min_kinship: float) -> pd.DataFrame:
    called, ours, theirs = sums["called"], sums["left_heterozygous"], sums["right_heterozygous"]
    # Copies less 1 are ±1 where homozygous and 0 where not: their squares count homozygous calls, and their product is how
    # many pairs of homozygous calls are equal less how many are opposite.
    distance = 2.0 * called - ours - theirs - 2.0 * sums["product"]
    opposite = (called - ours - theirs + sums["both_heterozygous"] - sums["product"]) / 2.0
    fewer = np.minimum(ours, theirs)
    kinship = np.where(fewer > 0, 0.5 - distance / np.maximum(4.0 * fewer, 1.0), -np.inf)
    wanted = kinship >= min_kinship
    if first == second:
        wanted &= np.triu(np.ones(called.shape, dtype=bool), k=1)
    rows, others = np.nonzero(wanted)
    return pd.DataFrame(
        {
            "first": first + rows,
            "second": second + others,
            "kinship": kinship[wanted],
            "apart": opposite[wanted] / called[wanted],
            "variants": called[wanted],
        }
    )
