"""From an .h5ad file or a zarr store to an AnnData object, with one clear line for every way in which that fails."""

from __future__ import annotations

import contextlib
import warnings
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genoken.core.errors import DataError
from genoken.readers._opening import open_hdf5, reason
from genoken.readers._reader import StoredGraph

if TYPE_CHECKING:
    from anndata import AnnData

_ANNDATA_PARTS = {"obs", "var"}
_WRITE_H5AD = "write one with anndata: adata.write_h5ad('cells.h5ad')"


def load_anndata(path: Path) -> AnnData:
    """Read an ``.h5ad`` file into memory.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    anndata.AnnData
        The whole object.

    Raises
    ------
    DataError
        When the file is missing, a folder, not readable, a git-LFS pointer, compressed, truncated, not HDF5, HDF5 of another
        kind, or damaged.
    """
    path = Path(path)
    with open_hdf5(path, ".h5ad", _WRITE_H5AD) as file:
        _refuse_by_content(set(file), path)
    from anndata.io import read_h5ad

    with reading(path, "copy the file again, or write it again with adata.write_h5ad()"):
        return read_h5ad(path)


def load_graph(path: Path, key: str) -> StoredGraph:
    """Read a matrix of ``obsp`` from an ``.h5ad`` file, and nothing else but the names of its cells.

    Raises
    ------
    DataError
        As :func:`load_anndata` does.
    """
    with open_hdf5(path, ".h5ad", _WRITE_H5AD) as file:
        _refuse_by_content(set(file), path)
        with reading(path, "copy the file again, or write it again with adata.write_h5ad()"):
            return stored_graph(file, key)


def stored_graph(root: Any, key: str) -> StoredGraph:
    """Return a matrix of ``obsp`` from the opened root of an HDF5 file or a zarr store."""
    import pandas as pd
    from anndata.io import read_elem

    obs = root["obs"]
    # Early versions of anndata wrote the table as one dataset.
    names = read_elem(obs[obs.attrs["_index"]]) if "_index" in obs.attrs else read_elem(obs).index
    keys = sorted(root["obsp"]) if "obsp" in root else []
    matrix = read_elem(root["obsp"][key]) if key in keys else None
    return StoredGraph(pd.Index(names).astype(str), tuple(keys), matrix)


@contextlib.contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """Turn what anndata raises for a damaged file, or for one from its own future, into one line.

    Raises
    ------
    DataError
        In place of anything that anndata, h5py or zarr raise while they read.
    """
    try:
        with warnings.catch_warnings():
            # Names that occur twice are refused by the reader, with a line of its own.
            warnings.filterwarnings("ignore", message=".* names are not unique")
            yield
    except (
        OSError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        RuntimeError,
        zipfile.BadZipFile,
        _registry_error(),
    ) as error:
        raise DataError(
            "this AnnData file cannot be read, it is damaged or written by a newer anndata than "
            f"{version('anndata')} ({reason(error)})",
            where=str(path),
            remedy=remedy,
        ) from error


def _registry_error() -> type[Exception]:
    from anndata._io.specs.registry import IORegistryError

    return IORegistryError


def _refuse_by_content(names: set[str], path: Path) -> None:
    if not names >= _ANNDATA_PARTS:
        held = f"it holds {', '.join(sorted(names)[:6])}" if names else "it is empty"
        raise DataError(
            f"this HDF5 file is not an AnnData file: {held}, not obs and var", where=str(path), remedy=_other_kind(names)
        )


def _other_kind(names: set[str]) -> str:
    if "matrix" in names and "row_attrs" not in names:
        return "it looks like a file of 10x: give it the ending .h5"
    if "row_attrs" in names:
        return "it looks like a loom file: convert it with anndata.io.read_loom(…).write_h5ad(…)"
    if names == {"0"}:
        return "it looks like a GCTX file: give it the ending .gctx"
    return "write an AnnData object with adata.write_h5ad('cells.h5ad')"
