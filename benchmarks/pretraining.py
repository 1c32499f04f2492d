"""What pretraining learns on real data, beside the trivial rules that a report shows, and what it is worth for few labels.

- ``l1000_rank``, ``l1000_expression``: the presets on L1000 profiles, a fifth of the compounds held out.
- ``phenotypes``: the preset ``phenotype_mlm`` on blood cells of eight donors, one file each, two donors held out; the hidden cell
  type beside logistic regression on the same cells.
- ``few labels``: a network pretrained on the train cells of the same donors without labels, then fine-tuned with a tenth of the
  labels, beside the same network from scratch.

The data sets are used when they are there and left out, with a line, when not.

    python benchmarks/pretraining.py [--quick] [--only l1000_rank,phenotypes]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import scanpy

from _results import data_folder, options, table, write
from genoken.core.config import parse_assignment
from genoken.workflows.pretrain import pretrain
from genoken.workflows.show import Show
from genoken.workflows.train import train

PANEL = Path("expression/l1000/l1000_level3_n1429x978.gctx")
CELLS = Path("expression/single_cell/kang18_pbmc_ifnb_8donors.h5ad")
TYPE, DONOR = "cell_type_published", "donor_id"
QUICK: dict[str, Any] = {"training.epochs": 1, "training.limit_batches": 2, "model.width": 16, "data.limit_samples": 300}
Figures = dict[str, Any]


def panel(preset: str, path: Path, folder: Path, settings: dict[str, Any]) -> Figures:
    """Pretrain on L1000 profiles and return the scores of the network and of all floors."""
    run = pretrain(path, preset=preset, settings=settings, output=folder / preset, show=Show())
    summary = next(iter(run.metrics["objectives"].values()))
    return _figures(run.metrics, summary)


def phenotypes(path: Path, folder: Path, settings: dict[str, Any]) -> Figures:
    """Pretrain on one file per donor with cell types as tokens, and return how well hidden ones are found."""
    cells = scanpy.read_h5ad(path)
    for index, donor in enumerate(sorted(cells.obs[DONOR].unique())):
        cells[cells.obs[DONOR] == donor].write_h5ad(folder / f"donor_{index}.h5ad")
    run = pretrain(
        str(folder / "donor_{0..7}.h5ad"),
        preset="phenotype_mlm",
        phenotypes=[TYPE],
        group=DONOR,
        settings={"training.num_workers": 2} | settings,
        output=folder / "phenotypes",
        show=Show(),
    )
    summary = run.metrics["objectives"]["phenotype"]
    of_types = {name: found["macro_f1"] for name, found in summary["phenotypes"][TYPE].items()}
    return _figures(run.metrics, summary) | {"macro_f1": of_types}


def few_labels(path: Path, folder: Path, settings: dict[str, Any]) -> Figures:
    """Pretrain without labels, fine-tune with a tenth of them, and return the scores beside the same network from scratch."""
    common = {"training.logger": "none"} | settings
    pretrain(
        path,
        group=DONOR,
        settings={
            "tokenizer.hvgs": 1000,
            "objectives": [{"kind": "masked_value", "probability": 0.3}],
            "training.epochs": 20,
        }
        | common,
        output=folder / "unlabeled",
        show=Show(),
    )
    run = train(
        path,
        label=TYPE,
        group=DONOR,
        start_from=folder / "unlabeled",
        settings={"data.train_share": 0.1} | common,
        output=folder / "fine-tuned",
        show=Show(),
    )
    scores = {
        name: found["macro_f1"] for name, found in run.metrics["test"].items() if isinstance(found, dict) and "macro_f1" in found
    }
    return {"verdict": run.verdict, "macro_f1": scores}


def _figures(metrics: dict[str, Any], summary: dict[str, Any]) -> Figures:
    name = summary["metric"]
    floors = {floor: scores[name] for floor, scores in summary["floors"].items() if name in scores}
    return {
        "verdict": metrics["verdict"],
        "metric": name,
        "model": summary["model"],
        "floors": floors,
        "best_step": metrics["best_step"],
        "held_out_loss": metrics["held_out_loss"],
        "train_part_loss": metrics["train_part_loss"],
    }


PARTS: dict[str, tuple[Path, Callable[[Path, Path, dict[str, Any]], Figures]]] = {
    "l1000_rank": (PANEL, lambda path, folder, settings: panel("l1000_rank", path, folder, settings)),
    "l1000_expression": (PANEL, lambda path, folder, settings: panel("l1000_expression", path, folder, settings)),
    "phenotypes": (CELLS, phenotypes),
    "few labels": (CELLS, few_labels),
}


def measure(name: str, chosen: argparse.Namespace) -> Figures | None:
    """Run one part; ``None`` when its data are not here."""
    file, part = PARTS[name]
    root = data_folder()
    if root is None or not (root / file).is_file():
        print(f"{name}: left out, {file.name} is not here")
        return None
    settings = {"training.logger": "none"} | dict(parse_assignment(text) for text in chosen.set) | (QUICK if chosen.quick else {})
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        figures = part(root / file, Path(folder), settings)
    return figures | {"minutes": (time.perf_counter() - began) / 60}


def main() -> None:
    """Run all parts and write the table."""
    chosen = options(__doc__ or "")
    rows, figures = [], {}
    for name in PARTS:
        if chosen.only and name not in chosen.only.split(","):
            continue
        found = measure(name, chosen)
        if found is None:
            continue
        figures[name] = found
        if "floors" in found:
            metric = found["metric"]
            rows.append([name, "model", metric, f"{found['model'][metric]:.3f}"])
            rows += [[name, floor, metric, f"{value:.3f}"] for floor, value in found["floors"].items()]
        rows += [[name, predictor, "macro_f1", f"{value:.3f}"] for predictor, value in found.get("macro_f1", {}).items()]
        print(f"{name}: {found['verdict']} ({found['minutes']:.0f} min)\n", flush=True)
    print(table(["part", "predictor", "metric", "value"], rows))
    write("pretraining", {}, figures, chosen=chosen)


if __name__ == "__main__":
    main()
