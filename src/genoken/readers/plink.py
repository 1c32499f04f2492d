"""PLINK 1 binary files: .bed with .bim and .fam."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from genoken.core.components import settings
from genoken.core.errors import DataError
from genoken.core.genotypes import MISSING
from genoken.readers._genotype_reader import GenotypeReader, optional_module, variant_table
from genoken.readers._genotypes import Genotypes
from genoken.readers._opening import COPY_AGAIN, reason, refuse_by_first_bytes
from genoken.readers._plink_tables import companion, read_sample_file, read_variant_file

_MAGIC = b"\x6c\x1b"
_HEADER = 3
_CALLS_PER_BYTE = 4


@settings
class PlinkReader(GenotypeReader):
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

    def genotypes(self, path: Path) -> Genotypes:
        """Return samples (the lines of .fam) by variants (the lines of .bim).

        Raises
        ------
        DataError
            When a file is missing or damaged, or the three disagree in size.
        MissingExtraError
            Without bed-reader.
        """
        _refuse_other_kinds(path)
        bed, variant_file, sample_file = self.files(path)
        table, notes = read_sample_file(sample_file)
        variants = read_variant_file(variant_file)
        _check_size(bed, len(table), len(variants.names))
        _check_padding(bed, len(table), len(variants.names))
        calls = _read_calls(bed, len(table), len(variants.names))
        counted = [alternates[0] for alternates in variants.alternates]
        features = variant_table(
            variants.names,
            variants.chromosomes,
            variants.positions,
            counted,
            variants.references,
            centimorgans=variants.centimorgans,
        )
        return Genotypes(dosages=calls, variants=features, table=table, notes=notes)


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
    expected = _HEADER + num_variants * -(-num_samples // _CALLS_PER_BYTE)
    size = path.stat().st_size
    if size == expected:
        return
    announced = f".fam has {num_samples:,} samples and .bim {num_variants:,} variants, which take {expected:,} bytes"
    what = "cut off" if size < expected else "too long"
    remedy = f"{COPY_AGAIN}, and make sure that .bed, .bim and .fam belong together"
    raise DataError(f"the file of {size:,} bytes is {what}: {announced}", where=str(path), remedy=remedy)


def _check_padding(path: Path, num_samples: int, num_variants: int) -> None:
    """Refuse calls of more samples than .fam has, in the last byte of each variant: up to three do not show in the file's size."""
    in_last = num_samples % _CALLS_PER_BYTE
    if not in_last or not num_variants:
        return
    calls = np.memmap(path, dtype=np.uint8, mode="r", offset=_HEADER).reshape(num_variants, -1)
    if (calls[:, -1] >> (2 * in_last)).any():
        remedy = f"{COPY_AGAIN}, and make sure that .bed, .bim and .fam belong together"
        raise DataError(f"it holds calls of more samples than the {num_samples:,} of .fam", where=str(path), remedy=remedy)


def _read_calls(path: Path, num_samples: int, num_variants: int) -> np.ndarray:
    bed_reader = optional_module("bed_reader", "bed-reader")
    try:
        with bed_reader.open_bed(path, iid_count=num_samples, sid_count=num_variants, count_A1=True) as bed:
            calls = bed.read(dtype="int8", order="C")
    except (OSError, ValueError) as error:
        raise DataError(f"the file is damaged ({reason(error)})", where=str(path), remedy=COPY_AGAIN) from error
    return np.maximum(calls, MISSING, out=calls)  # bed-reader marks missing calls by -127
