"""What networks learn about next cells on real data, beside what is known without one, and whether it is time that they learn.

- ``pancreas``: 3,696 cells of developing pancreas, whose successors are near cells of later pseudotime. There is one animal
  alone, so single cells are held out, and blocks of a cell type and a bin of pseudotime are resampled.
- ``worm``: 1,805 neurons of worm embryos, whose successors are the nearest cells of the next time bin in the same batch; whole
  batches are held out.

Each with the presets ``next_value_small`` (values of variable genes) and ``next_cell_small`` (genes by rank), and the same network
trained on reversed and on shuffled successors. The data sets are used when they are there and left out, with a line, when not.

    python benchmarks/next_cell.py [--quick] [--only pancreas_value,pancreas_rank,worm_value,worm_rank]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from _results import data_folder, figures_before, options, table, write
from genoken.core.config import parse_assignment
from genoken.workflows.pretrain import pretrain
from genoken.workflows.show import Show
from genoken.workflows.successors import successors

QUICK: dict[str, Any] = {"training.epochs": 1, "training.limit_batches": 2, "model.width": 16, "tokenizer.hvgs": 60}
PRESETS = {"value": "next_value_small", "rank": "next_cell_small"}


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
    """Make successors, train, and return what the run's report says; ``None`` when the data are not here."""
    data, kind = name.split("_")
    cells, root = CELLS[data], data_folder()
    if root is None or not (root / "expression/single_cell" / cells.file).is_file():
        print(f"{name}: left out, {cells.file} is not here")
        return None
    settings = {"training.logger": "none", "successors.time": cells.column} | dict(parse_assignment(text) for text in chosen.set)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.h5ad"
        source = root / "expression/single_cell" / cells.file
        successors(source, by=cells.by, column=cells.column, within=cells.group, output=path, show=Show())
        run = pretrain(
            path,
            preset=PRESETS[kind],
            group=cells.group,
            settings=settings | (QUICK if chosen.quick else {}),
            output=Path(folder) / "run",
            show=Show(),
        )
        return _figures(run.metrics) | {"minutes": (time.perf_counter() - began) / 60}


def _figures(metrics: dict[str, Any]) -> dict[str, Any]:
    found, summary = metrics["next_cell"], next(iter(metrics["objectives"].values()))
    profiles, metric = found["profiles"], summary["metric"]
    predictors = {"model": profiles["model"], **profiles["floors"]}
    return {
        "verdict": found["verdict"],
        "pairs": found["pairs"],
        "squared_error": {predictor: scores["squared_error"] for predictor, scores in predictors.items()},
        "centered_correlation": {predictor: scores["centered_correlation"] for predictor, scores in predictors.items()},
        "skill": {predictor: [scores["skill"], scores["skill_interval"]] for predictor, scores in predictors.items()},
        "at_targets": {"metric": metric, "model": summary["model"][metric]}
        | {floor: scores[metric] for floor, scores in summary["floors"].items()},
        "direction": found["direction"],
        "embeddings": found["embeddings"],
        "skill_by_type": found["skill_by_type"],
    }


def main() -> None:
    """Run all parts and write the table."""
    chosen = options(__doc__ or "")
    rows, figures = [], figures_before("next_cell", chosen)
    for name in (f"{data}_{kind}" for data in CELLS for kind in PRESETS):
        if chosen.only and name not in chosen.only.split(","):
            continue
        found = measure(name, chosen)
        if found is None:
            continue
        figures[name] = found
        at_targets = found["at_targets"]
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
