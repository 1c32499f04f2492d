"""AnnData files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from genoken.core.components import settings
from genoken.readers._anndata_file import load_anndata, load_graph
from genoken.readers._reader import AnnDataReader, Content, StoredGraph


@settings
class H5adReader(AnnDataReader):
    """Reads ``.h5ad`` files, as anndata and scanpy write them."""

    suffixes: ClassVar[tuple[str, ...]] = (".h5ad",)
    """File name endings that this reader takes."""

    def load(self, path: Path) -> Content:
        """Return the whole object."""
        return Content(load_anndata(path))

    def graph(self, path: Path, key: str) -> StoredGraph:
        """Return a matrix of the file's ``obsp``, without reading the rest of it."""
        return load_graph(Path(path), key)
