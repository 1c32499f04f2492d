"""Pack genotypes: from a file that holds them variant after variant to a store that holds them sample after sample."""

from __future__ import annotations

from pathlib import Path

from genoken.core.errors import DataError, RunError
from genoken.core.genotypes import HUMAN_AUTOSOMES
from genoken.readers._calls_store import CALLS, HEADER, STRAND, whole_folder, write_store
from genoken.readers._genotype_reader import VariantFileReader
from genoken.workflows.files import reader_of, whole_name
from genoken.workflows.show import Show

ENDING = ".calls"
"""What names of stores end in."""


def pack(file: Path, output: Path, *, overwrite: bool = False, autosomes: int = HUMAN_AUTOSOMES, show: Show) -> Path:
    """Write the genotypes of a file as a store of packed calls, and return its folder.

    The store takes two bits for each call, and as many again where the phase is known. Samples are read from it without reading
    others. It is whole or absent, and no more than one block of calls is in memory at a time.

    Parameters
    ----------
    file
        A PLINK, PLINK 2 or VCF file.
    output
        The folder; its name ends in ``.calls``.
    overwrite
        Replace a store that is there.
    autosomes
        Chromosomes of the species that are none of sex; PLINK numbers X, Y, XY and MT after them.
    show
        Where to say what was done.

    Raises
    ------
    DataError
        When the file cannot be read, or is of another kind.
    RunError
        When the store cannot be written, or something is in its place.
    """
    path, output = whole_name(Path(file)), Path(output)
    reader = reader_of(path, autosomes=autosomes)
    if not isinstance(reader, VariantFileReader):
        raise DataError("genotypes are packed from PLINK and VCF files", where=str(path), remedy="name a .bed, .pgen or .vcf file")
    _refuse_place(output, overwrite=overwrite)
    try:
        with whole_folder(output) as folder:
            tables = write_store(reader, path, folder)
        size = sum((output / name).stat().st_size for name in (CALLS, STRAND) if (output / name).exists())
    except OSError as error:
        remedy = "free disk space or choose another folder"
        raise RunError(f"cannot write the store ({error.strerror or error})", where=str(output), remedy=remedy) from error
    for note in tables.notes:
        show.line(f"  {note[:1].upper()}{note[1:]}.")
    phase = "the phase is kept" if tables.is_phased else "the phase is not known"
    show.line(f"{output}: {len(tables.table):,} samples at {len(tables.variants):,} variants, {size / 1e6:,.1f} MB; {phase}.")
    return output


def _refuse_place(output: Path, *, overwrite: bool) -> None:
    if output.suffix != ENDING:
        raise RunError(f"the name of a store ends in {ENDING}", where=str(output), remedy=f"write to {output.stem}{ENDING}")
    if not output.exists():
        return
    if not (output / HEADER).is_file():
        raise RunError("something else has this name, and is not overwritten", where=str(output), remedy="choose another name")
    if not overwrite:
        raise RunError("the store exists", where=str(output), remedy="choose another name, or add --overwrite to replace it")
