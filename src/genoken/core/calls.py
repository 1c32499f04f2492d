"""Genotype calls in two bits each, sample after sample: 25 MB for 1,000 people and 100,000 variants."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from genoken.core.errors import DataError

PER_BYTE = 4
"""Calls in a byte; a row begins a new one."""
BLOCK_CALLS = 1 << 22
"""Calls of a block, at most, where it has more than one row."""


@dataclass(frozen=True, eq=False)
class Calls:
    """Copies of an allele, 0, 1 or 2, or missing, of samples at variants.

    Parameters
    ----------
    packed
        uint8 (samples, bytes), in memory or mapped from a file: four calls to a byte, the first in the lowest bits, 3 for a missing
        one; what is left of a row's last byte is 0.
    num_columns
        Variants.
    """

    packed: np.ndarray
    num_columns: int

    @classmethod
    def of(cls, values: Calls | sp.csr_matrix) -> Calls:
        """Return dosages as calls: themselves, or packed from a CSR matrix (samples, variants) with NaN where missing.

        Raises
        ------
        DataError
            When a dosage is none of 0, 1 and 2: a fraction is never rounded here.
        """
        if isinstance(values, Calls):
            return values
        refuse_other_dosages(values)
        packed = np.zeros((values.shape[0], num_bytes(values.shape[1])), dtype=np.uint8)
        at_once = max(BLOCK_CALLS // max(values.shape[1], 1), 1)
        for start in range(0, len(packed), at_once):
            dense = values[start : start + at_once].toarray()
            packed[start : start + at_once] = pack_calls(np.where(np.isnan(dense), -1, dense).astype(np.int8))
        return cls(packed, values.shape[1])

    @classmethod
    def stacked(cls, parts: Sequence[Calls]) -> Calls:
        """Return the rows of several, one after the other; all have the same variants."""
        return cls(np.concatenate([part.packed for part in parts]), parts[0].num_columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and variants, as of a matrix."""
        return len(self.packed), self.num_columns

    @property
    def nnz(self) -> int:
        """How many entries :meth:`read` stores."""
        return int(self.totals()[1:].sum())

    def __getitem__(self, rows: np.ndarray | slice) -> Calls:
        """Return these rows (integer positions, a boolean mask or a slice) in that order; those of a slice share the memory."""
        return replace(self, packed=np.ascontiguousarray(self.packed[rows]))

    def columns(self, columns: np.ndarray, flipped: np.ndarray | None = None, *, most: int = 2) -> Calls:
        """Return these columns, in that order.

        Parameters
        ----------
        columns
            Integer positions; -1 for one that is missing in all samples.
        flipped
            bool, of the same shape: where the other allele is to be counted. ``None``: nowhere.
        most
            Copies that a sample has of both alleles: 2, or 1 where calls are those of a strand.
        """
        from genoken.core import _call_kernels

        columns = np.asarray(columns, dtype=np.int64)
        flips = np.zeros(len(columns), dtype=bool) if flipped is None else np.asarray(flipped, dtype=bool)
        return Calls(_call_kernels.gather(self.packed, columns, flips, most), len(columns))

    def dense(self) -> np.ndarray:
        """Return int8 (samples, variants), -1 where missing."""
        from genoken.core import _call_kernels

        return _call_kernels.unpack(self.packed, self.num_columns)

    def read(self, strand: Calls | None = None) -> sp.csr_matrix:
        """Return a CSR matrix (samples, variants), float32, NaN stored where missing, zeros not stored.

        Parameters
        ----------
        strand
            Copies on the first strand, with which a single copy becomes -1 where it is on the second one, and NaN where that
            is not known.
        """
        from genoken.core import _call_kernels

        phase = np.empty((0, 0), dtype=np.uint8) if strand is None else strand.packed
        starts, indices, data = _call_kernels.sparse(self.packed, phase)
        result = sp.csr_matrix((data, indices, starts), shape=self.shape)
        result.has_sorted_indices = result.has_canonical_format = True
        return result

    def toarray(self) -> np.ndarray:
        """Return float32 (samples, variants), NaN where missing, as of the matrix of :meth:`read`."""
        dense = self.dense().astype(np.float32)
        dense[dense < 0] = np.nan
        return dense

    def blocks(self) -> Iterator[Calls]:
        """Yield all rows in order, in blocks of at most ``BLOCK_CALLS`` calls, but at least one row."""
        at_once = max(BLOCK_CALLS // max(self.num_columns, 1), 1)
        for start in range(0, len(self.packed), at_once):
            yield self[start : start + at_once]

    def counts(self) -> np.ndarray:
        """Return how many samples have 0, 1 and 2 copies of each variant and in how many it is missing, int64 (4, variants)."""
        return self._count()[0]

    def totals(self) -> np.ndarray:
        """Return how many calls there are of 0, 1 and 2 copies, and missing ones, int64 (4,)."""
        from genoken.core import _call_kernels

        of_bytes = _call_kernels.count_bytes(self.packed)
        codes = np.arange(len(of_bytes))[:, None] >> np.arange(0, 2 * PER_BYTE, 2) & _call_kernels.ABSENT
        found = np.array([(of_bytes @ (codes == code)).sum() for code in range(_call_kernels.ABSENT + 1)])
        found[0] -= len(self.packed) * (PER_BYTE * self.packed.shape[1] - self.num_columns)
        return found

    def missing_of_samples(self) -> np.ndarray:
        """Return how many variants are missing in each sample, int64 (samples,)."""
        return self._count()[1]

    def _count(self) -> tuple[np.ndarray, np.ndarray]:
        from genoken.core import _call_kernels

        return _call_kernels.count(self.packed, self.num_columns)


def refuse_other_dosages(values: sp.csr_matrix) -> None:
    """Refuse a CSR matrix in which something other than 0, 1, 2 and NaN is stored.

    Raises
    ------
    DataError
        Showing the first such number.
    """
    other = ~(np.isin(values.data, (0, 1, 2)) | np.isnan(values.data))
    if other.any():
        found = values.data[int(np.flatnonzero(other)[0])]
        raise DataError(f"genotypes are 0, 1 or 2 copies, found {found:g}", remedy="round imputed dosages to the nearest copies")


def num_bytes(num_calls: int) -> int:
    """Return the bytes that so many calls take."""
    return -(-num_calls // PER_BYTE)


def pack_calls(dense: np.ndarray) -> np.ndarray:
    """Return int8 (rows, calls) of 0, 1, 2 and negative numbers for missing as uint8 (rows, bytes), see :class:`Calls`.

    Rows may be samples or variants.
    """
    from genoken.core import _call_kernels

    return _call_kernels.pack(np.ascontiguousarray(dense, dtype=np.int8))


def turn_blocks(blocks: deque[np.ndarray], num_samples: int) -> Calls:
    """Return calls by sample of blocks by variant, which are removed one by one, so that there is hardly a second copy of them.

    Parameters
    ----------
    blocks
        uint8 (variants, bytes of samples), packed as of :func:`pack_calls`; what is left of a row's last byte does not matter.
    num_samples
        Samples.
    """
    from genoken.core import _call_kernels

    num_variants = sum(map(len, blocks))
    turned = np.zeros((num_samples, num_bytes(num_variants)), dtype=np.uint8)
    first, rest = 0, np.zeros((0, num_bytes(num_samples)), dtype=np.uint8)
    while blocks:
        block = np.concatenate([rest, blocks.popleft()]) if len(rest) else blocks.popleft()
        stop = len(block) // PER_BYTE * PER_BYTE if blocks else len(block)  # bytes of samples hold four variants each
        _call_kernels.transpose(block[:stop], turned, first // PER_BYTE)
        first, rest = first + stop, block[stop:]
    return Calls(turned, num_variants)


def turn_block(block: np.ndarray, num_samples: int) -> np.ndarray:
    """Return one block by variant, uint8 (variants, bytes of samples), by sample, uint8 (samples, bytes of variants)."""
    return turn_blocks(deque([block]), num_samples).packed
