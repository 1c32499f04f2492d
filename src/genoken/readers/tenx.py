"""Matrices of 10x Genomics' Cell Ranger: HDF5, or a folder with Matrix Market and two lists."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.components import settings
from genoken.core.errors import DataError
from genoken.readers._opening import COPY_AGAIN, missing_file_error, open_hdf5, reason, refuse_by_first_bytes
from genoken.readers._reader import AnnDataReader, Content, annotated

if TYPE_CHECKING:
    import h5py

GENES = "Gene Expression"
"""Type of the features that are genes; antibodies, guides and others are left out."""
_VALUES = ("data", "indices", "indptr", "shape", "barcodes")
_LISTS = {"barcodes": ("barcodes.tsv",), "features": ("features.tsv", "genes.tsv")}
_CONVERT = "a file of 10x holds a group 'matrix', or one named after the genome"


@settings
class TenxReader(AnnDataReader):
    """Reads what Cell Ranger writes: ``…_feature_bc_matrix.h5`` of version 2 and 3, and folders with ``matrix.mtx(.gz)``.

    Features are known by their Ensembl id, with the symbol in the column ``gene_symbol``. Features that are not gene expression are
    left out with a count.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".h5", "matrix.mtx", "matrix.mtx.gz")
    """File name endings that this reader takes; the lists are looked for beside a matrix, under the same prefix."""
    folder_files: ClassVar[tuple[str, ...]] = ("matrix.mtx", "matrix.mtx.gz")
    """What a folder of Cell Ranger holds."""

    def load(self, path: Path) -> Content:
        """Return cells by genes.

        Raises
        ------
        DataError
            When a file is missing, damaged or of another kind, the parts do not fit, or there are no genes in it.
        """
        path = Path(path)
        values, barcodes, features = _from_folder(path) if _is_text(path) else _from_hdf5(path)
        if values.shape != (len(barcodes), len(features)):
            raise DataError(
                f"the matrix has {values.shape[0]:,} cells and {values.shape[1]:,} features, but there are {len(barcodes):,} "
                f"barcodes and names of {len(features):,} features",
                where=str(path),
                remedy="take all files from the same run of Cell Ranger",
            )
        return _genes(values, pd.DataFrame(index=pd.Index(barcodes, dtype=object)), features, path)


def _is_text(path: Path) -> bool:
    return path.is_dir() or path.name.lower().endswith((".mtx", ".mtx.gz"))


def _genes(values: sp.csr_matrix, table: pd.DataFrame, features: pd.DataFrame, path: Path) -> Content:
    """Keep the features that are genes, and count the others."""
    types = features["feature_type"] if "feature_type" in features else pd.Series(GENES, index=features.index)
    keep = (types == GENES).to_numpy()
    others = Counter(types[~keep])
    if not keep.any():
        raise DataError(f"there is no feature of type '{GENES}' in it", where=str(path), remedy=f"there are: {', '.join(others)}")
    notes = []
    if others:
        listed = ", ".join(f"{count:,} {kind}" for kind, count in others.items())
        notes.append(f"features that are not gene expression are left out: {listed}")
    genomes = features.loc[keep, "genome"].unique() if "genome" in features else []
    if len(genomes) > 1:
        notes.append(f"the features are of {len(genomes)} genomes: {', '.join(genomes)}")
    return Content(annotated(values if keep.all() else values[:, keep], table, features[keep]), tuple(notes))


def _from_hdf5(path: Path) -> tuple[sp.csr_matrix, list[str], pd.DataFrame]:
    with open_hdf5(path, ".h5", _CONVERT) as file:
        group = _group(file, path)
        missing = [name for name in _VALUES if name not in group]
        features = _features(group, path)
        if missing:
            raise DataError(f"'{group.name}/{missing[0]}' is missing in this file of 10x", where=str(path), remedy=COPY_AGAIN)
        arrays = group["data"][:], group["indices"][:], group["indptr"][:]
        num_features, num_cells = map(int, group["shape"][:2])
        barcodes = _words(group["barcodes"])
    try:
        return sp.csr_matrix(arrays, shape=(num_cells, num_features)), barcodes, features
    except ValueError as error:
        raise DataError(f"the matrix is damaged ({reason(error)})", where=str(path), remedy=COPY_AGAIN) from error


