"""Rows of a sparse matrix in files, for matrices that do not fit into memory."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import scipy.sparse as sp

BLOCK_ENTRIES = 1 << 22
"""Stored values of a block, at most, where it has more than one row: about 34 MB in memory."""
_INDICES, _DATA = "indices", "data"
_MOST_SHORT_COLUMNS = 1 << 16


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Chosen rows of a CSR matrix in files; nothing but where each row begins and how long it is stays in memory.

    Files are opened for each reading and closed after it: rows can be read by several threads at once, and sent to another process
    without the values. They are read, not mapped: rows here and there would map nearly all pages, which count as the process's
    memory. SciPy's matrices are no choice either, because they copy the index arrays of more than 2^31 values.

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
        """Return the rows as a CSR matrix in memory, float32.

        Raises
        ------
        OSError
            When a file is gone or cut off.
        """
        indptr = self.indptr
        is_first = np.ones(len(self.starts), dtype=bool)
        is_first[1:] = self.starts[1:] != self.starts[:-1] + self.lengths[:-1]
        first = np.flatnonzero(is_first)  # from here on rows follow each other in the files, and are read together
        bounds = np.append(indptr[first], indptr[-1])
        data = _read(self.folder / _DATA, np.dtype(np.float32), self.starts[first], bounds)
        indices = _read(self.folder / _INDICES, _index_type(self.num_columns), self.starts[first], bounds)
        result = sp.csr_matrix((data, indices.astype(np.int32), indptr), shape=self.shape)
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


def _read(path: Path, kind: np.dtype, starts: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return pieces of a file after each other; piece ``i`` begins at entry ``starts[i]`` and has ``bounds[i + 1] - bounds[i]``."""
    found = np.empty(bounds[-1], dtype=kind)
    with path.open("rb") as file:
        for start, (begin, end) in zip(starts.tolist(), pairwise(bounds.tolist()), strict=True):
            file.seek(start * kind.itemsize)
            if file.readinto(found[begin:end].data) != (end - begin) * kind.itemsize:
                raise OSError(errno.EIO, "the file is cut off", str(path))
    return found


def _index_type(num_columns: int) -> np.dtype:
    return np.dtype(np.uint16 if num_columns <= _MOST_SHORT_COLUMNS else np.int32)
