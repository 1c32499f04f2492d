"""From an .h5ad file to an AnnData object, with one clear line for every way in which that fails."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from genoken.core.errors import DataError, suggestion

if TYPE_CHECKING:
    from anndata import AnnData

_HDF5 = b"\x89HDF\r\n\x1a\n"
_GIT_LFS = b"version https://git-lfs"
_GZIP = b"\x1f\x8b"
_ANNDATA_PARTS = {"obs", "var"}


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
    _refuse_by_first_bytes(path)
    _refuse_by_content(path)
    import anndata
    from anndata.io import read_h5ad

    try:
        with warnings.catch_warnings():
            # Names that occur twice are refused by the reader, with a line of its own.
            warnings.filterwarnings("ignore", message=".* names are not unique")
            found = read_h5ad(path)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError, _registry_error()) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(
            f"this AnnData file cannot be read, it is damaged or written by a newer anndata than {anndata.__version__} ({reason})",
            where=str(path),
            remedy="copy the file again, or write it again with adata.write_h5ad()",
        ) from error
    return found


def _registry_error() -> type[Exception]:
    from anndata._io.specs.registry import IORegistryError

    return IORegistryError


def _refuse_by_first_bytes(path: Path) -> None:
    where = str(path)
    if path.is_dir():
        remedy = "choose a file; a zarr store is written as a file with anndata.read_zarr(…).write_h5ad(…)"
        raise DataError("this is a folder, not an .h5ad file", where=where, remedy=remedy)
    try:
        with path.open("rb") as handle:
            start = handle.read(512)
    except FileNotFoundError as error:
        siblings = [child.name for child in path.parent.glob("*.h5ad")] if path.parent.is_dir() else []
        remedy = suggestion(path.name, siblings, "files there") if siblings else "check the path"
        raise DataError("the file does not exist", where=where, remedy=remedy) from error
    except OSError as error:
        raise DataError(f"the file cannot be read ({error.strerror})", where=where) from error
    if not start:
        raise DataError("the file is empty (0 bytes)", where=where, remedy="copy or download it again")
    if start.startswith(_GIT_LFS):
        raise DataError("this is a git-LFS pointer, not the data", where=where, remedy="fetch the data with: git lfs pull")
    if start.startswith(_GZIP):
        raise DataError("the file is compressed with gzip", where=where, remedy="unpack it first: gunzip")


def _refuse_by_content(path: Path) -> None:
    import h5py

    where = str(path)
    try:
        with h5py.File(path, "r") as file:
            names = set(file)
    except OSError as error:
        with path.open("rb") as handle:
            is_hdf5 = handle.read(len(_HDF5)) == _HDF5
        if is_hdf5:
            message, remedy = "the file is damaged: it starts as HDF5 but is cut off or overwritten", "copy or download it again"
        else:
            message, remedy = (
                "this is not an HDF5 file, so it is not .h5ad",
                "write one with anndata: adata.write_h5ad('cells.h5ad')",
            )
        raise DataError(message, where=where, remedy=remedy) from error
    if not names >= _ANNDATA_PARTS:
        held = f"it holds {', '.join(sorted(names)[:6])}" if names else "it is empty"
        raise DataError(f"this HDF5 file is not an AnnData file: {held}, not obs and var", where=where, remedy=_other_kind(names))


def _other_kind(names: set[str]) -> str:
    if "matrix" in names and "row_attrs" not in names:
        return "it looks like a file of 10x: convert it with scanpy.read_10x_h5(…).write_h5ad(…)"
    if "row_attrs" in names:
        return "it looks like a loom file: convert it with anndata.io.read_loom(…).write_h5ad(…)"
    return "write an AnnData object with adata.write_h5ad('cells.h5ad')"
