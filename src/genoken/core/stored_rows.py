"""Rows of a sparse matrix in files, for matrices that do not fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

BLOCK_ENTRIES = 1 << 24
"""Stored values of a block, at most, where it has more than one row: about 130 MB in memory."""
_INDICES, _DATA = "indices", "data"
_MOST_SHORT_COLUMNS = 1 << 16


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Chosen rows of a CSR matrix in files; nothing but where each row begins and how long it is stays in memory.

    Files are opened for each reading and closed after it: rows can be read by several threads at once, and sent to another process
    without the values. SciPy's matrices are no choice here, because they copy the index arrays of more than 2^31 values.

    Parameters
    ----------
    folder
        Holds the files ``indices`` (uint16, or int32 from 65,537 columns on) and ``data`` (float32), one entry per stored value.
    starts, lengths
        int64 of shape (rows,): number of the first stored value of each row, and how many there are.
    num_columns
        Columns of the matrix.
    """

    folder: Path
    starts: np.ndarray
    lengths: np.ndarray
    num_columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, as of a matrix."""
        return len(self.starts), self.num_columns

    @property
    def indptr(self) -> np.ndarray:
        """Where each row would begin in a CSR matrix of these rows, int64 of shape (rows + 1,)."""
        return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(self.lengths, dtype=np.int64)])

    def __getitem__(self, rows: np.ndarray | slice) -> StoredRows:
        """Return these rows (integer positions, a boolean mask or a slice) in that order, without reading them."""
        return replace(self, starts=self.starts[rows], lengths=self.lengths[rows])

    def read(self) -> sp.csr_matrix:
        """Return the rows as a CSR matrix in memory, float32."""
        indptr = self.indptr
        indices, data = np.empty(indptr[-1], dtype=np.int32), np.empty(indptr[-1], dtype=np.float32)
        if len(data):  # a file without content cannot be mapped
            ends = self.starts + self.lengths
            # Rows that follow each other in the files are read together.
            first = np.flatnonzero(np.concatenate([[True], self.starts[1:] != ends[:-1]]))
            last = np.concatenate([first[1:], [len(ends)]]) - 1
            places = list(zip(self.starts[first], ends[last], indptr[first], indptr[last + 1], strict=True))
            for name, kind, target in ((_INDICES, _index_type(self.num_columns), indices), (_DATA, np.float32, data)):
                stored = np.asarray(np.memmap(self.folder / name, dtype=kind, mode="r"))
                for start, stop, begin, end in places:
                    target[begin:end] = stored[start:stop]
        result = sp.csr_matrix((data, indices, indptr), shape=self.shape)
        result.has_sorted_indices = result.has_canonical_format = True
        return result

    def blocks(self) -> Iterator[StoredRows]:
        """Yield all rows in order, in blocks of at most ``BLOCK_ENTRIES`` stored values, but at least one row."""
        ends = np.cumsum(self.lengths, dtype=np.int64)
        start = 0
        while start < len(ends):
            before = ends[start] - self.lengths[start]
            stop = max(int(np.searchsorted(ends, before + BLOCK_ENTRIES, side="right")), start + 1)
            yield self[slice(start, stop)]
            start = stop


def store_rows(parts: Iterable[sp.csr_matrix], folder: Path, num_columns: int) -> StoredRows:
    """Write the rows of several matrices after each other into the files of a new folder.

    Parameters
    ----------
    parts
        Canonical CSR matrices (rows, columns), made one at a time.
    folder
        The folder.
    num_columns
        Columns that all of them have.

    Returns
    -------
    StoredRows
        All rows.

    Raises
    ------
    OSError
        When the folder is there or cannot be written, or the disk is full.
    """
    folder.mkdir(parents=True)
    kind, lengths = _index_type(num_columns), [np.zeros(0, dtype=np.int64)]
    with (folder / _INDICES).open("wb") as indices, (folder / _DATA).open("wb") as data:
        for part in parts:
            if part.shape[1] != num_columns:
                raise ValueError(f"{part.shape[1]} columns in place of {num_columns}")
            indices.write(part.indices.astype(kind))
            data.write(part.data.astype(np.float32, copy=False))
            lengths.append(np.diff(part.indptr).astype(np.int64))
    found = np.concatenate(lengths)
    return StoredRows(folder, np.cumsum(found) - found, found, num_columns)


def bytes_on_disk(num_values: int, num_columns: int) -> int:
    """Return how much space stored values of a matrix with so many columns take in the files."""
    return num_values * (_index_type(num_columns).itemsize + np.dtype(np.float32).itemsize)


def _index_type(num_columns: int) -> np.dtype:
    return np.dtype(np.uint16 if num_columns <= _MOST_SHORT_COLUMNS else np.int32)
