"""Genotypes as files hold them, variant after variant: read block by block, whether they then go into memory or to disk."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from genoken.core.calls import turn_blocks
from genoken.core.genotypes import MISSING
from genoken.readers._genotypes import Genotypes


class BlockSink(Protocol):
    """Takes what a reader finds, in the order of the file."""

    def add(self, copies: np.ndarray, strand: np.ndarray | None) -> None:
        """Take the next variants.

        Parameters
        ----------
        copies
            Copies of the counted allele, uint8 (variants, bytes of samples) as of :func:`genoken.core.calls.pack_calls`.
        strand
            Those on the first strand; ``None`` where the phase is not known, and then that of earlier variants is of no use either.
        """


@dataclass(frozen=True)
class Tables:
    """What a file of genotypes holds beside the calls.

    Parameters
    ----------
    variants, table, notes
        See :class:`~genoken.readers._genotypes.Genotypes`.
    is_phased
        Whether the phase of all calls is known.
    """

    variants: pd.DataFrame
    table: pd.DataFrame
    notes: tuple[str, ...] = ()
    is_phased: bool = False


@dataclass
class BlocksInMemory:
    """Keeps all blocks, a :class:`BlockSink`."""

    _copies: deque[np.ndarray] = field(default_factory=deque)
    _strand: deque[np.ndarray] = field(default_factory=deque)

    def add(self, copies: np.ndarray, strand: np.ndarray | None) -> None:
        """Take the next variants."""
        self._copies.append(copies)
        if strand is None:
            self._strand.clear()
        else:
            self._strand.append(strand)

    def genotypes(self, tables: Tables) -> Genotypes:
        """Return all calls by sample; call it once."""
        num_samples = len(tables.table)
        return Genotypes(
            calls=turn_blocks(self._copies, num_samples),
            variants=tables.variants,
            table=tables.table,
            first_strand=turn_blocks(self._strand, num_samples) if tables.is_phased else None,
            notes=tables.notes,
        )


def split_alleles(first: np.ndarray, second: np.ndarray, num_alternates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return one variant per alternate allele: copies, and copies on the first strand, int8 (variants, samples).

    Parameters
    ----------
    first, second
        Number of each call's allele, (sites, samples): 0 for the reference, below 0 where it is missing.
    num_alternates
        How many each site has.
    """
    rows = np.repeat(np.arange(len(first)), num_alternates)
    numbers = np.concatenate([np.arange(1, count + 1, dtype=first.dtype) for count in num_alternates])[:, None]
    is_missing = ((first < 0) | (second < 0))[rows]
    on_first = (first[rows] == numbers).astype(np.int8)
    copies = on_first + (second[rows] == numbers)
    copies[is_missing] = MISSING
    on_first[is_missing] = MISSING
    return copies, on_first
