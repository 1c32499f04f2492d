"""What the readers of PLINK's files and of VCF share."""

from __future__ import annotations

import abc
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genoken.core.components import settings
from genoken.core.errors import DataError, MissingExtraError
from genoken.core.genotypes import BUILD, CENTIMORGAN, CHROMOSOME, COUNTED, OTHER, POSITION
from genoken.readers._genotypes import STRAND_LAYER, Genotypes, inspect_genotypes
from genoken.readers._inspection import Inspection
from genoken.readers._reader import Content, FileReader, annotated
from genoken.readers._variant_blocks import BlockSink, BlocksInMemory, Tables

_NO_NAMES = frozenset({"", ".", "0"})


@settings
class GenotypeReader(FileReader):
    """Reads a file of genotypes, which holds one matrix of calls."""

    @abc.abstractmethod
    def genotypes(self, path: Path) -> Genotypes:
        """Return what the file holds; raise :class:`genoken.core.errors.DataError` when it cannot be read."""

    def inspect(self, path: Path) -> Inspection:
        """Read the file, and collect what would stop a training on it.

        Raises
        ------
        DataError
            When the file cannot be read, or another matrix is asked for.
        """
        path = Path(path)
        if self.source not in ("auto", "X"):
            raise DataError(f"no matrix '{self.source}'", where=str(path), remedy="a file of genotypes holds one: use auto")
        return inspect_genotypes(self.genotypes(path), f"{path.name}:calls")

    def load(self, path: Path) -> Content:
        """Return genotypes as an AnnData object that genoken reads as the same genotypes."""
        found = self.genotypes(Path(path))
        adata = annotated(found.calls.read(), found.table, found.variants)
        if found.first_strand is not None:
            adata.layers[STRAND_LAYER] = found.first_strand.read()
        return Content(adata, found.notes)


@settings
class VariantFileReader(GenotypeReader):
    """Reads a file that holds genotypes variant after variant."""

    @abc.abstractmethod
    def stream(self, path: Path, sink: BlockSink) -> Tables:
        """Hand over the calls block by block, and return what else there is.

        Raises
        ------
        DataError
            When the file cannot be read.
        """

    def genotypes(self, path: Path) -> Genotypes:
        """Return the calls by sample, in memory."""
        blocks = BlocksInMemory()
        return blocks.genotypes(self.stream(path, blocks))


def optional_module(module: str, package: str) -> Any:
    """Import a module of the extra ``genotype``.

    Raises
    ------
    MissingExtraError
        When its package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(package, "genotype") from error


def variant_table(
    names: list[str],
    chromosomes: list[str],
    positions: np.ndarray,
    counted: list[str],
    other: list[str],
    *,
    build: str = "",
    centimorgans: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return the table of variants; one without a name gets its place and alleles for one, as ``7:117559590:ATCT:A``.

    Parameters
    ----------
    names
        Ids as written; ``.``, ``0`` and nothing mean that there is none.
    chromosomes
        Plain names.
    positions
        In base pairs.
    counted, other
        Alleles; ``counted`` comes last in a name made of them.
    build
        Genome build, where it is known.
    centimorgans
        Genetic positions, where they are known.
    """
    ids = names
    if not _NO_NAMES.isdisjoint(names):
        places = zip(names, chromosomes, positions, other, counted, strict=True)
        ids = [place_name(*place) if name in _NO_NAMES else name for name, *place in places]
    columns: dict[str, Any] = {CHROMOSOME: chromosomes, POSITION: positions.astype(np.int64), COUNTED: counted, OTHER: other}
    columns[BUILD] = build
    if centimorgans is not None:
        columns[CENTIMORGAN] = centimorgans
    return pd.DataFrame(columns, index=pd.Index(ids, dtype=object))


def place_name(chromosome: str, position: int, other: str, counted: str) -> str:
    """Return the name of a variant by its place and alleles."""
    return f"{chromosome}:{position}:{other}:{counted}"


def split_note(count: int) -> str:
    """Return the sentence on sites with several alternate alleles."""
    what = "site with several alternate alleles becomes" if count == 1 else "sites with several alternate alleles become"
    return f"{count:,} {what} one variant per allele"
