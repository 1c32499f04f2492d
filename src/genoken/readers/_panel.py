"""What the readers of L1000's formats share: missing values, metadata, and samples that cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.readers._reader import Content, annotated

MISSING = -666.0
"""Number that CMap writes where there is none."""
MISSING_WORDS = frozenset({"", "-666", "-666.0", "-666.000", "na", "n/a", "nan", "null", "#n/a", "none"})
"""Words, lower case, that stand where there is no value."""


def decoded(value: bytes) -> str:
    """Return text that is UTF-8, or else Latin-1, in which older CMap files write µM."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def stacked(blocks: Iterable[np.ndarray], width: int) -> sp.csr_matrix:
    """Return blocks of rows as one CSR float32 matrix, with NaN for ``-666``; never more than one block is held dense.

    Parameters
    ----------
    blocks
        Arrays of shape (some rows, width).
    width
        Number of columns.
    """
    parts = []
    for block in blocks:
        values = block.astype(np.float32)
        values[values == MISSING] = np.nan
        parts.append(sp.csr_matrix(values))
    return sp.csr_matrix(sp.vstack(parts, format="csr")) if parts else sp.csr_matrix((0, width), dtype=np.float32)


def without_missing(values: sp.csr_matrix, table: pd.DataFrame, features: pd.DataFrame, path: Path, *, strict: bool) -> Content:
    """Leave out the samples that have a missing or infinite value, and say how many.

    Parameters
    ----------
    values
        CSR matrix (samples, features).
    table, features
        What describes samples and features.
    path
        The file, for messages.
    strict
        Whether to refuse them instead.

    Raises
    ------
    DataError
        When there are such samples and ``strict``, or nothing else is left.
    """
    bad = ~np.isfinite(values.data)
    per_sample = np.diff(np.concatenate([[0], np.cumsum(bad)])[values.indptr])
    keep = per_sample == 0
    count = int(len(keep) - keep.sum())
    if not count:
        return Content(annotated(values, table, features))
    said = f"{count:,} {'sample has' if count == 1 else 'samples have'} missing values"
    if strict or count == len(keep):
        most = int(np.bincount(values.indices[bad], minlength=values.shape[1]).argmax())
        where_most = f"; most often in feature {features.index[most]}" if count > 1 else ""
        remedy = "leave these samples out, or run without --strict" if strict else "leave out the features without values"
        raise DataError(said + where_most, where=str(path), remedy=remedy)
    return Content(annotated(values[keep], table[keep], features), (f"{said} and {'is' if count == 1 else 'are'} left out",))


def metadata(ids: Sequence[str], columns: dict[str, Any]) -> pd.DataFrame:
    """Return a table of metadata, with nothing where ``-666`` stands.

    Parameters
    ----------
    ids
        Names of the rows.
    columns
        Name to values, one per row: numbers, or strings.
    """
    named = {name: _without_marks(np.asarray(values)) for name, values in columns.items()}
    return pd.DataFrame(named, index=pd.Index([str(name) for name in ids], dtype=object))


def _without_marks(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind in "iuf":
        marked = values == MISSING
        return np.where(marked, np.nan, values) if marked.any() else values
    return np.array([np.nan if str(value).strip().lower() in MISSING_WORDS else value for value in values], dtype=object)


def numbers_where_possible(values: Sequence[str]) -> Any:
    """Return words as numbers when all that are not missing are numbers, as they are otherwise."""
    known = [value for value in values if value.strip().lower() not in MISSING_WORDS]
    numbers = pd.to_numeric(pd.Series(known, dtype=object), errors="coerce")
    if not known or numbers.isna().any():
        return list(values)
    if len(known) == len(values):
        return numbers.to_numpy()
    found = np.full(len(values), np.nan)
    found[[value.strip().lower() not in MISSING_WORDS for value in values]] = numbers.to_numpy()
    return found
