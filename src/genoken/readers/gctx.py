"""GCTX: L1000's matrices in HDF5."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from genoken.core.components import settings
from genoken.core.errors import DataError
from genoken.core.matrix import BLOCK_ROWS
from genoken.readers import _panel
from genoken.readers._opening import open_hdf5
from genoken.readers._reader import AnnDataReader, Content

if TYPE_CHECKING:
    import h5py
    import pandas as pd

_MATRIX = "0/DATA/0/matrix"
_FEATURES = "0/META/ROW"
_SAMPLES = "0/META/COL"
_WRITE = "write it with its ids and annotations, for example with cmapPy's write_gctx"


@settings
class GctxReader(AnnDataReader):
    """Reads GCTX files, as CMap publishes L1000 in; rows are features there and columns are samples.

    Dense values that are no counts are ``real``. In values and annotations ``-666`` means missing; samples with missing values
    are left out with a count.

    References
    ----------
    Enache et al., Bioinformatics 35:1427 (2019), doi:10.1093/bioinformatics/bty784.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".gctx",)
    """File name endings that this reader takes."""
    panel: ClassVar[bool] = True
    """Dense values are measurements."""

    def load(self, path: Path) -> Content:
        """Return samples (the file's columns) by features (its rows), with the annotations of both.

        Raises
        ------
        DataError
            When the file cannot be read, has no ids, or its parts do not fit; when samples have missing values and ``strict``.
        """
        path = Path(path)
        with open_hdf5(path, ".gctx", _WRITE) as file:
            matrix = _matrix(file, path)
            features = _metadata(file, _FEATURES, "features", path)
            table = _metadata(file, _SAMPLES, "samples", path)
            values = _values(matrix, len(table), len(features), path)
        return _panel.without_missing(values, table, features, path, strict=self.strict)


def _matrix(file: h5py.File, path: Path) -> h5py.Dataset:
    matrix = file.get(_MATRIX)
    if matrix is None or len(getattr(matrix, "shape", ())) != 2 or matrix.dtype.kind not in "iuf":
        held = ", ".join(sorted(file)[:6]) or "nothing"
        raise DataError(f"this HDF5 file is not a GCTX file: it holds {held}, not /{_MATRIX}", where=str(path), remedy=_other(file))
    return matrix


def _other(file: h5py.File) -> str:
    return "it looks like an AnnData file: give it the ending .h5ad" if {"obs", "var"} <= set(file) else _WRITE


def _values(matrix: h5py.Dataset, num_samples: int, num_features: int, path: Path) -> sp.csr_matrix:
    """Return (samples, features), whichever of the two the file lists first; the usual order is taken where both are as many."""
    if matrix.shape == (num_samples, num_features):
        return _panel.stacked(_blocks(matrix), num_features)
    if matrix.shape == (num_features, num_samples):
        return sp.csr_matrix(_panel.stacked(_blocks(matrix), num_samples).T)
    raise DataError(
        f"the matrix has {matrix.shape[0]:,} x {matrix.shape[1]:,} values, but there are ids of {num_samples:,} samples and "
        f"{num_features:,} features",
        where=str(path),
        remedy=_WRITE,
    )


def _blocks(matrix: h5py.Dataset) -> Iterator[np.ndarray]:
    for start in range(0, matrix.shape[0], BLOCK_ROWS):
        yield matrix[start : start + BLOCK_ROWS]


def _metadata(file: h5py.File, place: str, noun: str, path: Path) -> pd.DataFrame:
    group = file.get(place)
    columns = {name: _column(group[name]) for name in group} if group is not None else {}
    if "id" not in columns:
        raise DataError(f"there is no metadata: the ids of the {noun}, /{place}/id, are missing", where=str(path), remedy=_WRITE)
    ids = columns.pop("id")
    wrong = [name for name, values in columns.items() if np.shape(values) != np.shape(ids)]
    if wrong:
        raise DataError(f"/{place}/{wrong[0]} does not have one value for each of the {len(ids):,} {noun}", where=str(path))
    return _panel.metadata(ids, columns)


def _column(dataset: h5py.Dataset) -> Any:
    """Return numbers as they are and bytes as text."""
    values = dataset[()]
    if values.dtype.kind not in "SO":
        return values
    return np.array([_panel.decoded(value) if isinstance(value, bytes) else str(value) for value in values], dtype=object)
