"""Two-dimensional maps of the test samples: UMAP of the model's states and of the principal components, kept in the run folder."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from genoken.core.files import atomic_path, sha256_of_file
from genoken.core.random import generator

MAX_SAMPLES = 5000
"""Samples on the map at most; more are thinned by a fixed draw."""
MIN_SAMPLES_FOR_UMAP = 300
"""Below this number of samples the map shows the first two principal components instead: these show as much of so few, and UMAP
alone, compiled first, would take longer than all else of a small run."""
_FILE = "projection.parquet"
_VERSION = "1"
_SPACES = ("model", "pca")


@dataclass(frozen=True)
class Projection:
    """Coordinates of samples on the maps.

    Parameters
    ----------
    rows
        Row of each mapped sample in ``embeddings.parquet``, ascending.
    coordinates
        ``model`` and ``pca`` (those that exist), each float32 of shape (rows, 2).
    method
        ``UMAP`` or ``PCA``.
    """

    rows: np.ndarray
    coordinates: dict[str, np.ndarray]
    method: str


def project(folder: Path, embeddings: pd.DataFrame) -> Projection | None:
    """Return the maps of the test samples, from ``projection.parquet`` when it belongs to these embeddings, else computed and kept.

    Parameters
    ----------
    folder
        The run folder, with ``embeddings.parquet``.
    embeddings
        Content of that file.

    Returns
    -------
    Projection or None
        ``None`` when there are fewer than 3 samples with finite values.

    Raises
    ------
    RunError
        When ``projection.parquet`` cannot be written.
    """
    source = sha256_of_file(folder / "embeddings.parquet")
    kept = _read(folder / _FILE, source)
    if kept is not None:
        return kept
    spaces = {name: values for name in _SPACES if (values := columns_of(embeddings, name)).shape[1] > 0}
    if not spaces:
        return None
    finite = np.flatnonzero(np.all([np.isfinite(values).all(axis=1) for values in spaces.values()], axis=0))
    if len(finite) < 3:
        return None
    rows = finite
    if len(finite) > MAX_SAMPLES:
        rows = np.sort(generator(0, "report", "projection").choice(finite, size=MAX_SAMPLES, replace=False))
    enough = len(rows) >= MIN_SAMPLES_FOR_UMAP
    place = umap if enough else principal_components
    result = Projection(rows, {name: place(values[rows]) for name, values in spaces.items()}, "UMAP" if enough else "PCA")
    _write(folder / _FILE, result, source)
    return result


def columns_of(table: pd.DataFrame, prefix: str) -> np.ndarray:
    """Return the columns ``prefix_0, prefix_1, …`` in numeric order as float64 of shape (rows, columns)."""
    pattern = re.compile(rf"{re.escape(prefix)}_(\d+)$")
    numbered = sorted((int(match.group(1)), name) for name in table.columns if (match := pattern.match(name)))
    return table[[name for _, name in numbered]].to_numpy(np.float64)


def principal_components(values: np.ndarray) -> np.ndarray:
    """Return the first two principal components, float32 of shape (samples, 2); the entry of largest size in each is positive.

    Values are of shape (samples, width); a missing second component is zero.
    """
    left, scale, _ = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    scores = (left * scale)[:, :2]
    scores = scores * np.sign(scores[np.abs(scores).argmax(axis=0), np.arange(scores.shape[1])] + 1e-300)
    result = np.zeros((len(values), 2), dtype=np.float32)
    result[:, : scores.shape[1]] = scores
    return result


def umap(values: np.ndarray) -> np.ndarray:
    """Return UMAP coordinates, float32 of shape (samples, 2), the same every time for values of shape (samples, width).

    References
    ----------
    McInnes, Healy, Melville (2018), doi:10.21105/joss.00861. Up to 15 exact neighbors, Euclidean distance, one thread.
    """
    from sklearn.neighbors import NearestNeighbors
    from umap import UMAP

    values = np.ascontiguousarray(values, dtype=np.float32)
    neighbors = min(15, len(values) - 1)
    distances, indices = NearestNeighbors(n_neighbors=neighbors).fit(values).kneighbors(values)

    with warnings.catch_warnings():
        # a fixed seed makes UMAP warn that it runs on one thread, which is what is asked for
        warnings.simplefilter("ignore")
        # exact neighbors are faster here than UMAP's search, which would be compiled first; they are ignored unless it approximates
        mapper = UMAP(
            n_neighbors=neighbors,
            min_dist=0.3,
            n_epochs=200,
            random_state=0,
            n_jobs=1,
            precomputed_knn=(indices, distances.astype(np.float32)),
            force_approximation_algorithm=True,
        )
        placed = mapper.fit_transform(values)
    return np.nan_to_num(np.asarray(placed, dtype=np.float32))


def _write(path: Path, projection: Projection, source: str) -> None:
    columns: dict[str, np.ndarray] = {"row": projection.rows.astype(np.int64)}
    for name, values in projection.coordinates.items():
        columns |= {f"{name}_x": values[:, 0], f"{name}_y": values[:, 1]}
    table = pa.table(columns).replace_schema_metadata(
        {"embeddings_sha256": source, "method": projection.method, "version": _VERSION}
    )
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


def _read(path: Path, source: str) -> Projection | None:
    """Return the kept maps, or ``None`` when there are none or they belong to other embeddings."""
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError):
        return None
    notes = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if notes.get("embeddings_sha256") != source or notes.get("version") != _VERSION:
        return None
    spaces = [name for name in _SPACES if f"{name}_x" in table.column_names]
    coordinates = {name: np.column_stack([table[f"{name}_{axis}"].to_numpy() for axis in "xy"]) for name in spaces}
    return Projection(table["row"].to_numpy(), coordinates, notes["method"])
