"""Which reader takes which file, and which files a list of names, patterns and ranges stands for."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genoken.core.components import kinds, resolve
from genoken.core.errors import DataError
from genoken.core.genotypes import HUMAN_AUTOSOMES
from genoken.core.samples import Samples
from genoken.readers._inspection import Inspection
from genoken.readers._opening import missing_file_error
from genoken.readers._reader import FileReader, StoredGraph
from genoken.workflows.join import Shared, join_samples

if TYPE_CHECKING:
    from anndata import AnnData

FILE_COLUMN = "file"
"""Column of the sample table that says from which of several files a sample is."""
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
_PARTS = re.compile(r"(\d+)")


def inspect_file(path: Path, source: str = "auto", *, strict: bool = False, autosomes: int = HUMAN_AUTOSOMES) -> Inspection:
    """Read a file or folder of any known kind, and collect what would stop a training on it.

    Parameters
    ----------
    path
        The file or folder.
    source
        ``auto``, ``X``, ``raw`` or ``layers/NAME``: where the values are.
    strict
        Refuse samples with missing values, where the kind of file marks them.
    autosomes
        Chromosomes of the species that are none of sex, where PLINK's numbers of chromosomes are read.

    Raises
    ------
    DataError
        When it cannot be read at all.
    """
    path = whole_name(path)
    return reader_of(path, source, strict=strict, autosomes=autosomes).inspect(path)


def read_file(path: Path, source: str = "auto", *, strict: bool = False) -> Samples:
    """Read a file or folder of any known kind; see :func:`inspect_file`.

    Raises
    ------
    DataError
        When it cannot be used, for the first reason.
    """
    return inspect_file(path, source, strict=strict).usable()


def load_file(path: Path) -> AnnData:
    """Return everything in a file or folder of any known kind, all matrices and tables, for the samples that can be used.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    path = whole_name(path)
    return reader_of(path).load(path).adata


def read_graph(path: Path, key: str) -> StoredGraph:
    """Return a matrix of ``obsp`` from a file of any known kind, and the names of its cells; of AnnData files nothing else is read.

    Raises
    ------
    DataError
        When the file cannot be read; that it has no such matrix is no error here.
    """
    return reader_of(path).graph(path, key)


def whole_name(path: Path) -> Path:
    """Return the path, or the file for which a name without an ending stands: ``cohort.bed`` for ``cohort``."""
    if _exists(str(path)):
        return path
    endings = [reader.prefix for reader in _readers() if reader.prefix]
    return next((Path(f"{path}{ending}") for ending in endings if _exists(f"{path}{ending}")), path)


def files_of(path: Path) -> tuple[Path, ...]:
    """Return all files that are read with a file, itself the first: ``cohort.bed`` comes with ``cohort.bim`` and ``cohort.fam``.

    Raises
    ------
    DataError
        When one of them is missing.
    """
    path = whole_name(path)
    return reader_of(path).files(path)


