"""Files that are either whole or absent, and their hashes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genoken.core.errors import GenokenError, RunError


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is synced to disk and renamed to ``path``, on failure removed.

    The temporary name keeps ``path``'s suffix, because several writers choose their format by it.

    Raises
    ------
    RunError
        When the disk is full or the folder cannot be written.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # afterwards: some writers make the file anew, readable by its owner alone
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise RunError(
            f"cannot write the file ({error.strerror or error})", where=str(path), remedy="free disk space or choose another folder"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Mapping[str, Any] | list[Any]) -> None:
    """Write JSON atomically. NumPy scalars and arrays become plain numbers and lists; NaN and infinity become ``null``."""
    write_text(path, json.dumps(to_json(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    RunError
        When the file is missing or not valid JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError("the file does not exist", where=str(path), remedy="is this a folder that genoken wrote?") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(f"the file is not valid JSON ({error})", where=str(path)) from error


def to_json(value: Any) -> Any:
    """Return ``value`` in JSON's own types; raises ``TypeError`` for a type that has no JSON form."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def sha256_of_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_of_folder(folder: Path) -> str:
    """Return the hexadecimal SHA-256 of names and contents of all files in a folder, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(child for child in Path(folder).rglob("*") if child.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256_of_file(path)}\n".encode())
    return digest.hexdigest()


def check_output_folder(folder: Path, *, overwrite: bool) -> bool:
    """Return whether a folder that is to be written holds something that is replaced; change nothing.

    Raises
    ------
    RunError
        When it holds something and may not be replaced: without ``overwrite``, or because genoken did not write it (it has neither
        ``manifest.json`` nor ``config.yaml``).
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise RunError("a file of this name is in the way", where=str(folder), remedy="choose another output folder")
    occupied = folder.is_dir() and any(folder.iterdir())
    if occupied and not overwrite:
        raise RunError(
            "the output folder exists and is not empty",
            where=str(folder),
            remedy="choose another one, or add --overwrite to replace it",
        )
    if occupied and not any((folder / name).exists() for name in ("manifest.json", "config.yaml")):
        raise RunError(
            "the folder holds files that genoken did not write, so it is not overwritten",
            where=str(folder),
            remedy="choose another output folder",
        )
    return occupied


def prepare_output_folder(folder: Path, *, overwrite: bool) -> Path:
    """Create ``folder`` for writing, and refuse one that already holds something unless ``overwrite``.

    With ``overwrite``, only a folder that genoken wrote (it holds a ``manifest.json`` or a ``config.yaml``) is emptied.

    Raises
    ------
    RunError
        When the folder exists and may not be replaced.
    """
    folder = Path(folder)
    if check_output_folder(folder, overwrite=overwrite):
        _remove_tree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenokenError(f"cannot create the folder ({error.strerror})", where=str(folder)) from error
    return folder


def _remove_tree(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            _remove_tree(child)
            child.rmdir()
        else:
            child.unlink()
