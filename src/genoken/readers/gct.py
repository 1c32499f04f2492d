"""GCT: L1000's matrices, and those of GSEA and GTEx, as text."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from genoken.core.components import settings
from genoken.core.errors import DataError
from genoken.readers import _panel
from genoken.readers._opening import COPY_AGAIN, reason, refuse_by_first_bytes
from genoken.readers._reader import AnnDataReader, Content

_BLOCK_ROWS = 1024
_WRITE = "a GCT file starts with #1.2 or #1.3, then the numbers of rows and columns"


@settings
class GctReader(AnnDataReader):
    """Reads GCT files of version 1.2 and 1.3, also compressed with gzip; rows are features there and columns are samples.

    Dense values that are no counts are ``real``. ``-666`` and ``NA`` mean missing; samples with missing values are left out with a
    count. Annotations of samples become numbers where all of a column are numbers; those of features stay text.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".gct", ".gct.gz")
    """File name endings that this reader takes."""
    panel: ClassVar[bool] = True
    """Dense values are measurements."""

    def load(self, path: Path) -> Content:
        """Return samples (the file's columns) by features (its rows), with the annotations of both.

        Raises
        ------
        DataError
            When the file cannot be read, is cut off, or a line does not fit; when samples have missing values and ``strict``.
        """
        path = Path(path)
        with _lines(path) as lines:
            head = _head(lines, path)
            table = _sample_table(lines, head)
            names: list[list[str]] = []
            values = _panel.stacked(_blocks(lines, head, names), len(head.samples))
        columns = zip(*(row[1:] for row in names), strict=True) if names else [()] * len(head.annotations)
        annotations = {name: list(column) for name, column in zip(head.annotations, columns, strict=True)}
        features = _panel.metadata([row[0] for row in names], annotations)
        return _panel.without_missing(sp.csr_matrix(values.T), table, features, path, strict=self.strict)


class _Lines:
    """The lines of a file as lists of fields, with the number of the last one for messages."""

    def __init__(self, handle: IO[bytes], path: Path) -> None:
        self.handle = handle
        self.path = path
        self.number = 0

    def next(self) -> list[str] | None:
        """Return the fields of the next line that is not empty, or nothing at the end of the file."""
        for line in self.handle:
            self.number += 1
            text = _panel.decoded(line).rstrip("\r\n")
            if text.strip():
                return text.split("\t")
        return None

    def needed(self, what: str) -> list[str]:
        """Return the next line's fields; the file is cut off when there are none."""
        fields = self.next()
        if fields is None:
            raise self.error(f"the file ends before {what}: it is cut off", COPY_AGAIN)
        return fields

    def error(self, message: str, remedy: str = "write the file again") -> DataError:
        """Return an error about the last line."""
        return DataError(message, where=f"{self.path}, line {self.number}", remedy=remedy)


@dataclass(frozen=True)
class _Head:
    """What the first three lines say."""

    num_features: int
    num_sample_lines: int
    annotations: list[str]
    samples: list[str]


@contextlib.contextmanager
def _lines(path: Path) -> Iterator[_Lines]:
    refuse_by_first_bytes(path, ".gct", compressed=path.name.lower().endswith(".gz"))
    opened: Any = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rb") as handle:
            yield _Lines(handle, path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"the file is damaged or cut off ({reason(error)})", where=str(path), remedy=COPY_AGAIN) from error


def _head(lines: _Lines, path: Path) -> _Head:
    version = lines.needed("its first line")[0].lstrip("\ufeff").strip()
    if version not in ("#1.2", "#1.3"):
        raise DataError(f"this is not a GCT file: it starts with {version[:20]!r}", where=str(path), remedy=_WRITE)
    sizes = [word for word in lines.needed("the numbers of rows and columns") if word.strip()]
    if len(sizes) < (2 if version == "#1.2" else 4) or not all(word.strip().isdigit() for word in sizes):
        raise lines.error(f"this line holds no numbers of rows and columns: {' '.join(sizes)[:60]!r}", _WRITE)
    num_features, num_samples, *others = map(int, sizes)
    num_annotations, num_lines = others[:2] if version == "#1.3" else (1, 0)
    names = lines.needed("the line of names")
    if len(names) != 1 + num_annotations + num_samples:
        raise lines.error(
            f"there are {len(names):,} names, but line 2 announces {num_annotations:,} annotations and {num_samples:,} samples"
        )
    return _Head(num_features, num_lines, names[1 : 1 + num_annotations], names[1 + num_annotations :])


def _sample_table(lines: _Lines, head: _Head) -> Any:
    columns = {}
    for _ in range(head.num_sample_lines):
        fields = _fields(lines, head, "the annotations of the samples")
        columns[fields[0]] = _panel.numbers_where_possible(fields[1 + len(head.annotations) :])
    return _panel.metadata(head.samples, columns)


def _fields(lines: _Lines, head: _Head, what: str) -> list[str]:
    fields = lines.needed(what)
    expected = 1 + len(head.annotations) + len(head.samples)
    if len(fields) != expected:
        raise lines.error(
            f"the line has {len(fields):,} fields in place of {expected:,}: the file is cut off or damaged", COPY_AGAIN
        )
    return fields


def _blocks(lines: _Lines, head: _Head, names: list[list[str]]) -> Iterator[np.ndarray]:
    """Yield blocks of rows (features, samples), and append each row's name and annotations to ``names``."""
    block: list[np.ndarray] = []
    for row in range(head.num_features):
        fields = _fields(lines, head, f"row {row + 1:,} of {head.num_features:,}")
        names.append(fields[: 1 + len(head.annotations)])
        block.append(_numbers(fields[1 + len(head.annotations) :], lines))
        if len(block) == _BLOCK_ROWS:
            yield np.stack(block)
            block = []
    if block:
        yield np.stack(block)
    if lines.next() is not None:
        raise lines.error(f"there are more rows than the {head.num_features:,} that line 2 announces")


def _numbers(words: list[str], lines: _Lines) -> np.ndarray:
    try:
        return np.array(words, dtype=np.float32)
    except ValueError:
        mended = ["nan" if word.strip().lower() in _panel.MISSING_WORDS else word for word in words]
    try:
        return np.array(mended, dtype=np.float32)
    except ValueError as error:
        raise lines.error(f"a value is not a number ({reason(error)})") from error
