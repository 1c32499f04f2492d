"""Genotypes as files hold them, variant after variant: read block by block, whether they then go into memory or to disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from genoken.core.calls import turn_blocks
from genoken.core.genotypes import MISSING, PHASE_NOT_USED
from genoken.readers._genotypes import Genotypes

MOST_UNKNOWN = 0.01
"""Largest share of the heterozygous calls of a phased file that may have no phase."""
_FEW = 1000


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
        Whether the phase of the calls is known, but for those whose strand is missing.
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


@dataclass
class ChosenBlocks:
    """Hands on some of the variants, a :class:`BlockSink`.

    Parameters
    ----------
    sink
        Gets them.
    keep
        Which, bool (variants,).
    """

    sink: BlockSink
    keep: np.ndarray
    _next: int = 0

    def add(self, copies: np.ndarray, strand: np.ndarray | None) -> None:
        """Take the next variants."""
        chosen = self.keep[self._next : self._next + len(copies)]
        self._next += len(copies)
        if chosen.any():
            self.sink.add(copies[chosen], None if strand is None else strand[chosen])


@dataclass
class PhaseAccount:
    """Counts the heterozygous calls of a file whose phase is not known: a few are kept without a strand, many spoil it.

    Parameters
    ----------
    has_phase
        Whether the file says of any call on which strand its alleles are.
    """

    has_phase: bool = False
    _num_heterozygous: int = 0
    _num_unknown: int = 0
    _first: tuple[str, int] | None = None

    def take(self, is_heterozygous: np.ndarray, is_unknown: np.ndarray, places: Sequence[str]) -> None:
        """Count calls, bool (sites, samples), at sites with these places."""
        self._num_heterozygous += int(np.count_nonzero(is_heterozygous))
        self._num_unknown += int(np.count_nonzero(is_unknown))
        if self._first is None and is_unknown.any():
            site, sample = (int(place) for place in np.argwhere(is_unknown)[0])
            self._first = places[site], sample

    @property
    def is_hopeless(self) -> bool:
        """Whether so many calls have no phase that strands need no longer be kept."""
        return self._num_unknown > _FEW and 2 * self._num_unknown > self._num_heterozygous

    @property
    def is_known(self) -> bool:
        """Whether the phase of the file can be used."""
        return self.has_phase and self._num_unknown <= MOST_UNKNOWN * self._num_heterozygous

    def notes(self, samples: Sequence[str], *, is_kept: bool) -> tuple[str, ...]:
        """Return a sentence, without a full stop, on the calls without a phase in a file that has one of others."""
        if self._first is None or not self.has_phase:
            return ()
        place, sample = self._first
        counts = f"{self._num_unknown:,} of {self._num_heterozygous:,} heterozygous calls have none"
        said = f"{counts}, the first at {place} in {samples[sample]}"
        if is_kept:
            return (f"the phase is known, but {said}; for what needs the phase, these are missing",)
        return (f"{PHASE_NOT_USED} {said}, and at most {MOST_UNKNOWN:.0%} may be so",)


def split_alleles(
    first: np.ndarray, second: np.ndarray, num_alternates: np.ndarray, is_unknown: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return one variant per alternate allele: copies, and copies on the first strand, int8 (variants, samples).

    Parameters
    ----------
    first, second
        Number of each call's allele, (sites, samples): 0 for the reference, below 0 where it is missing.
    num_alternates
        How many each site has.
    is_unknown
        Heterozygous calls of which it is not known which allele is on the first strand, bool (sites, samples).
    """
    rows = np.repeat(np.arange(len(first)), num_alternates)
    numbers = np.concatenate([np.arange(1, count + 1, dtype=first.dtype) for count in num_alternates])[:, None]
    is_missing = ((first < 0) | (second < 0))[rows]
    on_first = (first[rows] == numbers).astype(np.int8)
    copies = on_first + (second[rows] == numbers)
    copies[is_missing] = MISSING
    on_first[is_missing | is_unknown[rows] & (copies == 1)] = MISSING
    return copies, on_first
