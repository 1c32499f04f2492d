"""What a run writes besides its model: the split, predictions, scores, embeddings, history, manifest; and how it words them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import genoken
from genoken.core.components import kind_of
from genoken.core.config import RunConfig
from genoken.core.contracts import TokenizerState
from genoken.core.feature_words import noun_of_state
from genoken.core.files import sha256_of_file, write_text
from genoken.core.genotypes import QUALITY
from genoken.core.random import seed_for
from genoken.core.tables import write_csv, write_parquet
from genoken.data.dataset import TokenDataset
from genoken.data.row_hashes import sample_hashes
from genoken.evaluation.baseline_words import baseline_words
from genoken.evaluation.leakage import audit_split
from genoken.evaluation.verdict import ENCODER_ONLY, PATH_ONLY, SCRATCH
from genoken.reporting.wording import contrast_sentence
from genoken.training.fit import predict
from genoken.workflows.assemble import has_linear_path
from genoken.workflows.baselines import saved_files
from genoken.workflows.encoder import locate
from genoken.workflows.grouping import untold_copies
from genoken.workflows.inputs import Study
from genoken.workflows.own_network import own_name
from genoken.workflows.show import Show
from genoken.workflows.store import FittedModel, hardware, library_versions, model_files

JOINED = "join.tsv"
"""File of a run folder with what became of the variants of several files of genotypes."""
QUALITY_TABLE = "quality.tsv"
"""File of a run folder with the rules that variants went by."""
NUM_COMPONENTS = 50
"""Principal components that are exported beside the model's states."""
_PART_WORDS = {ENCODER_ONLY: "  its encoder alone", PATH_ONLY: "  its linear path alone"}
_SHOWN = {
    "classification": {
        "macro_f1": "macro-F1",
        "accuracy": "accuracy",
        "balanced_accuracy": "balanced",
        "roc_auc": "ROC-AUC",
        "mcc": "MCC",
        "brier": "Brier",
    },
    "regression": {"r2": "R²", "pearson": "Pearson", "spearman": "Spearman", "mae": "MAE", "rmse": "RMSE"},
}
_MODEL_WORDS = {
    "transformer": "the transformer",
    "mlp": "the multilayer perceptron",
    "linear": "the linear network",
    "own": "the user's own network",
    "cnn": "the convolutional network",
    "cnn_transformer": "the CNN-transformer",
    "gnn": "the graph network",
    "single_effect": "the sum of single effects",
}


@dataclass(frozen=True)
class Pooled:
    """Test predictions of all folds, each sample once, in row order.

    Parameters
    ----------
    rows
        Rows of the study.
    folds
        Fold in which each row was tested.
    predictions
        Predictor to probabilities (rows, classes) or values (rows,).
    """

    rows: np.ndarray
    folds: np.ndarray
    predictions: dict[str, np.ndarray]


def pool(study: Study, folds: np.ndarray, predictions: Sequence[Mapping[str, np.ndarray]]) -> Pooled:
    """Put the folds' test predictions together in row order."""
    tested = [np.flatnonzero(words == "test") for words in folds]
    rows = np.concatenate(tested)
    order = np.argsort(rows, kind="stable")
    fold_of = np.concatenate([np.full(len(part), index) for index, part in enumerate(tested)])
    merged = {name: np.concatenate([found[name] for found in predictions])[order] for name in predictions[0]}
    return Pooled(rows[order], fold_of[order], merged)


