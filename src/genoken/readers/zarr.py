"""AnnData objects in zarr stores."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from genoken.core.components import settings
from genoken.core.errors import DataError
from genoken.readers._anndata_file import reading, stored_graph
from genoken.readers._opening import missing_file_error, refuse_by_first_bytes
from genoken.readers._reader import AnnDataReader, Content, StoredGraph

if TYPE_CHECKING:
    import zarr

_WRITE_ZARR = "write one with anndata: adata.write_zarr('cells.zarr')"
_COPY_AGAIN = "copy the whole store again, or write it again with adata.write_zarr()"
_VALUE_ARRAYS = ("data", "indices")


@settings
class ZarrReader(AnnDataReader):
    """Reads AnnData objects from zarr stores of format 2 or 3: folders, or a folder packed as one zip file."""

    suffixes: ClassVar[tuple[str, ...]] = (".zarr", ".zarr.zip")
    """File name endings that this reader takes."""
    folder_files: ClassVar[tuple[str, ...]] = (".zgroup", "zarr.json")
    """What a store holds at its top."""

    def load(self, path: Path) -> Content:
        """Return the whole object.

        Raises
        ------
        DataError
            When the store is missing, incomplete, damaged, or holds something else.
        """
        from anndata.io import read_zarr

        path = Path(path)
        with _store(path) as store, reading(path, _COPY_AGAIN):
            _refuse_by_content(_group(store, path), path)
            return Content(read_zarr(store))

    def graph(self, path: Path, key: str) -> StoredGraph:
        """Return a matrix of the store's ``obsp``, without reading the rest of it.

        Raises
        ------
        DataError
            As :meth:`load` does.
        """
        path = Path(path)
        with _store(path) as store, reading(path, _COPY_AGAIN):
            group = _group(store, path)
            _refuse_foreign(group, path)
            _refuse_incomplete(group, f"obsp/{key}", path)
            return stored_graph(group, key)


@contextlib.contextmanager
def _store(path: Path) -> Iterator[Any]:
    """Yield the folder, or the opened zip file."""
    if path.is_dir():
        yield path
        return
    if path.name.lower().endswith(".zarr"):
        if not path.exists():
            raise missing_file_error(path)
        raise DataError("this is a file, not a zarr store", where=str(path), remedy=_WRITE_ZARR)
    refuse_by_first_bytes(path, ".zarr.zip")
    if not zipfile.is_zipfile(path):
        raise DataError("the zip file is cut off, or is none", where=str(path), remedy=_COPY_AGAIN)
    from zarr.storage import ZipStore

    with ZipStore(path, mode="r") as store:
        yield store


def _group(store: Any, path: Path) -> zarr.Group:
    import zarr
    from zarr.errors import GroupNotFoundError

    try:
        return zarr.open_group(store, mode="r")
    except GroupNotFoundError as error:
        raise DataError("there is no zarr store in it", where=str(path), remedy=_WRITE_ZARR) from error


def _refuse_foreign(group: zarr.Group, path: Path) -> None:
    names = sorted(group.keys())
    if not {"obs", "var"} <= set(names):
        held = f"it holds {', '.join(names[:6])}" if names else "it is empty"
        raise DataError(f"this zarr store is not of AnnData: {held}, not obs and var", where=str(path), remedy=_WRITE_ZARR)


def _refuse_by_content(group: zarr.Group, path: Path) -> None:
    _refuse_foreign(group, path)
    layers = group.get("layers")
    named = [f"layers/{name}" for name in getattr(layers, "keys", tuple)()]
    for place in ("X", "raw/X", *named):
        _refuse_incomplete(group, place, path)


def _refuse_incomplete(group: zarr.Group, place: str, path: Path) -> None:
    """Refuse a sparse matrix of which a chunk is missing: zarr would read zeros in its place without a word."""
    import zarr

    matrix = group.get(place)
    if not isinstance(matrix, zarr.Group):
        return
    for name in _VALUE_ARRAYS:
        array = matrix.get(name)
        if isinstance(array, zarr.Array) and array.nchunks_initialized < array.nchunks:
            lost = array.nchunks - array.nchunks_initialized
            raise DataError(
                f"the store is incomplete: {lost:,} of the {array.nchunks:,} chunks of {place}/{name} are missing",
                where=str(path),
                remedy=_COPY_AGAIN,
            )
