"""Where successors come from: ``obsp`` of a file or an object, a ``neighbors.json``, or an SCDL folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genoken.core.errors import DataError, suggestion
from genoken.core.pretraining_settings import SuccessorSettings
from genoken.core.samples import Samples
from genoken.data.check import require_column
from genoken.data.successors import Successors
from genoken.data.time_points import require_several, time_points
from genoken.readers._opening import missing_file_error
from genoken.readers._reader import StoredGraph, graph_of
from genoken.readers._scdl import read_scdl_graph
from genoken.workflows.files import FILE_COLUMN, distinct_names, read_graph
from genoken.workflows.join import ids_in_files

if TYPE_CHECKING:
    from anndata import AnnData

DEFAULT_KEY = "next_cell_ids"
"""Key of ``obsp`` under which successors are looked for, and written, where no other is named."""
_MAKE = "make a graph with: genoken successors"


_Graphs = list[tuple[Successors, np.ndarray]]
"""Graphs, each with the row of each of its cells among the samples, -1 for those that were left out."""


@dataclass(frozen=True)
class FoundSuccessors:
    """The successors of some samples.

    Parameters
    ----------
    successors
        Between their rows.
    notes, warnings
        Sentences for the user, without a full stop; warnings say that time goes backward.
    """

    successors: Successors
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _File:
    """One of the files: its name, the ids of all its cells, the row of each among the samples (-1: left out), and its graph."""

    name: str
    ids: pd.Index
    rows: np.ndarray
    stored: StoredGraph


def read_successors(samples: Samples, data: Sequence[Path] | AnnData, settings: SuccessorSettings) -> FoundSuccessors:
    """Read who comes next among samples that were read, by the cells' names in their files.

    Samples may have been left out, taken in another order, or joined from several files: an edge leads from and to the cells
    that it named in its file.

    Parameters
    ----------
    samples
        What was read; of several files with a column that names each sample's file.
    data
        The files, or the object.
    settings
        ``key`` is one of these: a key of ``obsp``; the path of a ``.json`` file with ``{"neighbors": {cell: [cells]}}``, of which a
        bare name stands for the file of that name beside each data file, unless there is one in the working directory; an SCDL
        folder, whose rows are those of the only data file. ``time`` names the column that edges should not go back in.

    Raises
    ------
    DataError
        When there is no graph, it does not fit the files, none of the samples has a successor, or all are of one time point.
    """
    key = settings.key or DEFAULT_KEY
    if key.endswith(".json"):
        graphs, notes = _from_json(_files(samples, data, ""), data, key)
    elif Path(key).is_dir():
        graphs, notes = _from_scdl(_files(samples, data, ""), Path(key))
    else:
        graphs, notes = _from_obsp(_files(samples, data, key), key)
    successors = Successors.placed(graphs, samples.num_samples)
    if not successors.num_edges:
        raise DataError(f"none of the {samples.num_samples:,} cells has a successor", where=samples.origin, remedy=_MAKE)
    warnings = _cycle_notes(successors)
    if settings.time:
        warnings += _backward_notes(successors, samples, settings.time)
    return FoundSuccessors(successors, tuple(notes), tuple(warnings))


def _files(samples: Samples, data: Sequence[Path] | AnnData, key: str) -> list[_File]:
    """Return each file with its graph and where its cells are among the samples."""
    if isinstance(data, Sequence):
        names, graphs = distinct_names(data), [read_graph(path, key) for path in data]
    else:
        names, graphs = ["AnnData"], [graph_of(data, key)]
    ids = ids_in_files(samples.table, [FILE_COLUMN] if len(names) > 1 else [])
    files = []
    for name, stored in zip(names, graphs, strict=True):
        own = np.arange(len(ids)) if len(names) == 1 else np.flatnonzero((samples.table[FILE_COLUMN] == name).to_numpy())
        places = pd.Index(ids[own]).get_indexer(stored.names)
        if (places >= 0).sum() != len(own):
            raise ValueError(f"{len(own)} samples of {name}, of which {(places >= 0).sum()} are among its cells")
        files.append(_File(name, stored.names, np.where(places >= 0, own[places], -1), stored))
    return files


def _from_obsp(files: Sequence[_File], key: str) -> tuple[_Graphs, list[str]]:
    graphs: _Graphs = []
    notes = []
    for file in files:
        if file.stored.matrix is None:
            notes.append(f"{file.name}: there is no obsp['{key}'], so its cells have no successors")
        else:
            where = f"{file.name}:obsp['{key}']"
            graphs.append((Successors.of_matrix(file.stored.matrix, len(file.ids), where), file.rows))
    if not graphs:
        known = sorted({name for file in files for name in file.stored.keys})
        remedy = f"{suggestion(key, known, 'there are')} (--successors)" if known else f"obsp is empty; {_MAKE}"
        raise DataError(f"there is no obsp['{key}']", where=", ".join(file.name for file in files[:3]), remedy=remedy)
    return graphs, notes


def _from_json(files: Sequence[_File], data: Sequence[Path] | AnnData, key: str) -> tuple[_Graphs, list[str]]:
    beside = isinstance(data, Sequence) and Path(key).name == key and not Path(key).exists()
    if not beside:
        return [_shared_json(files, Path(key))], []
    assert isinstance(data, Sequence)  # noqa: S101
    graphs: _Graphs = []
    notes = []
    for path, file in zip(data, files, strict=True):
        own = path.parent / key
        if own.exists():
            graphs.append((graph_of_names(_named_neighbors(own), file.ids, str(own)), file.rows))
        else:
            notes.append(f"{file.name}: there is no {key} beside it, so its cells have no successors")
    if not graphs:
        raise missing_file_error(data[0].parent / key)
    return graphs, notes


def _shared_json(files: Sequence[_File], path: Path) -> tuple[Successors, np.ndarray]:
    """Return the graph of one file of names for all data files, whose cells then need names of their own."""
    neighbors = _named_neighbors(path)
    ids = files[0].ids.append([file.ids for file in files[1:]])
    repeated = ids[ids.duplicated()].unique()
    if len(repeated):
        raise DataError(
            f"{len(repeated):,} names are those of cells in several files, for example '{repeated[0]}'",
            where=str(path),
            remedy="put a file of its own beside each data file, and give its bare name",
        )
    return graph_of_names(neighbors, ids, str(path)), np.concatenate([file.rows for file in files])


def _named_neighbors(path: Path) -> dict[str, list[str]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise missing_file_error(path) from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"the file cannot be read as JSON ({' '.join(str(error).split())})", where=str(path)) from error
    neighbors: Any = content.get("neighbors") if isinstance(content, dict) else None
    if not isinstance(neighbors, dict) or not all(_are_names(ends) for ends in neighbors.values()):
        raise DataError("this does not say who follows whom", where=str(path), remedy='write {"neighbors": {"cell": ["cell", …]}}')
    return neighbors


def _are_names(ends: Any) -> bool:
    return isinstance(ends, list) and all(isinstance(end, str) for end in ends)


def graph_of_names(neighbors: dict[str, list[str]], ids: pd.Index, where: str) -> Successors:
    """Return the graph of cells and the names of those that come next; all edges weigh the same.

    Parameters
    ----------
    neighbors
        Name of each cell to those of its successors, in order.
    ids
        Names of all cells.
    where
        File, for messages.

    Raises
    ------
    DataError
        When a name is none of the cells'.
    """
    counts = [len(ends) for ends in neighbors.values()]
    names = pd.Index([*neighbors, *(end for ends in neighbors.values() for end in ends)], dtype=object)
    found = ids.get_indexer(names)
    unknown = names[found < 0].unique()
    if len(unknown):
        raise DataError(
            f"{len(unknown):,} of the {names.nunique():,} cells that it names are not in the data, for example '{unknown[0]}'",
            where=where,
            remedy="it belongs to other cells than these, or their names were changed",
        )
    starts, ends = np.repeat(found[: len(counts)], counts), found[len(counts) :]
    graph = Successors.of_edges(starts, ends, np.ones(len(ends)), len(ids))
    return Successors.of_matrix(graph.graph, len(ids), where)


def _from_scdl(files: Sequence[_File], folder: Path) -> tuple[_Graphs, list[str]]:
    if len(files) > 1:
        raise DataError(
            f"an SCDL folder holds cells without names, and {len(files)} data files are given",
            where=str(folder),
            remedy="give the one file whose rows are those of the folder",
        )
    (file,) = files
    graph = Successors.of_matrix(read_scdl_graph(folder), len(file.ids), str(folder))
    return [(graph, file.rows)], [f"{folder}: its rows are taken for those of {file.name}, in order"]


def _cycle_notes(successors: Successors) -> list[str]:
    """Say how many cells come after themselves."""
    count = successors.num_on_cycles()
    if not count:
        return []
    return [f"{count:,} of {successors.num_samples:,} cells come after themselves, so that time goes backward somewhere on the way"]


def _backward_notes(successors: Successors, samples: Samples, column: str) -> list[str]:
    """Say how many edges go backward in time."""
    times = time_points(require_column(samples.table, column, samples.origin), samples.origin)
    require_several(times, column, samples.origin)
    count = int((successors.steps(times) < 0).sum())
    share = count / successors.num_edges
    return [f"{count:,} of {successors.num_edges:,} edges ({share:.1%}) go backward in '{column}'"] if count else []
