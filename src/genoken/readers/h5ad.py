"""AnnData files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from genoken.core.components import settings
from genoken.readers._anndata_file import load_anndata
from genoken.readers._reader import AnnDataReader, Content


@settings
class H5adReader(AnnDataReader):
    """Reads ``.h5ad`` files, as anndata and scanpy write them."""

    suffixes: ClassVar[tuple[str, ...]] = (".h5ad",)
    """File name endings that this reader takes."""

    def load(self, path: Path) -> Content:
        """Return the whole object."""
        return Content(load_anndata(path))
