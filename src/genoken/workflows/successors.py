"""Make a graph of successors: which cells come next, by time point, by pseudotime, or by similarity alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

import genoken
from genoken.core.errors import ConfigError, DataError, RunError, suggestion
from genoken.core.files import atomic_path
from genoken.core.samples import Samples
from genoken.data.check import require_column
from genoken.data.successor_graphs import by_pseudotime, by_similarity, by_time
from genoken.data.successors import Successors
from genoken.data.time_points import require_several, time_points
from genoken.evaluation.baselines._components import principal_components
from genoken.readers._anndata import samples_from_anndata
from genoken.tokenizers.continuous import ContinuousTokenizer
from genoken.workflows.files import load_file
from genoken.workflows.predict import checked_output
from genoken.workflows.show import Show
from genoken.workflows.successor_files import DEFAULT_KEY

if TYPE_CHECKING:
    from anndata import AnnData

Rule = Literal["time", "pseudotime", "knn"]
"""What makes one cell the successor of another."""
NUM_COMPONENTS = 50
"""Principal components in which cells are near each other, where no representation is named."""
NUM_VARIABLE_FEATURES = 2000
"""Features of which they are made."""


@dataclass(frozen=True)
class SuccessorSummary:
    """What a graph of successors that was made is like.

    Parameters
    ----------
    key
        Key of ``obsp`` that holds it.
    cells, with_successors, edges
        Numbers of all cells, of those that have a successor, and of edges.
    median_step
        Median over the edges of how much later their ends are, in the units of the column; ``None`` without a column.
    notes
        What was left out, as sentences.
    """

    key: str
    cells: int
    with_successors: int
    edges: int
    median_step: float | None
    notes: tuple[str, ...]


def successors(  # noqa: PLR0913 - the one call that a user makes
    data: str | Path | AnnData,
    *,
    by: Rule,
    column: str = "",
    within: str = "",
    neighbors: int = 15,
    key: str = DEFAULT_KEY,
    representation: str = "",
    source: str = "auto",
    output: str | Path | None = None,
    overwrite: bool = False,
    show: Show | None = None,
) -> SuccessorSummary:
    """Say for each cell which cells come next, and write that into ``obsp``, with how it was made into ``uns`` under the same key.

    Everything is made of all cells: where parts of a split must not know of each other, only the edges between them are left out
    later, and principal components are still those of all cells.

    Parameters
    ----------
    data
        A file of cells, which is left as it is, or an AnnData object, which receives the graph.
    by
        ``time``: the nearest cells of the next time point; ``pseudotime``: those of the nearest cells that are later; ``knn``: the
        nearest cells, whatever their time.
    column
        Column of ``obs`` with the time or pseudotime: numbers, ordered categories, or words such as ``E8.5``.
    within
        Column of ``obs``, such as a lineage or a donor, whose groups no edge leaves; empty for none.
    neighbors
        Nearest cells of each cell.
    key
        Key of ``obsp`` that receives the graph.
    representation
        Key of ``obsm`` whose rows say where cells are; empty: principal components of log-normalized values.
    source
        ``auto``, ``X``, ``raw`` or ``layers/NAME``: where values for principal components are.
    output
        ``.h5ad`` file to write; needed for a file.
    overwrite
        Replace a file or a graph that is there.
    show
        Where sentences go; by default nowhere.

    Raises
    ------
    GenokenError
        When an option, the data or the output cannot be used.
    """
    show = show or Show(quiet=True)
    _check_options(by, column, neighbors, is_file=isinstance(data, (str, Path)), output=output)
    path = _free_output(output, overwrite=overwrite)
    adata = load_file(Path(data)) if isinstance(data, (str, Path)) else data
    where = Path(data).name if isinstance(data, (str, Path)) else "AnnData"
    if key in adata.obsp and not overwrite:
        raise DataError(f"there is an obsp['{key}'] already", where=where, remedy="choose another --key, or add --overwrite")
    times, groups, notes = _columns(adata.obs, column, within, where)
    points, space = _points(adata, representation, source, where)
    graph = _graph(by, points, times, neighbors, groups)
    if not graph.num_edges:
        what = f" within a value of '{within}'" if within else ""
        raise DataError(f"no cell has a successor{what}", where=where, remedy="choose another column, or leave out --within")
    adata.obsp[key] = graph.graph.astype(np.float32)
    options = {"by": by, "column": column, "within": within, "neighbors": neighbors, "representation": space}
    adata.uns[key] = {"made_by": f"genoken {genoken.__version__}", "weights": "exp(-d^2 / (2 s^2)), s the median d", **options}
    summary = _summary(graph, key, times, notes)
    _announce(summary, where, column, show)
    if path is not None:
        with atomic_path(path) as temporary:
            adata.write_h5ad(temporary)
        show.line(f"Wrote obsp['{key}'] to {path}.")
    return summary


def _check_options(by: str, column: str, neighbors: int, *, is_file: bool, output: str | Path | None) -> None:
    rules: Sequence[str] = ("time", "pseudotime", "knn")
    if by not in rules:
        raise ConfigError(f"successors are made by {', '.join(rules)}, not by '{by}'", remedy=suggestion(by, rules))
    if by != "knn" and not column:
        raise ConfigError(f"successors by {by} need a column of obs that holds it", remedy="add --column COLUMN")
    if by == "knn" and column:
        raise ConfigError(f"successors by knn know no time, so '{column}' is not used", remedy="leave out --column")
    if neighbors < 1:
        raise ConfigError(f"a cell needs at least one neighbor, not {neighbors}", where="--neighbors")
    if is_file and output is None:
        raise ConfigError("no file to write is named", remedy="add -o FILE.h5ad")


def _free_output(output: str | Path | None, *, overwrite: bool) -> Path | None:
    path = checked_output(output, (".h5ad",))
    if path is not None and path.exists() and not overwrite:
        raise RunError("the file exists", where=str(path), remedy="choose another one, or add --overwrite to replace it")
    return path


def _columns(table: pd.DataFrame, column: str, within: str, where: str) -> tuple[np.ndarray | None, np.ndarray | None, list[str]]:
    """Return times, groups, and how many cells lack either."""
    times = groups = None
    notes = []
    if column:
        times = time_points(require_column(table, column, where), where)
        require_several(times, column, where)
        notes += _without_edges(int((~np.isfinite(times)).sum()), column)
    if within:
        groups = pd.factorize(require_column(table, within, where))[0].astype(np.int64)
        notes += _without_edges(int((groups < 0).sum()), within)
    return times, groups, notes


def _without_edges(count: int, column: str) -> list[str]:
    return [f"{count:,} cells have no value in '{column}', so they have no successors and are none"] if count else []


def _graph(by: Rule, points: np.ndarray, times: np.ndarray | None, neighbors: int, groups: np.ndarray | None) -> Successors:
    if times is None:
        return by_similarity(points, neighbors, groups)
    make = by_time if by == "time" else by_pseudotime
    return make(points, times, neighbors, groups)


def _points(adata: AnnData, representation: str, source: str, where: str) -> tuple[np.ndarray, str]:
    """Return where each cell is, and in words in which space."""
    if not representation:
        return _components(samples_from_anndata(adata, source, where))
    if representation not in adata.obsm:
        remedy = suggestion(representation, list(adata.obsm), "there are") if len(adata.obsm) else "leave out --representation"
        raise DataError(f"there is no obsm['{representation}']", where=where, remedy=remedy)
    points = np.asarray(adata.obsm[representation])
    if points.ndim != 2 or points.dtype.kind not in "buif" or not np.isfinite(points).all():
        raise DataError(f"obsm['{representation}'] holds something else than finite numbers in rows", where=where)
    return points.astype(np.float64), f"obsm['{representation}']"


def _components(samples: Samples) -> tuple[np.ndarray, str]:
    tokenizer = ContinuousTokenizer(hvgs=NUM_VARIABLE_FEATURES, tokens="all" if samples.value_kind == "real" else "expressed")
    state = tokenizer.fit(samples)
    values = tokenizer.prepare(samples, samples.features.index.get_indexer(pd.Index(state.feature_ids)), state)
    components = principal_components(values, NUM_COMPONENTS, seed=0)
    words = f"{len(components.axes)} principal components of log-normalized values of {values.shape[1]:,} features"
    return components.scores(values), words


def _summary(graph: Successors, key: str, times: np.ndarray | None, notes: Sequence[str]) -> SuccessorSummary:
    step = None if times is None else float(np.median(graph.steps(times)))
    return SuccessorSummary(key, graph.num_samples, int((~graph.without).sum()), graph.num_edges, step, tuple(notes))


def _announce(summary: SuccessorSummary, where: str, column: str, show: Show) -> None:
    without = summary.cells - summary.with_successors
    show.line(
        f"{where}: {summary.with_successors:,} of {summary.cells:,} cells have successors, {without:,} have none; "
        f"{summary.edges:,} edges."
    )
    for note in summary.notes:
        show.line(f"  {note}.")
    if summary.median_step is not None:
        show.line(f"The median step in '{column}' is {summary.median_step:g}.")
