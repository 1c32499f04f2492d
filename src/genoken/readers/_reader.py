"""What all readers share, and what those that load an AnnData object and take samples out of it share."""

from __future__ import annotations

import abc
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import pandas as pd
from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import Reader
from genoken.core.genotypes import HUMAN_AUTOSOMES
from genoken.core.samples import Samples
from genoken.readers._anndata import inspect_anndata
from genoken.readers._inspection import Inspection

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class Content:
    """What a file holds.

    Parameters
    ----------
    adata
        Its samples, all that can be used.
    notes
        Sentences about what was left out.
    """

    adata: AnnData
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredGraph:
    """A matrix of cells by cells, as ``obsp`` holds it.

    Parameters
    ----------
    names
        The cells, in order.
    keys
        What ``obsp`` holds.
    matrix
        The one that was asked for, not looked at; ``None`` where there is none.
    """

    names: pd.Index
    keys: tuple[str, ...]
    matrix: Any


def graph_of(adata: AnnData, key: str) -> StoredGraph:
    """Return a matrix of an object's ``obsp``."""
    return StoredGraph(adata.obs_names.astype(str), tuple(sorted(adata.obsp)), adata.obsp.get(key))


@settings
class FileReader(Reader):
    """Reads files of one kind, chooses their values, and collects what would stop a training on them."""

    prefix: ClassVar[str] = ""
    """Ending of the first of several files that are named by what they have in common, such as ``cohort`` for ``cohort.bed``."""

    source: str = "auto"
    """``auto`` (counts where there are some, else log or normalized values), ``X``, ``raw`` or ``layers/NAME``."""
    strict: bool = False
    """Refuse samples with missing values, where a kind of file marks them, instead of leaving them out with a count."""
    autosomes: Annotated[int, Field(ge=1, le=95)] = HUMAN_AUTOSOMES
    """Chromosomes of the species that are none of sex; PLINK numbers X, Y, XY (the part that both share) and MT after them."""

    @abc.abstractmethod
    def load(self, path: Path) -> Content:
        """Return what the file holds; raise :class:`genoken.core.errors.DataError` when it cannot be read."""

    @abc.abstractmethod
    def inspect(self, path: Path) -> Inspection:
        """Read the file, and collect what would stop a training on its values.

        Raises
        ------
        DataError
            When the file cannot be read, or there is nothing in it to look at.
        """

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return all files that are read, the named one first."""
        return (Path(path),)

    def graph(self, path: Path, key: str) -> StoredGraph:
        """Return a matrix of the file's ``obsp``; raise :class:`genoken.core.errors.DataError` when the file cannot be read."""
        return graph_of(self.load(path).adata, key)

    def read(self, path: Path) -> Samples:
        """Read the file into memory and take the values of ``source``.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        Samples
            With an origin such as ``cells.h5ad:raw``.

        Raises
        ------
        DataError
            When the file or its values cannot be used.
        """
        return self.inspect(path).usable()


@settings
class AnnDataReader(FileReader):
    """Loads a file as an AnnData object, and chooses the matrix that holds usable values."""

    panel: ClassVar[bool] = False
    """Whether dense values of these files are measurements in which 0 does not mean "not expressed"."""

    def inspect(self, path: Path) -> Inspection:
        """Load the object, and describe its matrices."""
        path = Path(path)
        content = self.load(path)
        found = inspect_anndata(content.adata, self.source, path.name, panel=self.panel)
        return replace(found, samples=replace(found.samples, notes=(*found.samples.notes, *content.notes)))


def annotated(values: Any, table: pd.DataFrame, features: pd.DataFrame) -> AnnData:
    """Return an AnnData object of values (samples, features); names that repeat are left for the reader to refuse."""
    from anndata import AnnData

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* names are not unique")
        return AnnData(values, obs=table, var=features)