def _group(file: h5py.File, path: Path) -> h5py.Group:
    """Return the group of version 3, or the only genome of version 2."""
    if "matrix" in file and "barcodes" in file["matrix"]:
        return file["matrix"]
    genomes = [name for name in file if "barcodes" in getattr(file[name], "keys", dict)()]
    if len(genomes) == 1:
        return file[genomes[0]]
    if genomes:
        remedy = "write one file per genome: scanpy.read_10x_h5(…, genome='…').write_h5ad(…)"
        raise DataError(f"the file holds several genomes: {', '.join(genomes)}", where=str(path), remedy=remedy)
    held = f"it holds {', '.join(sorted(file)[:6])}" if len(file) else "it is empty"
    remedy = "it looks like an AnnData file: give it the ending .h5ad" if {"obs", "var"} <= set(file) else _CONVERT
    raise DataError(f"this HDF5 file is not of 10x: {held}", where=str(path), remedy=remedy)


def _features(group: h5py.Group, path: Path) -> pd.DataFrame:
    places = {"id": "features/id", "gene_symbol": "features/name", "feature_type": "features/feature_type"}
    places["genome"] = "features/genome"
    if "features" not in group:
        places = {"id": "genes", "gene_symbol": "gene_names"}
    columns = {name: _words(group[place]) for name, place in places.items() if place in group}
    if "id" not in columns or "gene_symbol" not in columns:
        raise DataError(f"the names of the features are missing in '{group.name}'", where=str(path), remedy=COPY_AGAIN)
    return pd.DataFrame(columns, dtype=object).set_index("id").rename_axis(None)


def _words(dataset: h5py.Dataset) -> list[str]:
    return [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in dataset[:]]


def _from_folder(path: Path) -> tuple[sp.csr_matrix, list[str], pd.DataFrame]:
    matrix = path
    if path.is_dir():
        there = [path / name for name in TenxReader.folder_files if (path / name).is_file()]
        if not there:
            raise DataError("there is no matrix.mtx or matrix.mtx.gz in this folder", where=str(path))
        matrix = there[0]
    barcodes = [row[0] for row in _rows(_beside(matrix, "barcodes"))]
    listed = _beside(matrix, "features")
    columns: Any = zip(*_rows(listed), strict=True)
    try:
        named = dict(zip(("id", "gene_symbol", "feature_type"), map(list, columns), strict=False))
    except ValueError as error:
        raise DataError("the lines do not have equally many fields", where=str(listed), remedy=COPY_AGAIN) from error
    named.setdefault("gene_symbol", named.get("id", []))
    features = pd.DataFrame(named, dtype=object).set_index("id").rename_axis(None)
    return _market(matrix), barcodes, features


def _beside(matrix: Path, part: str) -> Path:
    """Return the list that belongs to a matrix: under the same prefix, compressed or not."""
    prefix = matrix.name[: matrix.name.lower().rindex("matrix.mtx")]
    names = [f"{prefix}{name}{ending}" for name in _LISTS[part] for ending in ("", ".gz")]
    for name in names:
        if (matrix.parent / name).is_file():
            return matrix.parent / name
    raise DataError(f"the list of {part} is missing", where=str(matrix), remedy=f"put {' or '.join(names)} beside it")


def _rows(path: Path) -> list[list[str]]:
    compressed = path.name.endswith(".gz")
    refuse_by_first_bytes(path, ".tsv", compressed=compressed)
    try:
        content = gzip.decompress(path.read_bytes()) if compressed else path.read_bytes()
        lines = content.decode("utf-8").splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"the file is damaged ({reason(error)})", where=str(path), remedy=COPY_AGAIN) from error
    return [line.split("\t") for line in lines if line.strip()]


def _market(path: Path) -> sp.csr_matrix:
    """Return (cells, features) from a Matrix Market file of (features, cells)."""
    from scipy.io import mmread

    if not path.exists():
        raise missing_file_error(path)
    refuse_by_first_bytes(path, ".mtx", compressed=path.name.endswith(".gz"))
    try:
        matrix = mmread(str(path), spmatrix=True)
    except (OSError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise DataError(f"the matrix is damaged or cut off ({reason(error)})", where=str(path), remedy=COPY_AGAIN) from error
    if not sp.issparse(matrix) or np.dtype(matrix.dtype).kind not in "iuf":
        raise DataError("this Matrix Market file is not a sparse matrix of numbers", where=str(path), remedy=COPY_AGAIN)
    return sp.csr_matrix(matrix.T)
