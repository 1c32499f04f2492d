"""AnnData files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Reader
from genoken.core.samples import Samples
from genoken.readers._anndata import samples_from_anndata
from genoken.readers._anndata_file import load_anndata


@settings
class H5adReader(Reader):
    """Reads ``.h5ad`` files, as anndata and scanpy write them."""

    suffixes: ClassVar[tuple[str, ...]] = (".h5ad",)
    """File name endings that this reader takes."""

    source: str = "auto"
    """``auto`` (counts where there are some, else log or normalized values), ``X``, ``raw`` or ``layers/NAME``."""

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
            When the file or its values cannot be used; see :func:`genoken.readers._anndata.samples_from_anndata`.
        """
        return samples_from_anndata(load_anndata(path), self.source, origin=Path(path).name)
