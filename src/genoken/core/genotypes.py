"""Genotypes: copies of one of a variant's two alleles, 0, 1 or 2, in :class:`~genoken.core.samples.Samples` and as dense int8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from genoken.core.calls import Calls, refuse_other_dosages

MISSING = -1
"""Entry of a dense int8 matrix where the call is missing; sparse float32 matrices hold NaN there."""

CHROMOSOME, POSITION, COUNTED, OTHER, BUILD = "chromosome", "position_bp", "counted_allele", "other_allele", "build"
"""Columns of the feature table of genotypes: text, int64, text (the allele of which ``values`` are copies), text, and the genome
build as text, such as ``GRCh37``, empty where it is not known. The index holds variant ids, none twice."""
CENTIMORGAN = "position_cm"
"""Column of the feature table with genetic positions, where they are known."""
QUALITY = "quality"
"""Fact of a state of variants: ``[rule, threshold, variants]`` of each rule that variants went by in train, and of those kept."""
BLOCK = "block"
"""Column of the feature table with the number of the block that a variant belongs to, int64, -1 for none, where it is divided."""

HUMAN_AUTOSOMES = 22
"""Chromosomes that are none of sex, of a human."""
PHASE_NOT_USED = "the phase is not used, because"
"""Begins the note of a reader that found a phase, but not that of enough calls."""

_AFTER_AUTOSOMES = ("X", "Y", "XY", "MT")
_PAIRS = str.maketrans("ACGT", "TGCA")
_COPIES = np.array([0, 1, 2, np.nan], dtype=np.float32)


@dataclass(frozen=True)
class BlockRequest:
    """Which variants of the train split a tokenizer wants to be divided into blocks, and how.

    Parameters
    ----------
    columns
        Columns of the variants in the order of the genome, int64; the others are in no block.
    method
        ``variants`` and ``bp``: windows; ``linkage``: cuts where the least of it is left; ``recombination``: between its peaks;
        ``file``: given intervals.
    size
        Variants or base pairs of a window, or the most variants of a block between cuts; 0 where the method needs none.
    path
        The genetic map for ``recombination``, or the table of intervals.
    min_rate
        Smallest rate of a peak of recombination in cM/Mb.
    quality
        ``(rule, threshold, variants)`` of each rule that variants went by, and of those in ``columns``.
    """

    columns: np.ndarray
    method: Literal["variants", "bp", "linkage", "recombination", "file"]
    size: int = 0
    path: str = ""
    min_rate: float = 10.0
    quality: tuple[tuple[Any, ...], ...] = ()


@dataclass(frozen=True)
class Population:
    """Which prepared values the features take among the train samples, and how often: genotypes, of which there are few.

    Parameters
    ----------
    values
        The prepared values.
    shares
        Share of the train samples that has each, float64 (features, values), rows that sum to 1.
    """

    values: tuple[float, ...]
    shares: np.ndarray


def sparse_dosages(dense: np.ndarray) -> sp.csr_matrix:
    """Return dense genotypes as a sparse matrix, in the form in which networks and baselines get them.

    Parameters
    ----------
    dense
        int8 (samples, variants) of 0, 1, 2 and :data:`MISSING`.

    Returns
    -------
    scipy.sparse.csr_matrix
        float32 (samples, variants), NaN stored where a call is missing, zeros not stored.
    """
    stored = [int(np.count_nonzero(row)) for row in dense]
    starts = np.concatenate([[0], np.cumsum(stored, dtype=np.int64)])
    index_type = np.int32 if max(starts[-1], dense.shape[1]) <= np.iinfo(np.int32).max else np.int64
    columns = np.empty(starts[-1], dtype=index_type)
    values = np.empty(starts[-1], dtype=np.float32)
    for row, start, stop in zip(dense, starts[:-1], starts[1:], strict=True):
        places = np.flatnonzero(row != 0)
        columns[start:stop] = places
        values[start:stop] = _COPIES[row[places]]
    return sp.csr_matrix((values, columns, starts.astype(index_type)), shape=dense.shape)


def dense_dosages(values: Calls | sp.csr_matrix, columns: np.ndarray | None = None) -> np.ndarray:
    """Return int8 (samples, variants) of 0, 1, 2 and :data:`MISSING` from calls or from what :func:`sparse_dosages` returns.

    Parameters
    ----------
    values
        Calls, or CSR float32 (samples, features).
    columns
        Which variants; ``None`` for all.

    Raises
    ------
    DataError
        When a dosage is a fraction.
    """
    if isinstance(values, Calls):
        return (values if columns is None else values.columns(columns)).dense()
    chosen = values if columns is None else values[:, columns]
    refuse_other_dosages(chosen)
    found = np.zeros(chosen.shape, dtype=np.int8)
    rows = np.repeat(np.arange(chosen.shape[0]), np.diff(chosen.indptr))
    found[rows, chosen.indices] = np.where(np.isnan(chosen.data), MISSING, chosen.data).astype(np.int8)
    return found


def plain_chromosome(name: str) -> str:
    """Return a chromosome's name without ``chr``, in capitals; that of the mitochondria is ``MT``."""
    plain = name[3:] if name[:3].lower() == "chr" else name
    plain = plain.upper() if len(plain) <= 2 else plain
    return "MT" if plain == "M" else plain


def coded_chromosomes(num_autosomes: int) -> dict[str, str]:
    """Return the names of the chromosomes that PLINK numbers after the autosomes: X, Y, XY (the part that both share) and MT."""
    return {str(num_autosomes + place): name for place, name in enumerate(_AFTER_AUTOSOMES, start=1)}


def other_strand(allele: str) -> str:
    """Return what an allele reads on the other strand: the complement of its bases, backwards; others than A, C, G, T stay."""
    return allele.translate(_PAIRS)[::-1] if set(allele) <= set("ACGT") else allele