def read_files(
    paths: Sequence[Path], source: str = "auto", *, min_coverage: float = 0.5, shared: Shared = "first", strict: bool = False
) -> Samples:
    """Read several files and join them by gene id; see :func:`genoken.workflows.join.join_samples`.

    Parameters
    ----------
    paths
        Files, as :func:`expand_files` lists them.
    source, strict
        See :func:`inspect_file`.
    min_coverage, shared
        See :func:`genoken.workflows.join.join_samples`.

    Returns
    -------
    Samples
        With a column ``file`` when there are several.

    Raises
    ------
    DataError
        When one cannot be used, or they cannot be joined.
    """
    if len(paths) == 1:
        return read_file(paths[0], source, strict=strict)
    parts = [read_file(path, source, strict=strict) for path in paths]
    return join_samples(parts, distinct_names(paths), column=FILE_COLUMN, min_coverage=min_coverage, shared=shared)


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Return the name of each file, or all paths where two files have the same name."""
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def reader_of(path: Path, source: str = "auto", *, strict: bool = False, autosomes: int = HUMAN_AUTOSOMES) -> FileReader:
    """Return the reader that a file's ending names, or that knows the content of a folder.

    Parameters
    ----------
    path
        The file or folder.
    source, strict, autosomes
        See :func:`inspect_file`.

    Raises
    ------
    DataError
        When there is none.
    """
    readers = _readers()
    if not _exists(str(path)):
        raise missing_file_error(path)
    name = path.name.lower()
    fitting = [reader for reader in readers if name.endswith(tuple(reader.suffixes))]
    if not fitting and path.is_dir():
        fitting = [reader for reader in readers if any((path / file).exists() for file in reader.folder_files)]
    if not fitting:
        raise _unknown(path, readers)
    return fitting[0](source=source, strict=strict, autosomes=autosomes)


def _readers() -> list[type[FileReader]]:
    return [resolve("readers", kind) for kind in kinds("readers")]


def _unknown(path: Path, readers: Sequence[type[FileReader]]) -> DataError:
    endings = ", ".join(sorted(ending for reader in readers for ending in reader.suffixes))
    files = ", ".join(sorted({file for reader in readers for file in reader.folder_files}))
    remedy = f"known are names that end in {endings}, and folders that hold {files}"
    if path.is_dir():
        return DataError(
            "this folder is of no known kind", where=str(path), remedy=f"{remedy}; name files in it with a pattern, '{path}/*.h5ad'"
        )
    what = (
        f"'{path.suffix}' is the ending of no known kind of file"
        if path.suffix
        else "a name without an ending says no kind of file"
    )
    return DataError(what, where=str(path), remedy=remedy)


def expand_files(patterns: Sequence[str | Path]) -> list[Path]:
    """Return the files that names, globs and brace ranges stand for.

    ``{a,b}`` and ``{0..43}`` stand for each of their members in turn, as in a shell (``{00..43}`` keeps the zeros). What ``*``,
    ``?``, ``[…]`` and ``**`` match is put in natural order, ``shard_2`` before ``shard_10``. The order of the patterns themselves
    is kept. A file that has exactly the name of a pattern is that file.

    Parameters
    ----------
    patterns
        Names and patterns.

    Returns
    -------
    list of pathlib.Path
        At least one; all of them exist.

    Raises
    ------
    DataError
        When there is no pattern, one matches nothing, or two lead to the same file.
    """
    if not patterns:
        raise DataError("no file is named", remedy="name files, or a pattern such as 'shards/cells_{0..43}.h5ad'")
    paths = [path for pattern in patterns for path in _expanded(str(pattern))]
    seen: dict[Path, Path] = {}
    for path in paths:
        before = seen.setdefault(path.resolve(), path)
        if before is not path:
            raise DataError("this file is named twice", where=str(path), remedy=f"leave out one of {before} and {path}")
    return paths


def _exists(name: str) -> bool:
    return os.path.exists(name)  # noqa: PTH110 - pathlib's raises when a pattern is too long for a name


def _expanded(pattern: str) -> Iterator[Path]:
    if _exists(str(whole_name(Path(pattern)))):
        yield whole_name(Path(pattern))
        return
    for name in _without_braces(pattern):
        path = Path(name)
        if _exists(name):
            yield path
        elif glob.has_magic(name):
            found = sorted(glob.glob(name, recursive=True), key=natural_key)  # noqa: PTH207 - pathlib's has no absolute patterns
            if not found:
                raise DataError(
                    "no file matches this pattern", where=name, remedy="check it, and quote it so that it arrives whole"
                )
            yield from map(Path, found)
        else:
            raise missing_file_error(path)


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a key under which numbers in names are ordered by their size."""
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in _PARTS.split(name) if part]


def _without_braces(pattern: str) -> Iterator[str]:
    """Yield the pattern with its first pair of braces replaced by each member, and so on; braces that list nothing stay."""
    for start, end in _pairs(pattern):
        members = _members(pattern[start + 1 : end])
        if members:
            for member in members:
                yield from _without_braces(f"{pattern[:start]}{member}{pattern[end + 1 :]}")
            return
    yield pattern


def _pairs(pattern: str) -> Iterator[tuple[int, int]]:
    """Yield the places of each opening brace and the one that closes it, from left to right."""
    for start, character in enumerate(pattern):
        depth = 0
        for end in range(start, len(pattern) if character == "{" else start):
            depth += {"{": 1, "}": -1}.get(pattern[end], 0)
            if depth == 0:
                yield start, end
                break


def _members(content: str) -> list[str]:
    """Return what stands between a pair of braces: a range's numbers, or the parts between commas that are in no inner pair."""
    found = _RANGE.fullmatch(content)
    if found:
        first, last = found.groups()
        step = 1 if int(last) >= int(first) else -1
        padded = any(word.lstrip("-").startswith("0") and len(word.lstrip("-")) > 1 for word in (first, last))
        width = max(len(first), len(last)) if padded else 0
        return [f"{number:0{width}d}" for number in range(int(first), int(last) + step, step)]
    parts, depth = [""], 0
    for character in content:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts if len(parts) > 1 else []
