"""PLINK 2 binary files: .pgen with .pvar (or .pvar.zst) and .psam."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from genoken.core.calls import pack_calls
from genoken.core.components import settings
from genoken.core.errors import DataError
from genoken.readers._builds import build_of_header
from genoken.readers._genotype_reader import VariantFileReader, optional_module, split_note, variant_table
from genoken.readers._opening import COPY_AGAIN, reason, refuse_by_first_bytes
from genoken.readers._plink_tables import Variants, companion, read_sample_file, read_variant_file
from genoken.readers._variant_blocks import BlockSink, ChosenBlocks, PhaseAccount, Tables, split_alleles

_MAGIC = b"\x6c\x1b"
_VARIANTS_AT_ONCE = 1024


@settings
class PgenReader(VariantFileReader):
    """Reads ``.pgen`` files with the ``.pvar`` and ``.psam`` beside them; what they have in common will do for a name.

    The counted allele is ALT; a variant with several of them becomes one per allele. Hard calls are read, not dosages. The phase is
    kept where at most 1 % of the heterozygous calls have none; the strands of these are missing.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".pgen",)
    """File name endings that this reader takes."""
    prefix: ClassVar[str] = ".pgen"
    """Ending of the file that a common name stands for."""

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return the .pgen file, its .pvar and its .psam."""
        path = Path(path)
        return (path, companion(path, ".pvar", ".pvar.zst"), companion(path, ".psam"))

    def stream(self, path: Path, sink: BlockSink) -> Tables:
        """Hand over the calls of the samples (the lines of .psam) at the variants (the lines of .pvar).

        Raises
        ------
        DataError
            When a file is missing or damaged, or the three disagree in size.
        MissingExtraError
            Without Pgenlib.
        """
        refuse_by_first_bytes(path, ".pgen")
        pgen, variant_file, sample_file = self.files(path)
        table, notes = read_sample_file(sample_file)
        variants = read_variant_file(variant_file, self.autosomes)
        build = build_of_header(variants.meta, str(variant_file))
        keep, left_out = variants.usable(variant_file)
        counts = np.array([len(alternates) for alternates in variants.alternates])
        rows, several = np.repeat(np.arange(len(counts)), counts).tolist(), int((counts > 1).sum())
        phase, is_phased = _read_calls(pgen, variants, len(table), ChosenBlocks(sink, keep[rows]))
        features = variant_table(
            [variants.names[row] if counts[row] == 1 else "." for row in rows] if several else variants.names,
            [variants.chromosomes[row] for row in rows],
            variants.positions[rows],
            [allele for alternates in variants.alternates for allele in alternates],
            [variants.references[row] for row in rows],
            build=build,
            centimorgans=None if variants.centimorgans is None else variants.centimorgans[rows],
        )
        notes = (*notes, *variants.notes, *left_out)
        if several:
            notes = (*notes, split_note(several))
        notes = (*notes, *phase.notes(table.index.tolist(), is_kept=is_phased))
        return Tables(features[keep[rows]], table, notes, is_phased)


def _read_calls(path: Path, variants: Variants, num_samples: int, sink: BlockSink) -> tuple[PhaseAccount, bool]:
    """Hand over the calls, and return what is known of their phase, and whether the strands can be used."""
    pgenlib = optional_module("pgenlib", "Pgenlib")
    with path.open("rb") as handle:
        if handle.read(len(_MAGIC)) != _MAGIC:
            remedy = "genotypes are made with plink2 --make-pgen"
            raise DataError("this is not a PLINK 2 file: its first bytes are others", where=str(path), remedy=remedy)
    num_alleles = np.array([len(alternates) for alternates in variants.alternates]) + 1
    has_several = bool((num_alleles > 2).any())
    offsets = np.concatenate([[0], np.cumsum(num_alleles)]).astype(np.uintp) if has_several else None
    try:
        reader = pgenlib.PgenReader(
            str(path).encode(), raw_sample_ct=num_samples, variant_ct=len(num_alleles), allele_idx_offsets=offsets
        )
        with reader:
            if reader.hardcall_phase_present() or has_several:
                return _alleles(reader, variants, num_samples, sink)
            _hard_calls(reader, len(num_alleles), num_samples, sink)
            return PhaseAccount(), False
    except (OSError, RuntimeError) as error:
        sizes = f".psam has {num_samples:,} samples and .pvar {len(num_alleles):,} variants"
        what = f"the file is damaged, or does not fit to its tables: {sizes} ({reason(error)})"
        raise DataError(what, where=str(path), remedy=COPY_AGAIN) from error


def _hard_calls(reader: Any, num_variants: int, num_samples: int, sink: BlockSink) -> None:
    block = np.empty((_VARIANTS_AT_ONCE, num_samples), dtype=np.int8)
    for start in range(0, num_variants, _VARIANTS_AT_ONCE):
        stop = min(start + _VARIANTS_AT_ONCE, num_variants)
        reader.read_range(start, stop, block[: stop - start])
        sink.add(pack_calls(block[: stop - start]), None)


def _alleles(reader: Any, variants: Variants, num_samples: int, sink: BlockSink) -> tuple[PhaseAccount, bool]:
    """Read the two alleles of each call; the strands are dropped as soon as too many heterozygous calls have no phase."""
    num_alternates = np.array([len(alternates) for alternates in variants.alternates])
    phase = PhaseAccount(bool(reader.hardcall_phase_present()))
    keeps_strands = phase.has_phase
    for start in range(0, len(num_alternates), _VARIANTS_AT_ONCE):
        stop = min(start + _VARIANTS_AT_ONCE, len(num_alternates))
        pairs = np.empty((stop - start, 2 * num_samples), dtype=np.int32)
        phased = np.empty((stop - start, num_samples), dtype=np.uint8)
        reader.read_alleles_and_phasepresent_range(start, stop, pairs, phased)
        first, second = pairs[:, 0::2], pairs[:, 1::2]
        is_heterozygous = (first != second) & (first >= 0) & (second >= 0)
        is_unknown = is_heterozygous & (phased == 0)
        phase.take(
            is_heterozygous, is_unknown, [f"{variants.chromosomes[row]}:{variants.positions[row]}" for row in range(start, stop)]
        )
        keeps_strands &= not phase.is_hopeless
        copies, on_first = split_alleles(first, second, num_alternates[start:stop], is_unknown)
        sink.add(pack_calls(copies), pack_calls(on_first) if keeps_strands else None)
    return phase, keeps_strands and phase.is_known
