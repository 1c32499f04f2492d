"""What networks learn about next cells on real data, beside what is known without one, and whether it is time that they learn.

- ``pancreas``: 3,696 cells of developing pancreas, whose successors are near cells of later pseudotime. There is one animal
  alone, so single cells are held out, and blocks of a cell type and a bin of pseudotime are resampled.
- ``worm``: 1,805 neurons of worm embryos, whose successors are the nearest cells of the next time bin in the same batch; whole
  batches are held out. ``--batches each`` tests each of the 7 batches once, by a network that is trained on the others, and
  resamples batches over the pooled errors; ``--batches one`` takes the product's own split, of which two batches are the test part.

Each with the presets ``next_value_small`` (values of variable genes) and ``next_cell_small`` (genes by rank), and the same network
trained on reversed and on shuffled successors. The data sets are used when they are there and left out, with a line, when not.

    python benchmarks/next_cell.py [--quick] [--only pancreas_value,pancreas_rank,worm_value,worm_rank] [--batches usual|each|one]

As usual each batch is tested with values, and one split with ranks, which take longer.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anndata
import numpy as np
import pandas as pd

from _results import data_folder, figures_before, options, table, write
from genoken.core.config import parse_assignment
from genoken.evaluation._unit_draws import UnitDraws, drawn_interval
from genoken.evaluation.bootstrap import LEAST_GROUPS
from genoken.evaluation.next_cell_floors import DENOISED
from genoken.workflows.pretrain import pretrain
from genoken.workflows.pretrained_run import PretrainedRun
from genoken.workflows.show import Show
from genoken.workflows.successors import successors

QUICK: dict[str, Any] = {"training.epochs": 1, "training.limit_batches": 2, "model.width": 16, "successors.controls": ["reversed"]}
QUICK_TOKENS: dict[str, Any] = {"value": {"tokenizer.hvgs": 60}, "rank": {"tokenizer.max_tokens": 60}}
PRESETS = {"value": "next_value_small", "rank": "next_cell_small"}
SEED, DRAWS = 0, 1000
QUICK_CELLS, QUICK_GENES, QUICK_BATCHES = 500, 500, 2


@dataclass(frozen=True)
class _Cells:
    file: str
    by: Literal["time", "pseudotime"]
    column: str
    group: str = ""


CELLS = {
    "pancreas": _Cells("pancreas_endocrinogenesis_E15_hvg2000.h5ad", "pseudotime", "dpt_pseudotime_derived"),
    "worm": _Cells("worm_embryo_amphid_1805.h5ad", "time", "embryo_time_bin", "batch"),
}


def measure(name: str, chosen: argparse.Namespace) -> dict[str, Any] | None:
    """Make successors, train, and return what the reports say; ``None`` when the data are not here."""
    data, kind = name.split("_")
    cells, root = CELLS[data], data_folder()
    if root is None or not (root / "expression/single_cell" / cells.file).is_file():
        print(f"{name}: left out, {cells.file} is not here")
        return None
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        adata = anndata.read_h5ad(root / "expression/single_cell" / cells.file)
        if chosen.quick:
            cells_kept = np.sort(np.random.default_rng(SEED).permutation(adata.n_obs)[:QUICK_CELLS])
            genes_kept = np.sort(np.argsort(-np.asarray(adata.X.mean(axis=0)).ravel(), kind="stable")[:QUICK_GENES])
            adata = adata[cells_kept, genes_kept].copy()
        successors(adata, by=cells.by, column=cells.column, within=cells.group, show=Show())
        is_each = cells.group and (chosen.batches == "each" or (chosen.batches == "usual" and kind == "value"))
        found = _each_batch if is_each else _one_split
        return found(adata, cells, kind, chosen, Path(folder)) | {"minutes": (time.perf_counter() - began) / 60}


def _one_split(adata: anndata.AnnData, cells: _Cells, kind: str, chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return what the report of a run says that holds out cells or groups by itself."""
    return _figures(_trained([adata], cells, kind, chosen, folder).metrics)


