"""Tables in files that are either whole or absent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genoken.core.files import atomic_path

if TYPE_CHECKING:  # settings and the command line's help must not wait for pandas
    import pandas as pd


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """Write a table's columns, without its index, as Parquet.

    Raises
    ------
    RunError
        When the disk is full or the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table's columns, without its index, as comma-separated values.

    Raises
    ------
    RunError
        When the disk is full or the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)
