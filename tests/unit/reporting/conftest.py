"""Synthetic run folders, written as docs/run-folder.md says, for the tests of the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

EVIL = [
    "B <script>alert('x')</script> & \"co\"",
    "CD4⁺ T — naïve/记忆 🧬 with a very long name that goes on and on, and on, until nobody can read it any more",
    "</script><img src=x onerror=alert(1)>",
    "NK {{ 7*7 }} %{x} ${y} #0072B2",
]
BLOOD = [
    "CD14+ Monocyte",
    "CD19+ B",
    "CD4+ T",
    "CD8+ Cytotoxic T",
    "CD34+",
    "CD56+ NK",
    "Dendritic",
    "T reg",
    "CD8+ naive T",
    "CD4+ memory T",
]


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def simulate(classes: list[str], samples: int, skill: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """True class codes and predicted probabilities; more skill, fewer errors."""
    random = np.random.default_rng(seed)
    sizes = np.linspace(2.0, 0.6, len(classes))
    label = np.sort(random.choice(len(classes), size=samples, p=sizes / sizes.sum()))
    label[: 2 * len(classes)] = np.tile(np.arange(len(classes)), 2)
    logits = random.normal(size=(samples, len(classes)))
    logits[np.arange(samples), label] += skill
    weights = np.exp(1.4 * logits)
    return label, weights / weights.sum(axis=1, keepdims=True)


def predictions_table(classes: list[str], label: np.ndarray, probability: np.ndarray, groups: int) -> pd.DataFrame:
    names = np.array(classes, dtype=object)
    table = pd.DataFrame(
        {
            "sample_id": [f"cell-{row}-<b>" if row == 0 else f"AAACCTGA{row:05d}-1" for row in range(len(label))],
            "group": [f"donor {row % groups}" for row in range(len(label))],
            "fold": np.arange(len(label)) % groups % 5,
            "label": names[label],
            "predicted": names[probability.argmax(axis=1)],
        }
    )
    for index, name in enumerate(classes):
        table[f"probability_{name}"] = probability[:, index].astype(np.float32)
    return table


def scores_of(label: np.ndarray, probability: np.ndarray, *, intervals: bool = True) -> dict:
    from sklearn import metrics

    predicted, count = probability.argmax(axis=1), probability.shape[1]
    onehot = np.eye(count)[label]
    values = {
        "accuracy": metrics.accuracy_score(label, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(label, predicted),
        "macro_f1": metrics.f1_score(label, predicted, average="macro"),
        "roc_auc": metrics.roc_auc_score(onehot, probability, average="macro"),
        "average_precision": metrics.average_precision_score(onehot, probability),
        "mcc": metrics.matthews_corrcoef(label, predicted),
        "brier": float(((probability - onehot) ** 2).sum(axis=1).mean()),
        "log_loss": metrics.log_loss(label, probability),
        "ece": 0.041,
    }
    result: dict = {}
    for name, value in values.items():
        result[name] = round(float(value), 4)
        result[f"{name}_interval"] = (
            [round(max(float(value) - 0.04, 0.0), 4), round(min(float(value) + 0.03, 1.0), 4)] if intervals else None
        )
    return result


def class_details(classes: list[str], label: np.ndarray, probability: np.ndarray) -> dict:
    from sklearn import metrics

    predicted = probability.argmax(axis=1)
    confusion = metrics.confusion_matrix(label, predicted, labels=range(len(classes)))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        label, predicted, labels=range(len(classes)), zero_division=0
    )
    per_class, curves = {}, {}
    for index, name in enumerate(classes):
        false_positive, true_positive, _ = metrics.roc_curve(label == index, probability[:, index])
        precisions, recalls, _ = metrics.precision_recall_curve(label == index, probability[:, index])
        per_class[name] = {
            "precision": float(precision[index]),
            "recall": float(recall[index]),
            "f1": float(f1[index]),
            "average_precision": float(metrics.average_precision_score(label == index, probability[:, index])),
            "roc_auc": float(metrics.roc_auc_score(label == index, probability[:, index])),
            "support": int(support[index]),
            "predicted_rate": float((predicted == index).mean()),
        }
        curves[name] = {
            "roc": {"false_positive_rate": false_positive.tolist(), "true_positive_rate": true_positive.tolist()},
            "pr": {"recall": recalls[::-1].tolist(), "precision": precisions[::-1].tolist()},
        }
    confidence, right = probability.max(axis=1), label == predicted
    bins = []
    for low in np.arange(0, 1, 0.1):
        inside = (confidence >= low) & (confidence < low + 0.1)
        some = bool(inside.any())
        bins.append(
            {
                "low": float(low),
                "high": float(low + 0.1),
                "samples": int(inside.sum()),
                "confidence": float(confidence[inside].mean()) if some else None,
                "accuracy": float(right[inside].mean()) if some else None,
            }
        )
    return {"per_class": per_class, "curves": curves, "confusion": confusion.tolist(), "calibration": {"bins": bins, "ece": 0.041}}


def history_table(epochs: int, folds: int, metric: str) -> pd.DataFrame:
    random = np.random.default_rng(3)
    epoch, fold = (values.ravel() for values in np.meshgrid(np.arange(epochs), np.arange(folds)))
    rise, noise = 1 - np.exp(-epoch / 3), 0.05 * random.random((2, epochs * folds))
    table = pd.DataFrame(
        {
            "fold": fold,
            "epoch": epoch,
            "step": 20 * (epoch + 1),
            "train_loss": 2.2 * np.exp(-epoch / 4) + noise[0],
            "val_loss": 2.5 - 2 * rise + 0.02 * epoch + noise[1],
            f"val_{metric}": 0.2 + 0.6 * rise + noise[0],
            "val_accuracy": 0.35 + 0.5 * rise + noise[1],
            "learning_rate": 1e-3 * np.minimum(1, (epoch + 1) / 3) * 0.5 * (1 + np.cos(np.pi * epoch / epochs)),
            "seconds": 2.0,
            "samples_per_second": 240.0,
            "tokens_per_second": 120_000.0,
            "fill": 0.97,
            "loader_wait": 0.01,
            "peak_memory_mb": 740 - 40 * np.exp(-epoch) + 3 * fold,
        }
    )
    # folds stop at different epochs
    return table[epoch < epochs - fold % 3]


def manifest() -> dict:
    return {
        "genoken": "0.1.0",
        "created": "2026-01-02T03:04:05+00:00",
        "command": "genoken train cells.h5ad --label cell_type --group donor -o runs/cells",
        "seed": 0,
        "python": "3.11.9",
        "libraries": {"torch": "2.13.0", "lightning": "2.6.0", "scanpy": "1.11.0"},
        "hardware": {"device": "cpu", "cpu": "Some CPU <1>", "cores": 2, "memory_gb": 7.8, "gpu": None},
        "data": [{"path": "cells.h5ad", "sha256": "ab" * 32, "samples": 700, "features": 765}],
        "model": {
            "summary": "Transformer: 3 layers, width 128, 8 heads, over expressed genes, with a linear path beside it.",
            "parameters": 583_178,
            "parameters_by_part": {
                "gene table": 98_048,
                "value embedding": 256,
                "encoder": 397_440,
                "linear path": 7_650,
                "head": 79_784,
            },
            "attention": {"backend": "sdpa", "reason": "no CUDA device; exact attention per length group"},
            "precision": {"used": "fp32", "reason": "CPU"},
        },
        "files": {"config.yaml": "12" * 32, "model.safetensors": "ef" * 32},
        "peak_memory_mb_by_epoch": [700.0, 720.0],
    }


def check(classes: list[str], counts: list[int], groups: int) -> dict:
    return {
        "file": "cells.h5ad",
        "samples": sum(counts),
        "features": 765,
        "matrices": [
            {
                "name": "X",
                "kind": "scaled",
                "evidence": "negative values, columns have mean 0 and variance 1",
                "density": 1.0,
                "used": False,
            },
            {"name": "raw", "kind": "log", "evidence": "expm1 of each row sums to about 10,000", "density": 0.31, "used": True},
        ],
        "identifiers": {"type": "symbols", "species": "human", "versions": False, "duplicates": 0},
        "label": {"name": "cell_type", "counts": dict(zip(classes, counts, strict=True))},
        "group": {"name": "donor", "count": groups},
        "confounding": {
            "rows": classes,
            "columns": [f"donor {index}" for index in range(groups)],
            "counts": [[(7 * row + 5 * column) % 23 for column in range(groups)] for row in range(len(classes))],
        },
        "memory_mb": 310.5,
        "suggestion": "genoken train cells.h5ad --label cell_type --group donor",
        "findings": [
            {"level": "ok", "title": "Gene symbols are unique", "detail": "765 symbols, human.", "remedy": ""},
            {
                "level": "warning",
                "title": "A class is small",
                "detail": f"'{classes[-1]}' has {counts[-1]} samples.",
                "remedy": "Merge it or collect more.",
            },
            {
                "level": "error",
                "title": "X is scaled",
                "detail": "The values in raw are used instead.",
                "remedy": "Keep counts in a layer.",
            },
        ],
    }


def explanations(folder: Path, classes: list[str], *, attention: bool = True) -> None:
    random, rows = np.random.default_rng(5), []
    genes = ["MS4A1", "CD79A", "NKG7", "GNLY", "LST1", "FCER1A", "<i>GENE</i>", "HLA-DRA", "CST3", "S100A8"] + [
        f"GENE{index}" for index in range(30)
    ]
    for name in classes:
        order = random.permutation(len(genes))
        importance = np.sort(random.gamma(1.2, 0.02, size=len(genes)))[::-1]
        for rank, gene in enumerate(order):
            rows.append(
                (name, f"ENSG{gene:011d}", genes[gene], rank + 1, importance[rank], 0.83, "integrated_gradients", 0.6 - 0.03 * rank)
            )
    (folder / "explanations").mkdir(exist_ok=True)
    columns = ["class", "feature_id", "symbol", "rank", "importance", "stability", "method", "correlation"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "explanations" / "genes.tsv", sep="\t", index=False)
    shown = genes[:20]
    matrix = random.dirichlet(np.ones(len(shown)), size=len(shown)) * 0.8
    write_json(
        folder / "explanations" / "controls.json",
        {
            "method": "integrated_gradients",
            "completeness_error": 0.0042,
            "deletion": {
                "fractions": [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
                "importance": [0.9, 0.71, 0.6, 0.42, 0.31, 0.22, 0.15],
                "random": [0.9, 0.895, 0.89, 0.88, 0.85, 0.79, 0.6],
                "random_low": [0.9, 0.88, 0.87, 0.86, 0.82, 0.75, 0.52],
                "random_high": [0.9, 0.9, 0.9, 0.895, 0.88, 0.83, 0.68],
            },
            "randomized_weights_correlation": 0.07,
            "attention": {"genes": shown, "matrix": matrix.tolist()} if attention else None,
            "notes": ["Baseline: the same genes with value 0."],
        },
    )


def embeddings_table(predictions: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    random = np.random.default_rng(9)
    if classes:
        code = predictions["label"].map({name: index for index, name in enumerate(classes)}).to_numpy()
        centers = random.normal(scale=3.0, size=(len(classes), 8))[code]
    else:
        centers = predictions["label"].to_numpy(float)[:, None] * random.normal(size=8)
    table = predictions[["sample_id", "label", "predicted", "group", "fold"]].copy()
    for prefix, noise in (("model", 1.0), ("pca", 2.2)):
        values = centers + random.normal(scale=noise, size=centers.shape)
        for column in range(values.shape[1]):
            table[f"{prefix}_{column}"] = values[:, column].astype(np.float32)
    return table


def split_table(predictions: pd.DataFrame, folds: int, *, leaky: bool = False) -> pd.DataFrame:
    table = predictions[["sample_id", "group", "label"]].copy()
    number = predictions["group"].str.extract(r"(\d+)$")[0].astype(int).to_numpy()
    for fold in range(folds):
        part = np.where(number % folds == fold, "test", np.where(number % folds == (fold + 1) % folds, "val", "train"))
        if leaky:
            part = np.array(["train", "train", "val", "test"])[(np.arange(len(table)) + fold) % 4]
        table[f"fold_{fold}"] = part
    return table


def classification_metrics(classes: list[str], label: np.ndarray, own: np.ndarray, other: np.ndarray, groups: int) -> dict:
    details, rival = class_details(classes, label, own), class_details(classes, label, other)
    majority = np.zeros_like(own)
    majority[:, np.bincount(label).argmax()] = 0.97
    majority += 0.03 / len(classes)
    majority /= majority.sum(axis=1, keepdims=True)
    model, logistic = scores_of(label, own), scores_of(label, other)
    gap = round(model["macro_f1"] - logistic["macro_f1"], 4)
    knn = scores_of(label, 0.7 * other + 0.3 * majority)
    return {
        "task": "classification",
        "label": "cell_type",
        "classes": classes,
        "positive": None,
        "split": {
            "kind": "folds",
            "group": "donor",
            "folds": 5,
            "leaky": False,
            "note": "Stratified by class.",
            "samples": {"train": 420, "val": 140, "test": len(label)},
            "groups": {"train": 5, "val": 2, "test": groups},
        },
        "verdict": "The transformer predicts cell_type in donors it has never seen about as well as logistic regression "
        f"(macro F1 {model['macro_f1']:.3f} against {logistic['macro_f1']:.3f}).",
        "test": {
            "samples": len(label),
            "groups": groups,
            "model": model,
            "baselines": {
                "majority": scores_of(label, majority),
                "logistic": logistic,
                "pca_logistic": logistic | {"macro_f1": 0.61, "macro_f1_interval": [0.57, 0.66]},
                "knn": knn,
            },
            "difference": {
                "baseline": "logistic",
                "metric": "macro_f1",
                "value": gap,
                "interval": [gap - 0.03, gap + 0.02],
                "unit": "groups",
                "draws": 2000,
            },
            "per_class": {"model": details["per_class"], "logistic": rival["per_class"]},
            "confusion": {"model": details["confusion"], "logistic": rival["confusion"]},
            "calibration": {"model": details["calibration"], "logistic": rival["calibration"]},
            "curves": {"model": details["curves"]},
        },
        "ablation": {
            "without_linear_path": {"macro_f1": 0.52, "macro_f1_interval": [0.41, 0.6], "accuracy": 0.7, "accuracy_interval": None},
            "linear_path_alone": {"macro_f1": 0.61, "macro_f1_interval": [0.5, 0.7], "accuracy": 0.72, "accuracy_interval": None},
        },
        "ablation_difference": {
            "part": "linear_path_alone",
            "metric": "macro_f1",
            "value": 0.02,
            "interval": [-0.01, 0.05],
            "unit": "groups",
            "draws": 2000,
        },
        "leakage": {
            "findings": [
                {"level": "ok", "title": "No duplicated samples across parts", "detail": "Compared by the hash of their values."}
            ]
        },
        "speed": {
            "train_samples_per_second": 236.4,
            "train_tokens_per_second": 118_000.0,
            "predict_samples_per_second": 710.2,
            "fill": 0.981,
            "loader_wait": 0.012,
            "seconds": 96.4,
            "peak_memory_mb": 768.0,
            "mfu": None,
        },
    }


def write_classification(
    folder: Path, classes: list[str], *, samples: int = 200, leaky: bool = False, groups: int = 8, folds: int = 5
) -> Path:
    """A complete folder; with ``leaky`` the split straddles donors and both results are in metrics.json."""
    folder.mkdir(parents=True, exist_ok=True)
    label, own = simulate(classes, samples, 2.4, seed=1)
    _, other = simulate(classes, samples, 2.3, seed=1)
    other = np.roll(other, 1, axis=0) * 0.25 + other * 0.75
    metrics = classification_metrics(classes, label, own, other, groups)
    if leaky:
        metrics["split"] |= {"kind": "random", "leaky": True, "note": "Asked for by name."}
    else:
        better = {
            name: min(value + 0.12, 0.99) if isinstance(value, float) else value for name, value in metrics["test"]["model"].items()
        }
        better["macro_f1_interval"] = [better["macro_f1"] - 0.02, min(better["macro_f1"] + 0.02, 1.0)]
        metrics["contrast"] = {
            "random_split": {"samples": samples, "model": better, "baselines": {"logistic": better | {"macro_f1": 0.9}}}
        }
    write_json(folder / "metrics.json", metrics)
    predictions = predictions_table(classes, label, own, groups)
    predictions.to_parquet(folder / "predictions.parquet")
    (folder / "baselines").mkdir(exist_ok=True)
    predictions_table(classes, label, other, groups).to_parquet(folder / "baselines" / "logistic.parquet")
    history_table(18, folds, "macro_f1").to_csv(folder / "history.csv", index=False)
    write_json(folder / "check.json", check(classes, np.bincount(label, minlength=len(classes)).tolist(), groups))
    split_table(predictions, folds, leaky=leaky).to_parquet(folder / "split.parquet")
    embeddings_table(predictions, classes).to_parquet(folder / "embeddings.parquet")
    explanations(folder, classes)
    vectors = np.random.default_rng(2).normal(size=(40, 6)).astype(np.float32)
    table = pd.DataFrame({"feature_id": [f"ENSG{row:011d}" for row in range(40)], "symbol": [f"SYM{row}" for row in range(40)]})
    table.assign(**{f"width_{column}": vectors[:, column] for column in range(6)}).to_parquet(folder / "gene_embeddings.parquet")
    write_json(folder / "manifest.json", manifest())
    (folder / "config.yaml").write_text("label: cell_type\nseed: 0\nencoder:\n  kind: transformer\n  layers: 3\n", encoding="utf-8")
    return folder


def write_regression(folder: Path, samples: int = 120) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(4)
    true = random.normal(50, 12, size=samples)
    predictions = pd.DataFrame(
        {
            "sample_id": [f"person {row}" for row in range(samples)],
            "group": [f"family {row % 6}" for row in range(samples)],
            "fold": 0,
            "label": true,
            "predicted": 50 + 0.7 * (true - 50) + random.normal(0, 6, size=samples),
        }
    )
    predictions.to_parquet(folder / "predictions.parquet")
    model = {
        "r2": 0.55,
        "r2_interval": [0.41, 0.66],
        "pearson": 0.78,
        "spearman": 0.77,
        "mae": 6.2,
        "mae_interval": [5.5, 7.0],
        "rmse": 8.1,
    }
    write_json(
        folder / "metrics.json",
        {
            "task": "regression",
            "label": "age <years> & more",
            "classes": [],
            "positive": None,
            "split": {
                "kind": "group",
                "group": "family",
                "folds": 1,
                "leaky": False,
                "note": "",
                "samples": {"train": 400, "val": 80, "test": samples},
                "groups": None,
            },
            "verdict": "Ridge regression predicts age better than the transformer.",
            "test": {
                "samples": samples,
                "groups": 6,
                "model": model,
                "baselines": {
                    "mean": {"r2": -0.01, "mae": 10.0, "rmse": 12.1},
                    "ridge": model | {"r2": 0.68, "r2_interval": [0.6, 0.74], "mae": 5.1},
                },
                "difference": {
                    "baseline": "ridge",
                    "metric": "r2",
                    "value": -0.13,
                    "interval": [-0.2, -0.06],
                    "unit": "groups",
                    "draws": 1000,
                },
            },
        },
    )
    embeddings_table(predictions, []).to_parquet(folder / "embeddings.parquet")
    history_table(12, 1, "r2").to_csv(folder / "history.csv", index=False)
    write_json(folder / "manifest.json", manifest())
    return folder


def write_minimal(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / "metrics.json",
        {
            "task": "classification",
            "label": "drug",
            "classes": ["control", "drug"],
            "positive": "drug",
            "test": {"model": {"accuracy": 0.75, "roc_auc": None}},
        },
    )
    return folder


def _profile_scores(squared_error: float, skill: float, change_correlation: float | None) -> dict:
    return {
        "squared_error": squared_error, "squared_error_interval": [squared_error - 0.01, squared_error + 0.01],
        "correlation": 0.9, "correlation_interval": [0.88, 0.92],
        "centered_correlation": 0.5, "centered_correlation_interval": None,
        "change_correlation": change_correlation, "change_correlation_interval": None,
        "skill": skill, "skill_interval": [skill - 0.05, skill + 0.05],
    }  # fmt: skip


def next_cell_metrics() -> dict:
    """The object ``next_cell`` of metrics.json: the model beats the present, but not reversed successors."""
    floors = {
        "copy_current": _profile_scores(0.8, -1.0, 0.0),
        "denoised_current": _profile_scores(0.4, 0.0, None),
        "ridge_successor": _profile_scores(0.38, 0.05, 0.2),
    }
    return {
        "key": "next_cell_ids", "draw": "random", "attention": "strict", "types": "cell_type", "time": "pseudo<i>time</i>",
        "pairs": {"train": 60, "val": 20, "test": 12}, "cells_without": {"train": 3, "val": 2, "test": 1}, "edges": 500,
        "edges_across_parts": 40, "cells_on_cycles": 6, "edges_backward": 25,
        "leak": "",
        "profiles": {
            "cells": 12, "unit": "groups", "units": 6, "metric": "squared_error", "model": _profile_scores(0.36, 0.1, 0.3),
            "floors": floors, "notes": [], "verdict": "Skill over the denoised current cell is +10.0%.",
            "difference": {
                "floor": "ridge_successor", "metric": "squared_error", "value": -0.02, "interval": [-0.03, 0.01], "unit": "groups",
                "draws": 1000,
            },
        },
        "direction": {
            "metric": "squared_error", "unit": "groups", "units": 6, "learned": False, "true": 0.36,
            "reversed": {"value": 0.361, "difference": -0.001, "interval": [-0.004, 0.002]},
            "shuffled": {"value": 0.4, "difference": -0.04, "interval": [-0.05, -0.03]},
            "verdict": "The direction of time was not learned: on reversed ones it is 0.3610. Shuffled ones give 0.4000.",
        },
        "controls": ["reversed", "shuffled"],
        "embeddings": {
            "compared": {"model": {"silhouette": 0.25, "ari": 0.5}, "<b>base</b>": {"silhouette": 0.125, "ari": None}},
            "sentence": "The embedding 'model' keeps cell types.",
        },
        "skill_by_type": {
            EVIL[0]: {"skill": 0.2, "cells": 4}, EVIL[2]: {"skill": -0.1, "cells": 8}, "rare": {"skill": None, "cells": 0}
        },
        "skill_by_time": {"10 to 20": {"skill": 0.1, "cells": 6}, "5 to 10": {"skill": 0.0, "cells": 6}},
        "verdict": "Skill over the denoised current cell is +10.0%. The direction of time was not learned.",
    }  # fmt: skip


def transitions_table() -> pd.DataFrame:
    """Two transitions, the one with more cells last; the names of the second are hostile."""
    columns = ["from", "to", "cells", "direction", "rank", "gene", "predicted_change", "true_change"]
    rows = [
        ("bud", "NA", 10, "rising", 1, "Pax6", 0.3, 0.2),
        ("bud", "NA", 10, "falling", 1, "NA", -0.1, 0.1),
        (EVIL[0], EVIL[2], 25, "rising", 1, "<i>Ins1</i>", 0.5, 0.75),
        (EVIL[0], EVIL[2], 25, "rising", 2, "Gcg", 0.25, -0.125),
        (EVIL[0], EVIL[2], 25, "falling", 1, "Sox9", -0.5, -0.25),
    ]
    return pd.DataFrame(rows, columns=columns)


def write_next_cells(folder: Path) -> Path:
    """Write a pretraining run on pairs of cells: 12 test cells in a row on the map, each of which moves by one to the right."""
    folder.mkdir(parents=True, exist_ok=True)
    found = next_cell_metrics()
    scored = {"cross_entropy": 4.0, "cross_entropy_interval": [3.9, 4.1]}
    objective = {
        "targets": 40, "samples": 12, "groups": 6, "metric": "cross_entropy", "model": scored,
        "floors": {"knn_mean_successor": scored | {"cross_entropy": 4.5}}, "difference": None, "phenotypes": {},
        "verdict": "It does.", "memorization": "",
    }  # fmt: skip
    metrics = {
        "task": "pretraining",
        "verdict": f"{found['verdict']} Its targets are predicted.",
        "objectives": {"next_cell": objective},
        "split": {"kind": "holdout", "group": "donor", "samples": {"train": 63, "val": 22, "test": 13}},
        "next_cell": found,
    }
    write_json(folder / "metrics.json", metrics)
    entry = "{kind: next_cell, probability: 0.15, count: exact, mask_share: 1.0, random_share: 0.0, static: false}"
    (folder / "config.yaml").write_text(f"objectives:\n  - {entry}\nsuccessors: {{key: next_cell_ids}}\n", encoding="utf-8")
    x = np.arange(12.0)
    types = np.repeat([EVIL[0], EVIL[2]], 6)
    places = {"x": x, "y": 0.0, "x_predicted": x + 0.5, "y_predicted": 0.25, "x_true": x + 1, "y_true": 0.5}
    cells = pd.DataFrame({"sample_id": [f"<u>c{row}</u>" for row in range(12)], "type": types, "time": x, **places})
    cells.to_parquet(folder / "next_cells.parquet")
    pd.DataFrame({"x": x, "y": x, "type": types}).to_parquet(folder / "map.parquet")
    transitions_table().to_csv(folder / "transitions.tsv", sep="\t", index=False)
    return folder


def write_variants(folder: Path) -> None:
    """A run on genotypes: five variants of chromosome 3, of which the first four are in one locus, explained."""
    write_minimal(folder)
    explained = folder / "explanations"
    explained.mkdir()
    pd.DataFrame(
        {
            "id": [f"rs{index}" for index in range(1, 6)],
            "chrom": "3",
            "pos": [1000, 2000, 3000, 4000, 900_000],
            "counted_allele": "A",
            "other_allele": "G",
            "maf": 0.3,
            "rank": [2, 1, 3, 4, 5],
            "ensemble": [0.6, 0.95, 0.5, 0.4, 0.1],
            "stability": [0.5, 0.75, 0.25, 0.0, 0.0],
            "importance_integrated_gradients": [0.2, 0.9, 0.15, 0.1, 0.05],
            "importance_attention": [0.3, 0.25, 0.2, 0.15, 0.1],
            "above_null": [False, True, False, False, False],
            "clump_lead": ["rs2"] * 4 + ["rs5"],
            "glm_beta": [0.5, -0.75, 0.3, 0.1, 0.0],
            "glm_class": "case",
            "glm_minus_log10_p": [3.2, 6.5, 2.0, 0.4, 0.2],
            "glm_minus_log10_p_without_components": [3.5, 7.5, 2.5, 0.9, 0.3],
            "locus": [1, 1, 1, 1, 0],
            "r2_to_locus_lead": [0.65, 1.0, 0.45, 0.1, np.nan],
            "pip": [0.1, 0.8, 0.05, 0.01, np.nan],
            "credible_set": [1, 1, 0, 0, 0],
        }
    ).to_csv(explained / "variants.tsv", sep="\t", index=False)
    others = {"glm": 1, "glm_without_components": 2, "pip": 1}
    write_json(
        explained / "variants.json",
        {
            "methods": ["integrated_gradients", "attention"],
            "models": 2,
            "agreement_of_models": 0.61,
            "null": {"refits": 1, "strata": "", "largest": {}, "share_above": {"integrated_gradients": 0.2, "attention": 0.0}},
            "agreement": [
                {"ranking": "ensemble", "other": name, "spearman": 0.5, "top": 2, "shared": shared, "expected": 0.8, "variants": 5}
                for name, shared in others.items()
            ],
            "loci": [
                {
                    "number": 1,
                    "chrom": "3",
                    "start_bp": 1000,
                    "end_bp": 4000,
                    "variants": 4,
                    "lead": "rs2",
                    "credible_sets": [{"number": 1, "variants": ["rs2", "rs1"], "coverage": 0.96, "purity": 0.8}],
                }
            ],
            "notes": ["Importance says what the network uses."],
        },
    )
    names = [f"rs{index}" for index in range(1, 5)]
    rows = [
        {"locus": 1, "first": one, "second": other, "r2": 1 / (1 + abs(i - j)), "attention": 0.1 * (j + 1)}
        for i, one in enumerate(names)
        for j, other in enumerate(names)
    ]
    pd.DataFrame(rows).to_parquet(explained / "loci.parquet")


@pytest.fixture(scope="session")
def evil_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four classes with hostile names; 12 samples, so that maps need no UMAP."""
    return write_classification(tmp_path_factory.mktemp("runs") / "evil", EVIL, samples=12, groups=3, folds=3)


@pytest.fixture(scope="session")
def binary_leaky_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes under a split that straddles donors; 14 samples."""
    return write_classification(
        tmp_path_factory.mktemp("runs") / "binary", ["control", "treated"], samples=14, groups=5, leaky=True
    )


@pytest.fixture(scope="session")
def regression_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A numeric label; 13 samples."""
    return write_regression(tmp_path_factory.mktemp("runs") / "regression", samples=13)


@pytest.fixture(scope="session")
def next_cell_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pretraining run on pairs of cells with hostile names."""
    return write_next_cells(tmp_path_factory.mktemp("runs") / "next")


@pytest.fixture
def minimal_run(tmp_path: Path) -> Path:
    """A folder that holds metrics.json alone."""
    return write_minimal(tmp_path / "minimal")


@pytest.fixture
def variants_run(tmp_path: Path) -> Path:
    write_variants(tmp_path / "run")
    return tmp_path / "run"