def _each_batch(adata: anndata.AnnData, cells: _Cells, kind: str, chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Test each batch once, and return errors over the cells of all of them, with batches as units."""
    batches = adata.obs[cells.group].astype(str).to_numpy()
    runs: dict[str, tuple[dict[str, Any], pd.DataFrame]] = {}
    for batch in np.unique(batches)[: QUICK_BATCHES if chosen.quick else None]:
        held_out = batches == batch
        run = _trained([adata[~held_out].copy(), adata[held_out].copy()], cells, kind, chosen, folder / batch)
        runs[batch] = run.metrics, pd.read_parquet(run.folder / "next_cells.parquet")
        print(f"  {batch}: {run.metrics['next_cell']['verdict']}", flush=True)
    return pooled(runs)


def _trained(parts: list[anndata.AnnData], cells: _Cells, kind: str, chosen: argparse.Namespace, folder: Path) -> PretrainedRun:
    """Pretrain on cells that are held out by the run itself, or on some cells to be reported on others, as files."""
    settings = {"training.logger": "none", "successors.time": cells.column} | dict(parse_assignment(text) for text in chosen.set)
    files = [folder / f"{name}.h5ad" for name, _ in zip(("cells", "held_out"), parts, strict=False)]
    folder.mkdir(exist_ok=True)
    for file, part in zip(files, parts, strict=True):
        part.write_h5ad(file)
    return pretrain(
        files[0],
        evaluate_on=files[1:] or None,
        preset=PRESETS[kind],
        group=cells.group,
        settings=settings | (QUICK | QUICK_TOKENS[kind] if chosen.quick else {}),
        output=folder / "run",
        show=Show(),
    )


def pooled(runs: dict[str, tuple[dict[str, Any], pd.DataFrame]]) -> dict[str, Any]:
    """Return errors, skills and differences over the cells of all batches.

    Parameters
    ----------
    runs
        Batch to the metrics of the network that never saw it, and to its rows of ``next_cells.parquet``.
    """
    table = pd.concat([cells.assign(batch=batch) for batch, (_, cells) in runs.items()], ignore_index=True)
    errors = {name.removeprefix("squared_error_"): table[name].to_numpy() for name in table if name.startswith("squared_error_")}
    units = {"batches": table["batch"].to_numpy(), "blocks": (table["batch"] + " | " + table["unit"]).to_numpy()}
    draws = {unit: UnitDraws(names, unit, SEED, DRAWS) for unit, names in units.items()}
    unit = "batches" if len(runs) >= LEAST_GROUPS else "blocks"
    skills = {name: _skill(found, errors[DENOISED], draws[unit]) for name, found in errors.items()}
    of_batches = {batch: _of_batch(metrics["next_cell"]) for batch, (metrics, _) in runs.items()}
    positive = sum(found["skill"] > 0 for found in of_batches.values())
    found = {
        "unit": unit,
        "batches": of_batches,
        "batches_with_positive_skill": positive,
        "squared_error": {name: float(found.mean()) for name, found in errors.items()},
        "skill": skills,
        "model_minus": {name: _difference(errors["model"], errors[name], draws[unit]) for name in errors if name != "model"},
        "true_minus_reversed": {name: _of_directions(runs, name) for name in ("network", "ridge_successor")},
    }
    (skill, interval), true = skills["model"], found["true_minus_reversed"]["network"]
    within = f", 95 % interval {interval[0]:+.1%} to {interval[1]:+.1%}" if interval else ""
    few = "" if unit == "batches" else f" {len(runs)} batches are fewer than {LEAST_GROUPS}, so blocks within them are resampled."
    verdict = (
        f"Skill over the denoised current cell in {len(runs)} batches of which each was held out once: {skill:+.1%}{within} over "
        f"{unit}; above zero in {positive}.{few} True minus reversed successors: {true[0]:+.4f}"
        + (f" ({true[1][0]:+.4f} to {true[1][1]:+.4f})." if true[1] else ".")
    )
    return found | {"verdict": verdict}


def _skill(own: np.ndarray, denoised: np.ndarray, draws: UnitDraws) -> list[Any]:
    (value, drawn), (whole, whole_drawn) = draws.sums(own), draws.sums(denoised)
    return [1 - value / whole, None if drawn is None or whole_drawn is None else drawn_interval(1 - drawn / whole_drawn)]


def _difference(one: np.ndarray, other: np.ndarray, draws: UnitDraws) -> list[Any]:
    value, drawn = draws.mean(one - other)
    return [value, drawn_interval(drawn)]


def _of_batch(found: dict[str, Any]) -> dict[str, Any]:
    profiles, direction = found["profiles"], found["direction"]
    names = ("true", "reversed", "shuffled", "denoised", "linear")
    return {
        "cells": profiles["cells"],
        "skill": profiles["model"]["skill"],
        "skill_of_floors": {name: scores["skill"] for name, scores in profiles["floors"].items()},
        "direction": {name: direction[name] for name in names},
        "verdict": found["verdict"],
    }


def _of_directions(runs: dict[str, tuple[dict[str, Any], pd.DataFrame]], name: str) -> list[Any]:
    """Return the mean loss on true minus on reversed successors over all batches' targets, and its interval over batches.

    A mean over targets and its bootstrap over batches need no more than each batch's mean and its number of targets, and for ridge
    regression its number of cells.
    """
    differences, counts = [], []
    for metrics, _ in runs.values():
        direction, (summary,) = metrics["next_cell"]["direction"], metrics["objectives"].values()
        is_network = name == "network"
        differences.append((direction["reversed"] if is_network else direction["linear"])["difference"])
        counts.append(summary["targets"] if is_network else metrics["next_cell"]["profiles"]["cells"])
    draws = UnitDraws(np.arange(len(runs)), "batches", SEED, DRAWS)
    (value, drawn), (count, count_drawn) = draws.sums(np.multiply(differences, counts)), draws.sums(np.array(counts))
    return [value / count, None if drawn is None or count_drawn is None else drawn_interval(drawn / count_drawn)]


def _figures(metrics: dict[str, Any]) -> dict[str, Any]:
    found, summary = metrics["next_cell"], next(iter(metrics["objectives"].values()))
    profiles, metric = found["profiles"], summary["metric"]
    predictors = {"model": profiles["model"], **profiles["floors"]}
    return {
        "verdict": found["verdict"],
        "pairs": found["pairs"],
        "at_targets": {"metric": metric, "model": summary["model"][metric]}
        | {floor: scores[metric] for floor, scores in summary["floors"].items()},
        "squared_error": {predictor: scores["squared_error"] for predictor, scores in predictors.items()},
        "centered_correlation": {predictor: scores["centered_correlation"] for predictor, scores in predictors.items()},
        "skill": {predictor: [scores["skill"], scores["skill_interval"]] for predictor, scores in predictors.items()},
        "direction": found["direction"],
        "embeddings": found["embeddings"],
        "skill_by_type": found["skill_by_type"],
    }


def main() -> None:
    """Run all parts and write the table."""
    chosen = options(__doc__ or "", {"batches": ("usual", "each", "one")})
    rows, figures = [], figures_before("next_cell", chosen)
    for name in (f"{data}_{kind}" for data in CELLS for kind in PRESETS):
        if chosen.only and name not in chosen.only.split(","):
            continue
        found = measure(name, chosen)
        if found is None:
            continue
        figures[name] = found
        at_targets = found.get("at_targets", {})
        rows += [
            [
                name,
                predictor,
                f"{value:.4f}",
                f"{found['skill'][predictor][0]:+.1%}",
                f"{at_targets.get(predictor, float('nan')):.4f}",
            ]
            for predictor, value in found["squared_error"].items()
        ]
        print(f"{name}: {found['verdict']} ({found['minutes']:.0f} min)\n", flush=True)
    print(table(["part", "predictor", "squared error of profiles", "skill", "loss at the targets"], rows))
    write("next_cell", {}, figures, chosen=chosen)


if __name__ == "__main__":
    main()
