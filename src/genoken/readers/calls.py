"""Stores of packed calls, which ``genoken pack`` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from genoken.core.calls import Calls, num_bytes
from genoken.core.components import settings
from genoken.core.errors import DataError
from genoken.readers._calls_store import CALLS, FORMAT, HEADER, SAMPLES, STRAND, VARIANTS, VERSION
from genoken.readers._genotype_reader import GenotypeReader
from genoken.readers._genotypes import Genotypes
from genoken.readers._opening import COPY_AGAIN, missing_file_error, reason

_PACK_AGAIN = "write it again with genoken pack"


@settings
class CallsReader(GenotypeReader):
    """Opens the folders that ``genoken pack`` writes. The calls are mapped from disk: what is not used is not read."""

    suffixes: ClassVar[tuple[str, ...]] = (".calls",)
    """Folder name endings that this reader takes."""
    folder_files: ClassVar[tuple[str, ...]] = (HEADER,)
    """What a store holds at its top."""

    def genotypes(self, path: Path) -> Genotypes:
        """Return the tables, and the calls as they are on disk.

        Raises
        ------
        DataError
            When the store is missing, incomplete, of another version, or no store.
        """
        path = Path(path)
        if not path.exists():
            raise missing_file_error(path)
        header = _header(path)
        shape = header["samples"], header["variants"]
        strand = _mapped(path / STRAND, *shape) if header["phased"] else None
        return Genotypes(
            calls=_mapped(path / CALLS, *shape),
            variants=_table(path / VARIANTS, shape[1]),
            table=_table(path / SAMPLES, shape[0]),
            first_strand=strand,
            notes=tuple(header["notes"]),
        )


def _header(folder: Path) -> dict[str, Any]:
    place = folder / HEADER
    if not place.is_file():
        raise DataError(f"this is no store of packed calls: there is no {HEADER} in it", where=str(folder), remedy=_PACK_AGAIN)
    try:
        header = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"the file is damaged ({reason(error)})", where=str(place), remedy=COPY_AGAIN) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DataError("this is not the header of a store of packed calls", where=str(place), remedy=_PACK_AGAIN)
    if header.get("version") != VERSION:
        what = f"the store is of version {header.get('version')}, and this version of genoken reads {VERSION}"
        raise DataError(what, where=str(folder), remedy=f"update genoken, or {_PACK_AGAIN}")
    expected = {"samples": int, "variants": int, "phased": bool, "notes": list}
    wrong = [name for name, kind in expected.items() if not isinstance(header.get(name), kind)]
    if wrong:
        raise DataError(f"the file is damaged: it does not tell '{wrong[0]}'", where=str(place), remedy=COPY_AGAIN)
    return header


def _mapped(path: Path, num_samples: int, num_variants: int) -> Calls:
    expected = num_samples * num_bytes(num_variants)
    if not path.is_file():
        raise DataError("the store is incomplete: the file does not exist", where=str(path), remedy=COPY_AGAIN)
    size = path.stat().st_size
    if size != expected:
        announced = f"{num_samples:,} samples at {num_variants:,} variants take {expected:,} bytes"
        raise DataError(
            f"the file of {size:,} bytes is {'cut off' if size < expected else 'too long'}: {announced}",
            where=str(path),
            remedy=COPY_AGAIN,
        )
    # mode c: nothing is ever written back, and kernels need not be compiled for arrays that cannot be written
    rows = np.memmap(path, dtype=np.uint8, mode="c", shape=(num_samples, num_bytes(num_variants)))
    return Calls(rows.view(np.ndarray), num_variants)


def _table(path: Path, expected: int) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise DataError("the store is incomplete: the file does not exist", where=str(path), remedy=COPY_AGAIN) from error
    except (OSError, ValueError) as error:
        raise DataError(f"the file is damaged ({reason(error)})", where=str(path), remedy=COPY_AGAIN) from error
    if len(table) != expected:
        raise DataError(f"the table has {len(table):,} rows in place of {expected:,}", where=str(path), remedy=COPY_AGAIN)
    texts = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    return table.assign(**{name: table[name].astype(object).where(table[name].notna(), np.nan) for name in texts})