def _split_table(study: Study, folds: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({"sample_id": study.samples.table.index.astype(str)})
    if study.groups is not None:
        table["group"] = study.groups
    table["label"] = study.named_labels()
    for index, words in enumerate(folds):
        table[f"fold_{index}"] = words
    return table


def write_split(folder: Path, study: Study, folds: np.ndarray) -> None:
    """Write ``split.parquet``."""
    write_parquet(folder / "split.parquet", _split_table(study, folds))


def write_joined(folder: Path, joined: pd.DataFrame | None) -> None:
    """Write ``join.tsv``, what became of the variants of several files of genotypes, where any were joined."""
    if joined is not None:
        write_text(folder / JOINED, joined.to_csv(sep="\t", index=False, lineterminator="\n"))


def write_quality(folder: Path, state: TokenizerState) -> None:
    """Write ``quality.tsv``, how many variants each rule left out in train, where features are variants or made of them."""
    if QUALITY in state.facts:
        table = pd.DataFrame(state.facts[QUALITY], columns=["rule", "threshold", "variants"])
        write_text(folder / QUALITY_TABLE, table.to_csv(sep="\t", index=False, lineterminator="\n"))


def quality_note(state: TokenizerState) -> str:
    """Return a sentence on the variants that are left out, without a full stop; empty where none is."""
    rows = state.facts.get(QUALITY, ())
    left_out = [f"{count:,} by '{rule}'" for rule, _, count in rows[:-1] if count]
    return f"{rows[-1][2]:,} variants are used; left out by what train shows of them: {', '.join(left_out)}" if left_out else ""


def audit(study: Study, folds: np.ndarray) -> list[dict[str, Any]]:
    """Return what the leak audit finds in the split."""
    return audit_split(
        _split_table(study, folds),
        label=study.label,
        group=study.group or None,
        table=study.samples.table,
        row_hashes=sample_hashes(study.samples),
        untold_copies=untold_copies(study, folds),
    )


def prediction_table(
    ids: pd.Index, predicted: np.ndarray, classes: Sequence[str], threshold: float, extra: Mapping[str, Any]
) -> pd.DataFrame:
    """Return one row per sample: its id, the columns of ``extra``, the prediction and the class probabilities."""
    table = pd.DataFrame({"sample_id": ids.astype(str), **extra})
    if not classes:
        return table.assign(predicted=predicted.astype(np.float64))
    codes = (predicted[:, 1] >= threshold).astype(int) if len(classes) == 2 else predicted.argmax(axis=1)
    table["predicted"] = np.asarray(classes, dtype=object)[codes]
    for code, name in enumerate(classes):
        table[f"probability_{name}"] = predicted[:, code].astype(np.float32)
    return table


def write_predictions(folder: Path, study: Study, pooled: Pooled, threshold: float) -> None:
    """Write ``predictions.parquet`` and ``baselines/NAME.parquet``; ``threshold`` is the second class's, of two."""
    extra: dict[str, Any] = {} if study.groups is None else {"group": study.groups[pooled.rows]}
    extra |= {"fold": pooled.folds, "label": study.named_labels()[pooled.rows]}
    ids = study.samples.table.index[pooled.rows]
    for name, predicted in pooled.predictions.items():
        path = folder / "predictions.parquet" if name == "model" else folder / "baselines" / f"{name}.parquet"
        write_parquet(path, prediction_table(ids, predicted, study.classes, threshold, extra))


def trial_note(config: RunConfig) -> str:
    """Return what is added to the verdict of a run that saw a few batches alone; empty for any other."""
    count = config.training.limit_batches
    return f" This was a trial of {count} batches per epoch, not a result." if count else ""


def model_words(config: RunConfig) -> str:
    """Return what the verdict calls the model."""
    kind = kind_of(config.model.encoder)
    words = _MODEL_WORDS.get(kind, f"the {kind}")
    return f"{words} with its linear path" if has_linear_path(config) else words


def dataset_of(model: FittedModel, study: Study, rows: np.ndarray) -> TokenDataset:
    """Return these samples as the model's tokenizer prepares them."""
    columns = locate(model.state, study.samples, model.symbols).columns
    return replace(model.dataset(study.samples, columns), labels=study.labels).take(rows)


def write_embeddings(folder: Path, study: Study, model: FittedModel, pooled: Pooled, rows: np.ndarray) -> None:
    """Write ``embeddings.parquet``: the model's state of each sample, and principal components of the same values."""
    from sklearn.decomposition import PCA

    dataset, settings = dataset_of(model, study, rows), model.config.training
    _, states = predict(
        model.network, dataset, model.config.objective, model.target, batch_size=settings.samples_per_pass,
        precision=settings.precision, attention=settings.attention,
    )  # fmt: skip
    table = pd.DataFrame({"sample_id": study.samples.table.index[rows].astype(str)})
    table["label"] = study.named_labels()[rows]
    threshold = model.config.evaluation.threshold
    predicted = prediction_table(pd.Index(pooled.rows), pooled.predictions["model"], study.classes, threshold, {})["predicted"]
    places = np.searchsorted(pooled.rows, rows)
    table["predicted"] = predicted.to_numpy()[places]
    table["fold"] = pooled.folds[places]
    if study.groups is not None:
        table["group"] = study.groups[rows]
    count = min(NUM_COMPONENTS, min(dataset.prepared.shape) - 1)
    parts = [table, _numbered("model", states)]
    if count >= 1:
        solver = PCA(n_components=count, svd_solver="arpack", random_state=seed_for(settings.seed, "pca") % 2**32)
        parts.append(_numbered("pca", solver.fit_transform(dataset.plain_values.astype(np.float64)).astype(np.float32)))
    write_parquet(folder / "embeddings.parquet", pd.concat(parts, axis=1))


def write_gene_embeddings(folder: Path, model: FittedModel) -> None:
    """Write ``gene_embeddings.parquet``: the learned table of feature vectors, where the network learns one."""
    table = pd.DataFrame({"feature_id": model.state.feature_ids, "symbol": model.symbols})
    vectors = model.network.feature_table.detach().cpu().numpy()
    if vectors.shape[1]:
        write_parquet(folder / "gene_embeddings.parquet", pd.concat([table, _numbered("width", vectors)], axis=1))


def _numbered(name: str, values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, columns=[f"{name}_{index}" for index in range(values.shape[1])])


def write_history(folder: Path, history: pd.DataFrame) -> None:
    """Write ``history.csv`` of all folds."""
    write_csv(folder / "history.csv", history[["fold", *[column for column in history if column != "fold"]]])


def speed_of(history: pd.DataFrame, facts: Sequence[Mapping[str, Any]], *, num_devices: int) -> dict[str, Any]:
    """Return the ``speed`` section: medians over epochs, which a pause of the machine does not move.

    ``mfu`` is the share of a large matrix product's speed, measured in the same run on one device, that the encoder's own products
    reached on each; ``None`` for an encoder that has none.
    """
    flops = float(history["flops_per_second"].median())
    possible = float(np.median([found["matmul_flops_per_second"] for found in facts])) * num_devices
    return {
        "train_samples_per_second": float(history["samples_per_second"].median()),
        "train_tokens_per_second": float(history["tokens_per_second"].median()),
        "predict_samples_per_second": float(np.median([found["predict_samples_per_second"] for found in facts])),
        "fill": float(history["fill"].mean()),
        "padded_fill": float(history["padded_fill"].mean()),
        "loader_wait": float(history["loader_wait"].mean()),
        "seconds": float(history["seconds"].sum()),
        "peak_memory_mb": float(history["peak_memory_mb"].max()),
        "mfu": flops / possible if flops else None,
    }


def manifest(
    folder: Path,
    model: FittedModel,
    facts: Mapping[str, Any],
    history: pd.DataFrame,
    speed: Mapping[str, Any],
    *,
    files: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the ``manifest.json`` of a run."""
    import platform

    parameters = model.network.num_parameters()
    return {
        "genoken": genoken.__version__,
        "seed": model.config.training.seed,
        "python": platform.python_version(),
        "libraries": library_versions(),
        "hardware": hardware(),
        "data": list(files),
        "model": {
            "feature": noun_of_state(model.state),
            "summary": _summary(model),
            "parameters": sum(parameters.values()),
            "parameters_by_part": parameters,
            "attention": facts["attention"],
            "precision": facts["precision"],
            **({"own_code": own_name(model.config)} if own_name(model.config) else {}),
        },
        "files": {name: sha256_of_file(folder / name) for name in (*model_files(folder), *saved_files(folder, model.config))},
        "speed": dict(speed),
        "peak_memory_mb_by_epoch": history["peak_memory_mb"].tolist(),
    }


def _summary(model: FittedModel) -> str:
    config = model.config.model
    kind = kind_of(config.encoder)
    features = f"{len(model.state.feature_ids):,} {noun_of_state(model.state)}s"
    path = ", with a linear path beside it" if has_linear_path(model.config) else ""
    if name := own_name(model.config):
        return f"the user's own {name} over {features}{path}; its code is not in this folder"
    if config.encoder.takes != "tokens":
        return f"{kind} over {features}, width {config.width}{path}"
    encoder = config.encoder
    size = f"{getattr(encoder, 'layers', '?')} layers, {getattr(encoder, 'heads', '?')} heads, width {config.width}"
    return f"{kind} over {features}: {size}, values combined by {config.embedding.combine}, {config.pooling} pooling{path}"


def memory_estimate_mb(config: RunConfig, study: Study) -> float:
    """Return a rough upper estimate of the memory that training takes, in MiB.

    Weights with gradients and two moments in float32 (16 bytes each, doubled by averaging and the kept copy), what the backward
    pass needs of each sample (see :meth:`genoken.core.contracts.Encoder.kept_numbers`), the sparse values, and 600 MiB for the
    libraries.
    """
    genes = min(getattr(config.tokenizer, "hvgs", 0) or study.samples.num_features, study.samples.num_features)
    width, encoder = config.model.width, config.model.encoder
    layers, feed_forward = getattr(encoder, "layers", 1), getattr(encoder, "feed_forward", width)
    weights = genes * width + layers * (4 * width**2 + 2 * width * feed_forward)
    density = study.samples.values.nnz / max(study.samples.num_samples * study.samples.num_features, 1)
    emits_all = config.tokenizer.layout(TokenizerState(feature_ids=("first", "second"))).emits_every_feature
    per_sample = genes if emits_all else max(1.0, genes * density)
    samples = config.training.samples_per_batch
    if config.training.tokens_per_batch:
        samples = min(samples, math.ceil(config.training.tokens_per_batch / per_sample))
    states = samples * encoder.kept_numbers(math.ceil(per_sample), width) * 4
    return (weights * 24 + states + study.samples.values.nnz * 24) / 2**20 + 600


def epoch_note(row: Any) -> str:
    """Return an epoch's validation loss and main metric in a few words."""
    metric = "val_macro_f1" if "val_macro_f1" in row else "val_r2"
    words = {"val_macro_f1": "macro-F1", "val_r2": "R²"}[metric]
    return f"validation loss {row['val_loss']:.3f}, {words} {row[metric]:.3f}" if metric in row else ""


def show_verdict(show: Show, metrics: Mapping[str, Any]) -> None:
    """Show the table of the model and its baselines, the verdict and, where there is one, the contrast with random samples."""
    task, test = metrics["task"], metrics["test"]
    columns = _SHOWN[task]
    rows = [_score_row("this model", test["model"], columns)]
    rows += [_score_row(_PART_WORDS[part], scores, columns) for part, scores in metrics["ablation"].items()]
    if gap := metrics["ablation_difference"]:
        shown = [_difference_cell(gap) if metric == gap["metric"] else "" for metric in columns]
        rows.append(["  model minus its linear path alone", *shown])
    if SCRATCH in metrics:
        rows.append(_score_row("  the same from scratch", metrics[SCRATCH], columns))
        gain = metrics["scratch_difference"]
        shown = [_difference_cell(gain) if gain and metric == gain["metric"] else "" for metric in columns]
        rows.append(["  what pretraining adds to it", *shown])
    rows += [_score_row(baseline_words(name, task), scores, columns) for name, scores in test["baselines"].items()]
    groups = f" in {test['groups']} groups" if test["groups"] else ""
    show.table(f"Test: {test['samples']:,} samples{groups}, 95 % intervals in brackets", ["", *columns.values()], rows)
    show.line()
    show.strong(metrics["verdict"])
    for scores in metrics.get("contrast", {}).values():
        show.line(f"Contrast: {contrast_sentence(next(iter(columns)), test['model'], scores['model'])}")


def _score_row(words: str, scores: Mapping[str, Any], metrics: Iterable[str]) -> list[str]:
    return [words, *[_cell(scores, metric, with_interval=index == 0) for index, metric in enumerate(metrics)]]


def _difference_cell(gap: Mapping[str, Any]) -> str:
    value, interval = gap["value"], gap["interval"]
    return f"{value:+.3f} [{interval[0]:+.3f}, {interval[1]:+.3f}]" if interval else f"{value:+.3f}"


def _cell(scores: Mapping[str, Any], metric: str, *, with_interval: bool) -> str:
    value, interval = scores.get(metric), scores.get(f"{metric}_interval")
    if value is None:
        return "-"
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]" if interval and with_interval else f"{value:.3f}"
