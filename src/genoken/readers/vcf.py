"""VCF and BCF."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from genoken.core.calls import pack_calls
from genoken.core.components import settings
from genoken.core.errors import DataError
from genoken.core.genotypes import plain_chromosome
from genoken.readers._builds import build_of_header
from genoken.readers._genotype_reader import VariantFileReader, optional_module, place_name, split_note, variant_table
from genoken.readers._opening import COPY_AGAIN, reason, refuse_by_first_bytes
from genoken.readers._variant_blocks import BlockSink, PhaseAccount, Tables, split_alleles

_RECORDS_AT_ONCE = 256
_ONE_COPY = frozenset({"X", "Y", "MT"})
"""Chromosomes of which some people have one copy."""
_SILENT, _USUAL = 0, 3
"""Levels of htslib's own messages."""
_PADDING = -2
"""Stands in the second place of a haploid call."""


@settings
class VcfReader(VariantFileReader):
    """Reads ``.vcf``, ``.vcf.gz`` and ``.bcf`` files.

    The counted allele is ALT; a site with several becomes one variant per allele. A call with one of its two alleles missing is
    missing. Haploid calls are 0 or 2 copies. The phase is kept where at most 1 % of the heterozygous calls have none;
    the strands of these are missing.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
    """File name endings that this reader takes."""

    def stream(self, path: Path, sink: BlockSink) -> Tables:
        """Hand over the calls of the file's samples at its variants.

        Raises
        ------
        DataError
            When the file cannot be read, or has no samples, no genotypes or no variants.
        MissingExtraError
            Without cyvcf2.
        """
        _refuse_other_kinds(path)
        with _opened(path) as vcf:
            build = build_of_header(vcf.raw_header.splitlines(), str(path))
            calls = _read_calls(vcf, path, sink)
            names = [str(name) for name in vcf.samples]
        features = variant_table(calls.names, calls.chromosomes, np.array(calls.positions), calls.counted, calls.other, build=build)
        features.index = _apart(features)
        table = pd.DataFrame(index=pd.Index(names, dtype=object))
        notes = (*calls.notes(), *calls.phase.notes(names, is_kept=calls.is_phased))
        return Tables(features, table, notes, calls.is_phased)


@dataclass
class _Calls:
    """What was read so far; calls are decoded and handed over block by block."""

    sink: BlockSink
    names: list[str] = field(default_factory=list)
    chromosomes: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    without_alternate: int = 0
    several_alternates: int = 0
    odd_haploid: int = 0
    phase: PhaseAccount = field(default_factory=PhaseAccount)
    _pending: list[np.ndarray] = field(default_factory=list)
    _pending_alternates: list[int] = field(default_factory=list)
    _pending_odd: list[bool] = field(default_factory=list)
    _pending_places: list[str] = field(default_factory=list)
    _keeps_strands: bool = True

    def add(self, record: Any, alleles: np.ndarray) -> None:
        """Take a record with its calls, int16 (samples, 3): two alleles, and whether they are phased."""
        chromosome = plain_chromosome(record.CHROM)
        alternates = [str(allele).upper() for allele in record.ALT]
        self.several_alternates += len(alternates) > 1
        for allele in alternates:
            self.names.append(record.ID or ".")
            self.chromosomes.append(chromosome)
            self.positions.append(record.POS)
            self.counted.append(allele)
            self.other.append(record.REF.upper())
        self._pending.append(alleles)
        self._pending_alternates.append(len(alternates))
        self._pending_odd.append(chromosome not in _ONE_COPY)
        self._pending_places.append(f"{chromosome}:{record.POS}")
        if len(self._pending) == _RECORDS_AT_ONCE:
            self.hand_over()

    @property
    def is_phased(self) -> bool:
        """Whether the strands that were handed over can be used."""
        return self._keeps_strands and self.phase.is_known

    def hand_over(self) -> None:
        """Decode the records that wait, and hand over their calls."""
        if not self._pending:
            return
        calls = np.stack(self._pending)
        first, second, phased = calls[:, :, 0], calls[:, :, 1], calls[:, :, 2] == 1
        is_haploid = second == _PADDING
        second = np.where(is_haploid, first, second)
        missing = (first < 0) | (second < 0)
        self.odd_haploid += int(np.count_nonzero((is_haploid & ~missing)[self._pending_odd]))
        is_heterozygous = (first != second) & ~missing
        self.phase.has_phase |= bool((phased & ~missing & ~is_haploid).any())
        self.phase.take(is_heterozygous, is_heterozygous & ~phased, self._pending_places)
        self._keeps_strands &= not self.phase.is_hopeless
        copies, on_first = split_alleles(first, second, np.array(self._pending_alternates), is_heterozygous & ~phased)
        self.sink.add(pack_calls(copies), pack_calls(on_first) if self._keeps_strands else None)
        for pending in (self._pending, self._pending_alternates, self._pending_odd, self._pending_places):
            pending.clear()

    def notes(self) -> tuple[str, ...]:
        """Return what was read in another way than it is written."""
        said = []
        if self.several_alternates:
            said.append(split_note(self.several_alternates))
        if self.without_alternate:
            said.append(f"sites without an alternate allele are left out: {self.without_alternate:,}")
        if self.odd_haploid:
            said.append(f"haploid calls on chromosomes other than X, Y and MT are read as 0 or 2 copies: {self.odd_haploid:,}")
        return tuple(said)


def _read_calls(vcf: Any, path: Path, sink: BlockSink) -> _Calls:
    if not len(vcf.samples):
        raise DataError("there are no samples in it, only sites", where=str(path))
    if not _has_field(vcf, "GT"):
        what = "it has no genotypes: its header announces no field GT"
        remedy = "call genotypes, or ask for a file with the field GT"
        if _has_field(vcf, "DS"):
            what += ", only imputed dosages (DS), which are fractions"
            remedy = "write the most likely genotypes beside them, as plink2 --vcf FILE dosage=DS --hard-call-threshold 0.499 does"
        raise DataError(what, where=str(path), remedy=remedy)
    calls = _Calls(sink)
    for record in vcf:
        if not record.ALT:
            calls.without_alternate += 1
            continue
        calls.add(record, _alleles(record, path))
    if not calls.names:
        what = "there are no variants in it" if not calls.without_alternate else "no site in it has an alternate allele"
        raise DataError(what, where=str(path))
    calls.hand_over()
    return calls


def _has_field(vcf: Any, name: str) -> bool:
    return any(line.startswith(f"##FORMAT=<ID={name},") for line in vcf.raw_header.splitlines())


def _alleles(record: Any, path: Path) -> np.ndarray:
    if "GT" not in (record.FORMAT or ()):
        place = f"{path}, {record.CHROM}:{record.POS}"
        raise DataError("this variant has no genotypes (field GT)", where=place, remedy="leave it out: bcftools view -i 'GT!=\"\"'")
    found = np.asarray(record.genotype.array())
    if found.shape[1] > 3:
        place = f"{path}, {record.CHROM}:{record.POS}"
        remedy = "leave out variants and samples with more than two copies"
        raise DataError(f"calls have {found.shape[1] - 1} alleles, and genotypes have two", where=place, remedy=remedy)
    if found.shape[1] == 3:
        return found
    return np.insert(found, 1, _PADDING, axis=1)  # every call of this record is haploid


def _apart(features: pd.DataFrame) -> pd.Index:
    """Return ids of which none occurs twice where that can be had: those that do are replaced by place and alleles."""
    ids = features.index
    repeats = ids.duplicated(keep=False)
    if not repeats.any():
        return ids
    columns = (features["chromosome"], features["position_bp"], features["other_allele"], features["counted_allele"])
    named = [place_name(*parts) for parts in zip(*columns, strict=True)]
    return pd.Index(np.where(repeats, np.array(named, dtype=object), ids.to_numpy()), dtype=object)


def _refuse_other_kinds(path: Path) -> None:
    is_packed = path.suffix != ".vcf"
    refuse_by_first_bytes(path, path.suffix, compressed=is_packed)
    with path.open("rb") as handle:
        is_gzip = handle.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if is_gzip else path.open("rb") as handle:
            start = handle.read(16)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"the file is damaged or cut off ({reason(error)})", where=str(path), remedy=COPY_AGAIN) from error
    if not start.startswith((b"##fileformat=VCF", b"BCF")):
        raise DataError("this is not a VCF file: it does not start with ##fileformat=VCF", where=str(path))


class _OneLine:
    """Turns what cyvcf2 raises, which is the bare Exception, into one line; all other errors pass."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and (kind is Exception or isinstance(error, (OSError, UnicodeDecodeError))):
            raise DataError(f"the file is damaged or cut off{_words_of(error)}", where=str(self.path), remedy=COPY_AGAIN) from error


def _words_of(error: BaseException) -> str:
    """Return what an error says, in brackets; htslib's own number of an error says nothing."""
    return "" if "error-code" in str(error) else f" ({reason(error)})"


@contextlib.contextmanager
def _silent(cyvcf2: Any) -> Iterator[None]:
    """Keep htslib from writing lines of its own to stderr: what is wrong is raised, and said once."""
    set_level = getattr(cyvcf2.cyvcf2, "set_htslib_log_level", lambda level: None)  # versions before 0.31.2 have none
    set_level(_SILENT)
    try:
        yield
    finally:
        set_level(_USUAL)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    cyvcf2 = optional_module("cyvcf2", "cyvcf2")
    with _OneLine(path), _silent(cyvcf2):
        vcf = cyvcf2.VCF(str(path), gts012=True)
        try:
            yield vcf
        finally:
            vcf.close()
