"""What is in a folder of packed calls, and the one way to write it: calls sample after sample, with the tables of both."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from genoken.core.calls import PER_BYTE, num_bytes, turn_block
from genoken.core.files import write_json
from genoken.core.genotypes import BUILD
from genoken.readers._genotype_reader import VariantFileReader
from genoken.readers._variant_blocks import Tables

FORMAT, VERSION = "genoken calls", 1
HEADER, CALLS, STRAND, SAMPLES, VARIANTS = "calls.json", "calls.bin", "first_strand.bin", "samples.parquet", "variants.parquet"
"""Files of a store. The ``.bin`` files hold the bytes of :class:`~genoken.core.calls.Calls`, row after row, and nothing else."""
_BYTES_AT_ONCE = 1 << 24
_SPOOLS = ("calls.spool", "first_strand.spool")


@dataclass
class _Spools:
    """Writes blocks to files as they come, variant after variant; a sink of a reader."""

    folder: Path
    opened: ExitStack
    num_variants: int = 0
    _files: list[BinaryIO] = field(default_factory=list)

    def add(self, copies: np.ndarray, strand: np.ndarray | None) -> None:
        """Take the next variants."""
        if not self._files:
            self._files = [self.opened.enter_context((self.folder / name).open("wb")) for name in _SPOOLS]
        for file, block in zip(self._files, (copies, strand), strict=True):
            if block is not None:
                file.write(np.ascontiguousarray(block).data)
        self.num_variants += len(copies)


@contextlib.contextmanager
def whole_folder(output: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``output``, which in the end takes its name; on failure it is removed.

    What stood there before is replaced.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{output.stem}-", dir=output.parent))
    try:
        new = temporary / "new"
        new.mkdir()
        yield new
        for file in new.iterdir():
            with file.open("rb+") as written:
                os.fsync(written.fileno())
        if output.exists():
            output.rename(temporary / "old")
        new.rename(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_store(reader: VariantFileReader, path: Path, folder: Path) -> Tables:
    """Write the calls of a file into an empty folder, and return what else the file holds.

    The calls go to disk as they are read, variant after variant, and are then turned over block by block. Only one block, and the
    tables, are in memory at a time.

    Parameters
    ----------
    reader, path
        What reads the file, and the file.
    folder
        The folder; what says that the store is whole, its header, comes last.

    Raises
    ------
    DataError
        When the file cannot be read.
    OSError
        When the folder cannot be written.
    """
    with ExitStack() as opened:
        spools = _Spools(folder, opened)
        tables = reader.stream(path, spools)
    shape = len(tables.table), spools.num_variants
    for spool, target in zip(_SPOOLS, (CALLS, STRAND), strict=True):
        if target == CALLS or tables.is_phased:
            _turn(folder / spool, folder / target, *shape)
        (folder / spool).unlink()
    tables.table.to_parquet(folder / SAMPLES)
    tables.variants.to_parquet(folder / VARIANTS)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "samples": shape[0],
        "variants": shape[1],
        "phased": tables.is_phased,
        "build": str(tables.variants[BUILD].iloc[0]),
        "notes": list(tables.notes),
    }
    write_json(folder / HEADER, header)
    return tables


def _turn(spool: Path, target: Path, num_samples: int, num_variants: int) -> None:
    """Write calls by sample that a file holds by variant."""
    row_bytes, stride = num_bytes(num_samples), num_bytes(num_variants)
    at_once = max(_BYTES_AT_ONCE // row_bytes // PER_BYTE, 1) * PER_BYTE  # bytes of samples hold four variants each
    with spool.open("rb") as source, target.open("wb", buffering=0) as turned:
        turned.truncate(num_samples * stride)
        for start in range(0, num_variants, at_once):
            count = min(at_once, num_variants - start)
            block = np.fromfile(source, dtype=np.uint8, count=count * row_bytes).reshape(count, row_bytes)
            for row, piece in enumerate(turn_block(block, num_samples)):
                turned.seek(row * stride + start // PER_BYTE)
                turned.write(piece.data)
