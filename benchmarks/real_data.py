"""Macro-F1 of the default transformer against logistic regression and the other baselines, on real cells.

Five folds x two repeats (``--repeats``, seeds) of each data set; data sets with donors are split by donor, and every predictor sees
the same folds and the same values. The demo's cells come with scanpy; the others are used when they are there and left out, with a
line, when not.

    python benchmarks/real_data.py [--quick] [--only demo,glioblastoma]
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scanpy

from _results import data_folder, figures_before, options, table, write
from genoken.core.config import RunConfig, parse_assignment
from genoken.evaluation.metrics.classification import classification_metrics
from genoken.workflows.assemble import resolve_config, settle_kinds
from genoken.workflows.fold import fit_fold
from genoken.workflows.inputs import Study, build_study
from genoken.workflows.results import pool
from genoken.workflows.source import read_source

FOLDS = 5
SHOWN = ("model", "without_linear_path", "linear_path_alone", "linear", "pca_linear", "nearest_neighbors", "majority")


@dataclass(frozen=True)
class Data:
    """One data set: where it is, what is predicted, and how it is split."""

    name: str
    file: str
    label: str
    group: str = ""
    split: str = "folds"
    folds: int = FOLDS
    drop: str = ""


SETS = (
    Data("demo", "", "bulk_labels"),
    Data("glioblastoma", "glioblastoma_panobinostat_5patients.h5ad", "condition", "donor_id"),
    Data("kang condition", "kang18_pbmc_ifnb_8donors.h5ad", "condition", "donor_id"),
    Data("kang cell types", "kang18_pbmc_ifnb_8donors.h5ad", "cell_type_published", "donor_id"),
    Data("pbmc3k", "pbmc3k_raw.h5ad", "cell_type", drop="unassigned"),
    Data("pig by animal", "pig_airway_cftr_7animals.h5ad", "condition", "donor_id", folds=3),
    Data("pig random cells", "pig_airway_cftr_7animals.h5ad", "condition", "donor_id", split="random"),
)


def load(data: Data) -> Any:
    """Return the data set as AnnData, or ``None`` when it is not here."""
    if not data.file:
        return scanpy.datasets.pbmc68k_reduced()
    folder = data_folder()
    path = folder / "expression" / "single_cell" / data.file if folder else None
    if path is None or not path.is_file():
        return None
    adata = scanpy.read_h5ad(path)
    labels = adata.obs[data.label].astype(object)
    return adata[(labels.notna() & (labels != data.drop) & (labels != "")).to_numpy()].copy()


def one_repeat(data: Data, study: Study, config: RunConfig) -> dict[str, dict[str, Any]]:
    """Fit all folds and return each predictor's scores: pooled over folds, and macro-F1 of each fold."""
    words = config.split.assign(study.named_labels(), study.groups, study.samples.table, config.training.seed)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for index, fold in enumerate(words):
            found.append(fit_fold(config, study, fold, Path(folder) / str(index), on_epoch=None).predictions)
    pooled = pool(study, words, found)
    scores = {}
    for name, predicted in pooled.predictions.items():
        whole = classification_metrics(study.labels[pooled.rows], predicted, classes=study.classes, folds=pooled.folds)
        by_fold = [
            classification_metrics(study.labels[pooled.rows[chosen]], predicted[chosen], classes=study.classes)["macro_f1"]
            for chosen in (pooled.folds == index for index in range(len(words)))
        ]
        scores[name] = {**whole, "macro_f1_by_fold": by_fold}
    return scores


def gap(figures: dict[str, Any], data: Data) -> float:
    """Return the model's macro-F1, mean over folds, minus that of logistic regression."""
    model, linear = (figures[f"{data.name}, {name}"]["macro_f1_mean_of_folds"] for name in ("model", "linear"))
    return float(model - linear)


def main() -> None:
    """Run all data sets and write the table."""
    chosen = options(__doc__ or "")
    rows, ratios, figures = [], {}, {}
    for data in SETS:
        if chosen.only and data.name not in chosen.only.split(","):
            continue
        adata = load(data)
        if adata is None:
            print(f"{data.name}: left out, {data.file} is not here")
            continue
        repeats = []
        began = time.process_time()
        for repeat in range(1 if chosen.quick else chosen.repeats):
            settings = {
                "training.seed": repeat,
                "training.logger": "none",
                "split.kind": data.split,
                "split.folds": 2 if chosen.quick else data.folds,
            }
            settings |= dict(parse_assignment(text) for text in chosen.set)
            if chosen.quick:
                settings |= {"training.epochs": 1, "data.limit_samples": 120, "model.width": 16}
            config = resolve_config("", None, settings)
            config = replace(config, data=replace(config.data, label=data.label, group=data.group))
            study = build_study(read_source(adata, "auto").samples, config.data, seed=repeat, guess_group=False)
            repeats.append(one_repeat(data, study, settle_kinds(config, study)))
        seconds = (time.process_time() - began) / (len(repeats) * data.folds)
        for name in SHOWN:
            if name not in repeats[0]:
                continue
            by_fold = [value for scores in repeats for value in scores[name]["macro_f1_by_fold"]]
            pooled = {m: float(np.mean([s[name][m] for s in repeats])) for m in ("macro_f1", "accuracy", "roc_auc")}
            figures[f"{data.name}, {name}"] = {"macro_f1_mean_of_folds": float(np.mean(by_fold)), "by_fold": by_fold, **pooled}
            spread = f"{np.mean(by_fold):.3f} ± {np.std(by_fold):.3f}"
            rows.append([data.name, name, spread, *[f"{pooled[m]:.3f}" for m in ("macro_f1", "accuracy", "roc_auc")]])
        ratios[data.name] = figures[f"{data.name}, model"]["macro_f1"] / figures[f"{data.name}, linear"]["macro_f1"]
        figures[f"{data.name}, cpu_seconds_per_fold"] = seconds
        figures[f"{data.name}, repeats"] = len(repeats)
        print(
            f"{data.name}: transformer minus logistic regression {gap(figures, data):+.3f} macro-F1, {seconds:.0f} CPU-s per fold",
            flush=True,
        )
    print(table(["data", "predictor", "macro-F1 of folds", "macro-F1 pooled", "accuracy", "ROC-AUC"], rows))
    known = {**figures_before("real_data", chosen), **figures}
    gaps = [gap(known, data) for data in SETS if f"{data.name}, model" in known and data.split != "random"]
    figures["mean difference of macro-F1 to logistic regression"] = float(np.mean(gaps))
    print(f"\nmean difference of macro-F1 to logistic regression over {len(gaps)} data sets: {np.mean(gaps):+.3f}")
    write("real_data", ratios, figures, chosen=chosen)


if __name__ == "__main__":
    main()
