"""What is known of next cells without a network, and whether a regression learns the direction of time.

Floors are fitted on train cells and scored on the successors of held-out ones, once with true successors and, for ridge regression
and the mean successors of similar cells, with reversed ones and with successors shuffled within cell types. All are scored at the
true successors of test cells. A second table has errors against one successor per cell, drawn at random, in place of their mean.

    python benchmarks/next_cell_floors.py [--quick]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anndata
import numpy as np
import scipy.sparse as sp

from _results import data_folder, options, table, write
from genoken.core.random import generator
from genoken.data.successors import Successors
from genoken.evaluation.next_cell_floors import DENOISED, CellPart, ProfileFloors, fit_profile_floors
from genoken.evaluation.next_cell_scores import cell_blocks, score_part
from genoken.evaluation.next_cell_verdict import TimeControls, Unit, summarize_direction, summarize_profiles
from genoken.synthetic import planted_trajectory
from genoken.workflows.successor_files import DEFAULT_KEY
from genoken.workflows.successors import successors as make_successors

NEIGHBORS, FEATURES, SEED = 15, 2000, 0
ORDERS = ("true", "reversed", "shuffled")
Errors = dict[str, dict[str, np.ndarray]]


@dataclass
class Cells:
    """Cells with successors, and the folds (part of each cell) in which they are tested."""

    name: str
    values: sp.csr_matrix
    successors: Successors
    types: np.ndarray
    units: np.ndarray
    unit: Unit
    folds: list[np.ndarray]

    def part(self, fold: np.ndarray, name: str, successors: Successors) -> tuple[np.ndarray, CellPart]:
        """Return the rows and the cells of a part, with these successors as far as both cells are in it."""
        rows = np.flatnonzero(fold == name)
        return rows, CellPart(self.values[rows], successors.take(rows).graph, self.types[rows])

    def in_order(self, order: str, fold: np.ndarray) -> Successors:
        """Return true, reversed or shuffled successors within parts, as the controls of a run have them."""
        within = self.successors.within(fold)
        if order == "reversed":
            return within.reversed()
        return within.shuffled(np.char.add(fold + " ", self.types), SEED) if order == "shuffled" else within


def successors_of(cells: anndata.AnnData) -> Successors:
    return Successors.of_matrix(cells.obsp[DEFAULT_KEY], cells.n_obs, "")


def log_values(counts: sp.csr_matrix) -> sp.csr_matrix:
    totals = np.asarray(counts.sum(axis=1)).ravel()
    values = sp.csr_matrix(sp.diags_array(1e4 / np.maximum(totals, 1)) @ counts).astype(np.float32)
    values.data = np.log1p(values.data)
    return values


def planted(*, quick: bool) -> Cells:
    cells = planted_trajectory(600 if quick else 1600, 200)
    donors = cells.obs["donor_id"].to_numpy().astype(str)
    return by_unit("planted trajectory", log_values(cells.X), successors_of(cells), cells.obs["cell_type"], donors, quick=quick)


def worm(path: Path, *, quick: bool) -> Cells:
    """Nearest cells of the next time bin in the same batch; genes are chosen on all cells, without regard to type or time."""
    cells = anndata.read_h5ad(path)
    values = log_values(sp.csr_matrix(cells.X))
    chosen = np.sort(np.argsort(-values.power(2).mean(axis=0).A1 + np.square(values.mean(axis=0).A1), kind="stable")[:FEATURES])
    values, batch = values[:, chosen], cells.obs["batch"].astype(str).to_numpy()
    make_successors(cells, by="time", column="embryo_time_bin", within="batch", neighbors=NEIGHBORS)
    return by_unit("worm embryo, batches held out", values, successors_of(cells), cells.obs["cell_type"], batch, quick=quick)


def by_unit(name: str, values: sp.csr_matrix, successors: Successors, types: object, units: np.ndarray, *, quick: bool) -> Cells:
    """Hold out each group once, with the one before it for tuning."""
    names = np.unique(units)
    folds = [
        np.where(units == tested, "test", np.where(units == names[index - 1], "val", "train")) for index, tested in enumerate(names)
    ]
    return Cells(name, values, successors, np.asarray(types).astype(str), units, "groups", folds[:2] if quick else folds)


def pancreas(path: Path, *, quick: bool) -> Cells:
    """Later ones of the nearest cells. There is one animal alone: cells are held out at random, units are blocks."""
    cells = anndata.read_h5ad(path)
    values, time = log_values(sp.csr_matrix(cells.X)), cells.obs["dpt_pseudotime_derived"].to_numpy(dtype=np.float64)
    make_successors(cells, by="pseudotime", column="dpt_pseudotime_derived", neighbors=NEIGHBORS)
    types = cells.obs["cell_type"].astype(str).to_numpy()
    order = generator(SEED, "next_cell_floors", "split").random(len(time))
    fold = np.where(order < 0.6, "train", np.where(order < 0.7, "val", "test"))
    return Cells(
        "pancreas, cells held out at random", values, successors_of(cells), types, cell_blocks(types, time), "blocks", [fold]
    )


def data_sets(*, quick: bool) -> Iterator[Cells]:
    yield planted(quick=quick)
    folder = data_folder()
    if folder is not None:
        single_cell = folder / "expression" / "single_cell"
        if (single_cell / "pancreas_endocrinogenesis_E15_hvg2000.h5ad").is_file():
            yield pancreas(single_cell / "pancreas_endocrinogenesis_E15_hvg2000.h5ad", quick=quick)
        if (single_cell / "worm_embryo_amphid_1805.h5ad").is_file():
            yield worm(single_cell / "worm_embryo_amphid_1805.h5ad", quick=quick)


def one_each(part: CellPart) -> CellPart:
    """Return the part with one successor per cell, drawn at random."""
    rng = generator(SEED, "next_cell_floors", "draw")
    graph = part.successors
    chosen = [int(rng.integers(graph.indptr[row], graph.indptr[row + 1])) for row in part.starts]
    edges = part.starts, graph.indices[chosen]
    return CellPart(part.values, sp.csr_matrix((np.ones(len(chosen), np.float32), edges), shape=graph.shape), part.types)


def measured(cells: Cells) -> tuple[dict[str, Errors], Errors, np.ndarray]:
    """Return scores in each order of successors, errors against single successors, and the unit of each tested cell."""
    pooled: dict[str, list[Errors]] = {order: [] for order in (*ORDERS, "single")}
    units = []
    for fold in cells.folds:
        fitted: dict[str, ProfileFloors] = {}
        for order in ORDERS:
            graph = cells.in_order(order, fold)
            fitted[order] = fit_profile_floors(cells.part(fold, "train", graph)[1], cells.part(fold, "val", graph)[1], SEED)
        rows, test = cells.part(fold, "test", cells.successors)
        if not len(test.starts):
            continue
        usual = fitted["true"].usual
        for order, floors in fitted.items():
            pooled[order].append(score_part(test, test.starts, floors.of(test), usual))
        pooled["single"].append(score_part(one_each(test), test.starts, fitted["true"].of(test), usual))
        units.append(cells.units[rows[test.starts]])
    joined = {order: joined_scores(pieces) for order, pieces in pooled.items()}
    return {order: joined[order] for order in ORDERS}, joined["single"], np.concatenate(units)


def joined_scores(pieces: list[Errors]) -> Errors:
    return {
        name: {measure: np.concatenate([piece[name][measure] for piece in pieces]) for measure in pieces[0][name]}
        for name in pieces[0]
    }


def report(cells: Cells) -> tuple[list[list[str]], dict[str, object]]:
    """Return table rows of the floors and the figures; ridge regression stands where a model would."""
    scores, single, units = measured(cells)
    own = {"model": scores["true"]["ridge_successor"], **scores["true"]}
    summary = summarize_profiles(own, units, unit=cells.unit, seed=SEED)
    rows = [
        [
            cells.name,
            name,
            f"{found['squared_error']:.4f}",
            f"{single[name]['squared_error'].mean():.4f}",
            f"{found['skill']:+.1%}"
            + ("" if not found["skill_interval"] else " ({:+.1%} to {:+.1%})".format(*found["skill_interval"])),
            *(
                "" if found[key] is None else f"{found[key]:.3f}"
                for key in ("correlation", "centered_correlation", "change_correlation")
            ),
        ]
        for name, found in summary["floors"].items()
    ]
    directions = {}
    for floor in ("ridge_successor", "knn_mean_successor"):
        losses = [scores[order][floor]["squared_error"] for order in ORDERS]
        denoised = scores["true"][DENOISED]["squared_error"]
        directions[floor] = summarize_direction(TimeControls("squared_error", *losses, units, cells.unit, denoised), seed=SEED)
        print(f"{cells.name}, {floor}: {directions[floor]['verdict']}")
    errors = {name: float(found["squared_error"].mean()) for name, found in single.items()}
    return rows, {"floors": summary["floors"], "single_successor_error": errors, "direction": directions}


def main() -> None:
    chosen = options(__doc__ or "")
    rows: list[list[str]] = []
    figures: dict[str, object] = {}
    for cells in data_sets(quick=chosen.quick):
        found, figures[cells.name] = report(cells)
        rows += found
    columns = ["data", "floor", "error", "error, single", "skill", "correlation", "centered", "of change"]
    print("\n" + table(columns, rows))
    write("next_cell_floors", {}, figures, chosen=chosen)


if __name__ == "__main__":
    main()
