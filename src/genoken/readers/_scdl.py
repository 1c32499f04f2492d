"""The neighbors in an SCDL folder, as bionemo-scdl writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.sparse as sp

from genoken.core.errors import DataError

SCDL_FILES = {"neighbor_indptr.npy": np.uint64, "neighbor_indices.npy": np.uint32, "neighbor_values.npy": np.float32}
"""Arrays of a CSR matrix and the types in which they are written."""
_NPY = b"\x93NUMPY"


def read_scdl_graph(folder: Path) -> sp.csr_matrix:
    """Read the graph of neighbors in an SCDL folder, (samples, samples); whether it fits is not looked at.

    The three arrays are read as they lie on the disk, which needs no package: bionemo-scdl writes them as bare numbers, without the
    header that their ending promises, in types that do not vary. Arrays with that header are read too.

    Raises
    ------
    DataError
        When one is missing, or is not a whole number of entries, or they contradict each other.
    """
    indptr, indices, values = (_array(folder / name, dtype) for name, dtype in SCDL_FILES.items())
    size = len(indptr) - 1
    if size < 1 or len(indices) != len(values) or int(indptr[-1]) != len(indices):
        raise DataError(
            f"the neighbors contradict each other: {len(indptr):,} row pointers, {len(indices):,} indices, {len(values):,} values",
            where=str(folder),
            remedy="write the folder again from its AnnData file, or name obsp there",
        )
    graph = sp.csr_matrix((size, size), dtype=np.float32)
    graph.indptr, graph.indices, graph.data = indptr.astype(np.int64), indices.astype(np.int64), values.astype(np.float32)
    return graph


def _array(path: Path, dtype: type) -> np.ndarray:
    if not path.is_file():
        raise DataError(
            f"there is no {path.name}, so this SCDL folder has no neighbors",
            where=str(path.parent),
            remedy="write it with load_neighbors=True, or name an AnnData file's obsp",
        )
    with path.open("rb") as handle:
        has_header = handle.read(len(_NPY)) == _NPY
    if not has_header and path.stat().st_size % np.dtype(dtype).itemsize:
        raise DataError(
            f"the array is cut off, or holds no {np.dtype(dtype).name}", where=str(path), remedy="write or copy the folder again"
        )
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False) if has_header else np.fromfile(path, dtype=dtype)
    except (OSError, ValueError) as error:
        raise DataError(f"the array cannot be read ({' '.join(str(error).split())})", where=str(path)) from error
