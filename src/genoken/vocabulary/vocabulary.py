"""The vocabulary of a run as a file: one row per feature, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from genoken.core.errors import RunError
from genoken.core.tables import write_parquet

_ID, _SYMBOL = "feature_id", "symbol"


def write_vocabulary(path: Path, feature_ids: Sequence[str], symbols: Sequence[str], per_feature: Mapping[str, np.ndarray]) -> None:
    """Write ``vocabulary.parquet``: columns ``feature_id``, ``symbol`` and one per statistic.

    Parameters
    ----------
    path
        File to write; it is either whole or absent.
    feature_ids, symbols
        Id and readable name of every feature, in vocabulary order.
    per_feature
        Name to array of shape (features,).

    Raises
    ------
    RunError
        When the file cannot be written.
    """
    if {_ID, _SYMBOL} & set(per_feature):
        raise ValueError(f"'{_ID}' and '{_SYMBOL}' are taken")
    columns: dict[str, object] = {_ID: [str(name) for name in feature_ids], _SYMBOL: [str(name) for name in symbols]}
    columns |= {name: np.asarray(values, dtype=np.float64) for name, values in per_feature.items()}
    write_parquet(Path(path), pd.DataFrame(columns))


def read_vocabulary(path: Path) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, np.ndarray]]:
    """Read what :func:`write_vocabulary` wrote.

    Returns
    -------
    tuple
        Feature ids, symbols, and name to float64 array of shape (features,).

    Raises
    ------
    RunError
        When the file is missing, is not a Parquet file, or is not a vocabulary.
    """
    path = Path(path)
    try:
        table = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise RunError("the file does not exist", where=str(path), remedy="is this a folder that genoken wrote?") from error
    except (OSError, ValueError) as error:
        raise RunError(f"the file is not valid Parquet ({' '.join(str(error).split())})", where=str(path)) from error
    absent = [name for name in (_ID, _SYMBOL) if name not in table]
    if absent or table[_ID].duplicated().any():
        problem = f"has no column '{absent[0]}'" if absent else "holds a feature twice"
        raise RunError(f"this is not a vocabulary: it {problem}", where=str(path))
    try:
        per_feature = {str(name): table[name].to_numpy(dtype=np.float64) for name in table if name not in (_ID, _SYMBOL)}
    except (TypeError, ValueError) as error:
        raise RunError("this is not a vocabulary: a statistic is not a number", where=str(path)) from error
    return tuple(table[_ID].astype(str)), tuple(table[_SYMBOL].astype(str)), per_feature
