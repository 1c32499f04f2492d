"""Opening a file, with one clear line for every way in which that fails before its content is looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from genoken.core.errors import DataError, suggestion

if TYPE_CHECKING:
    import h5py

_HDF5 = b"\x89HDF\r\n\x1a\n"
_GIT_LFS = b"version https://git-lfs"
_GZIP = b"\x1f\x8b"
COPY_AGAIN = "copy or download it again"
"""What helps against a file that is cut off."""


def missing_file_error(path: Path) -> DataError:
    """Return the error for a file or folder that does not exist, with the names beside it that are like it."""
    siblings = [child.name for child in path.parent.glob(f"*{path.suffix}")] if path.parent.is_dir() else []
    remedy = suggestion(path.name, siblings, "files there") if siblings else "check the path"
    return DataError("the file does not exist", where=str(path), remedy=remedy)


def refuse_by_first_bytes(path: Path, kind: str, *, compressed: bool = False) -> None:
    """Refuse a path that is no file, cannot be read, is empty, or starts like something else.

    Parameters
    ----------
    path
        The file.
    kind
        Its ending, for messages.
    compressed
        Whether the file may be compressed with gzip.

    Raises
    ------
    DataError
        When the file is missing, a folder, not readable, empty, a git-LFS pointer, or compressed where it may not be.
    """
    where = str(path)
    if path.is_dir():
        remedy = "choose a file; a zarr store is known by the ending .zarr, or by the .zgroup or zarr.json in it"
        raise DataError(f"this is a folder, not {_article(kind)} {kind} file", where=where, remedy=remedy)
    try:
        with path.open("rb") as handle:
            start = handle.read(512)
    except FileNotFoundError as error:
        raise missing_file_error(path) from error
    except OSError as error:
        raise DataError(f"the file cannot be read ({error.strerror})", where=where) from error
    if not start:
        raise DataError("the file is empty (0 bytes)", where=where, remedy=COPY_AGAIN)
    if start.startswith(_GIT_LFS):
        raise DataError("this is a git-LFS pointer, not the data", where=where, remedy="fetch the data with: git lfs pull")
    if start.startswith(_GZIP) and not compressed:
        raise DataError("the file is compressed with gzip", where=where, remedy="unpack it first: gunzip")


def _article(kind: str) -> str:
    return "an" if kind == ".h5ad" else "a"


@contextlib.contextmanager
def open_hdf5(path: Path, kind: str, remedy: str) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, and end in one line where the disk or the library cannot read on.

    Parameters
    ----------
    path
        The file.
    kind
        Its ending, for messages.
    remedy
        How a file of this kind is written.

    Raises
    ------
    DataError
        When :func:`refuse_by_first_bytes` does, or the file is not HDF5 or is damaged.
    """
    import h5py

    refuse_by_first_bytes(path, kind)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _not_hdf5(path, kind, remedy) from error
    try:
        with file:
            yield file
    except (OSError, RuntimeError) as error:
        raise DataError(f"the file is damaged ({reason(error)})", where=str(path), remedy=COPY_AGAIN) from error


def _not_hdf5(path: Path, kind: str, remedy: str) -> DataError:
    with path.open("rb") as handle:
        is_hdf5 = handle.read(len(_HDF5)) == _HDF5
    if is_hdf5:
        message = "the file is damaged: it starts as HDF5 but is cut off or overwritten"
        return DataError(message, where=str(path), remedy=COPY_AGAIN)
    return DataError(f"this is not an HDF5 file, so it is not {kind}", where=str(path), remedy=remedy)


def reason(error: BaseException) -> str:
    """Return what another library's error says, in one line that is not too long."""
    return " ".join(str(error).split())[:200] or type(error).__name__
