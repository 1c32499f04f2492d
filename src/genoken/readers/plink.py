"""PLINK 1 binary files: .bed with .bim and .fam."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from genoken.core.calls import PER_BYTE, num_bytes
from genoken.core.components import settings
from genoken.core.errors import DataError
from genoken.readers._genotype_reader import VariantFileReader, variant_table
from genoken.readers._opening import COPY_AGAIN, reason, refuse_by_first_bytes
from genoken.readers._plink_tables import companion, read_sample_file, read_variant_file
from genoken.readers._variant_blocks import BlockSink, ChosenBlocks, Tables

_MAGIC = b"\x6c\x1b"
_HEADER = 3
_BYTES_AT_ONCE = 1 << 20


@settings
class PlinkReader(VariantFileReader):
    """Reads ``.bed`` files with the ``.bim`` and ``.fam`` beside them; what they have in common will do for a name.

    The counted allele is A1, column 5 of ``.bim``.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".bed",)
    """File name endings that this reader takes."""
    prefix: ClassVar[str] = ".bed"
    """Ending of the file that a common name stands for."""

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return the .bed file, its .bim and its .fam."""
        path = Path(path)
        return (path, companion(path, ".bim"), companion(path, ".fam"))

    def stream(self, path: Path, sink: BlockSink) -> Tables:
        """Hand over the calls of the samples (the lines of .fam) at the variants (the lines of .bim).

        Raises
        ------
        DataError
            When a file is missing or damaged, or the three disagree in size.
        """
        _refuse_other_kinds(path)
        bed, variant_file, sample_file = self.files(path)
        table, notes = read_sample_file(sample_file)
        variants = read_variant_file(variant_file, self.autosomes)
        _check_size(bed, len(table), len(variants.names))
        _check_padding(bed, len(table), len(variants.names))
        keep, left_out = variants.usable(variant_file)
        _read_calls(bed, len(table), len(variants.names), ChosenBlocks(sink, keep))
        counted = [alternates[0] for alternates in variants.alternates]
        features = variant_table(
            variants.names,
            variants.chromosomes,
            variants.positions,
            counted,
            variants.references,
            centimorgans=variants.centimorgans,
        )
        return Tables(features[keep], table, (*notes, *variants.notes, *left_out))


def _refuse_other_kinds(path: Path) -> None:
    refuse_by_first_bytes(path, ".bed")
    with path.open("rb") as handle:
        start = handle.read(_HEADER)
    if start[:2] != _MAGIC:
        remedy = "a table of intervals ends in .bed too; genotypes are made with plink --make-bed"
        raise DataError("this is not a PLINK file: its first bytes are others", where=str(path), remedy=remedy)
    if start[2:] != b"\x01":
        what = "the calls are stored sample by sample, as by old versions of PLINK" if start[2:] == b"\x00" else "it is damaged"
        raise DataError(what, where=str(path), remedy="write it again with plink --make-bed")


def _check_size(path: Path, num_samples: int, num_variants: int) -> None:
    expected = _HEADER + num_variants * num_bytes(num_samples)
    size = path.stat().st_size
    if size == expected:
        return
    announced = f".fam has {num_samples:,} samples and .bim {num_variants:,} variants, which take {expected:,} bytes"
    what = "cut off" if size < expected else "too long"
    remedy = f"{COPY_AGAIN}, and make sure that .bed, .bim and .fam belong together"
    raise DataError(f"the file of {size:,} bytes is {what}: {announced}", where=str(path), remedy=remedy)


def _check_padding(path: Path, num_samples: int, num_variants: int) -> None:
    """Refuse calls of more samples than .fam has, in the last byte of each variant: up to three do not show in the file's size."""
    in_last = num_samples % PER_BYTE
    if not in_last or not num_variants:
        return
    calls = np.memmap(path, dtype=np.uint8, mode="r", offset=_HEADER).reshape(num_variants, -1)
    if (calls[:, -1] >> (2 * in_last)).any():
        remedy = f"{COPY_AGAIN}, and make sure that .bed, .bim and .fam belong together"
        raise DataError(f"it holds calls of more samples than the {num_samples:,} of .fam", where=str(path), remedy=remedy)


def _read_calls(path: Path, num_samples: int, num_variants: int, sink: BlockSink) -> None:
    """Hand over the bytes of each variant in blocks: they are packed as calls are here, but for the codes."""
    row_bytes = num_bytes(num_samples)
    at_once = max(_BYTES_AT_ONCE // row_bytes, 1)
    try:
        with path.open("rb") as file:
            file.seek(_HEADER)
            for start in range(0, num_variants, at_once):
                block = np.empty((min(at_once, num_variants - start), row_bytes), dtype=np.uint8)
                if file.readinto(block.data) != block.nbytes:
                    raise OSError("it was cut off while it was read")
                sink.add(_with_our_codes(block), None)
    except OSError as error:
        raise DataError(f"the file is damaged ({reason(error)})", where=str(path), remedy=COPY_AGAIN) from error


def _with_our_codes(block: np.ndarray) -> np.ndarray:
    """Return the same calls with 00, 01, 10 and 11 in place of 11, 10, 00 and 01: 0, 1 and 2 copies of A1, and no call.

    The high bit is the old one turned over; the low bit is set where the old two differ.
    """
    high = block >> 1 & 0x55
    low = block & 0x55
    low ^= high
    high ^= 0x55
    high <<= 1
    high |= low
    return high
