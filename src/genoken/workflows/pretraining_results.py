"""What a pretraining run writes besides its network: the split, scores beside trivial floors, states, history, manifest."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import genoken
from genoken.core.components import kind_of
from genoken.core.files import sha256_of_file, write_json
from genoken.core.layout import NUM_SPECIALS
from genoken.core.random import generator
from genoken.core.samples import Samples
from genoken.core.tables import write_csv, write_parquet
from genoken.data.dataset import Part, TokenDataset
from genoken.evaluation.floors import Floors
from genoken.evaluation.masked_verdict import memorization_in_training, summarize, verdict
from genoken.models.token_network import TokenNetwork
from genoken.reporting.report import write_report
from genoken.training.fit import Fit
from genoken.training.masked import MaskedTask, measured
from genoken.training.precision import choose_device, matmul_flops_per_second
from genoken.vocabulary.phenotypes import PhenotypeVocabulary
from genoken.workflows.encoder import UNKNOWN
from genoken.workflows.held_out_words import split_note
from genoken.workflows.next_cell import Controls, type_column
from genoken.workflows.next_cell_results import NextCellScoring
from genoken.workflows.prepared import Prepared
from genoken.workflows.pretrained import PRETRAINED_FILES, PretrainedModel
from genoken.workflows.pretrained_run import Pass, PretrainedRun, sample_states
from genoken.workflows.pretraining_floors import floors_of
from genoken.workflows.results import speed_of
from genoken.workflows.seen import KNOWN_SAMPLES
from genoken.workflows.show import Show
from genoken.workflows.source import Source
from genoken.workflows.state import read_state
from genoken.workflows.store import hardware, library_versions

_SAMPLES_PER_PASS = 64
_MOST_COUNTED = 1024
"""Samples whose tokens are counted."""
_MOST_STATES = 20_000
"""Samples whose states are exported, the first ones of those that are scored."""


def part_files(folder: Path) -> dict[str, list[str]]:
    """Return the names of the files that the run in a folder reports on, under ``eval``, and that choose its weights, ``val``."""
    inputs = read_state(folder, pretraining=True)["inputs"]
    return {part: [Path(name).name for name in inputs.get(part, "").split("\n") if name] for part in ("eval", "val")}


def write_split(folder: Path, samples: Samples, words: np.ndarray, group: str) -> None:
    """Write ``split.parquet``: one row per sample with the part that it belongs to."""
    table = pd.DataFrame({"sample_id": samples.table.index.astype(str)})
    if group:
        table["group"] = samples.table[group].astype(str).to_numpy()
    table["fold_0"] = words
    write_parquet(folder / "split.parquet", table)


def share_truncated(dataset: Part, seed: int) -> float:
    """Return the share of the features' tokens that ``max_tokens`` cuts off, over a draw of samples."""
    rows = np.sort(generator(seed, "share_truncated").permutation(len(dataset))[:_MOST_COUNTED])
    tokens = dataset.tokens(rows)
    identity = dataset.layout.channel("identity")
    assert identity is not None  # noqa: S101
    identities = tokens.channels[identity.name]
    num_kept = int(((identities >= NUM_SPECIALS) & (identities < dataset.layout.first_phenotype)).sum())
    return tokens.num_truncated / max(tokens.num_truncated + num_kept, 1)


def write_results(
    folder: Path,
    prepared: Prepared,
    source: Source,
    fitted: Fit[TokenNetwork],
    *,
    task: MaskedTask,
    controls: Controls,
    show: Show,
) -> PretrainedRun:
    """Score the part that was held out beside trivial floors, and write everything but the network; return the run, read back.

    Parameters
    ----------
    folder
        The run folder, which holds the network's files.
    prepared
        The trained network, and the samples or pairs in parts.
    source
        What was read.
    fitted
        What training gave.
    task
        The objectives with their fixed masks.
    controls
        The network before training, and what it measures when trained on other successors.
    show
        Where progress goes.
    """
    model, rows, scored = prepared.model, prepared.rows, prepared.scored
    table, training = source.samples.table, model.config.training
    samples = prepared.samples_of(scored["test"])
    history = pd.DataFrame(fitted.history)
    write_csv(folder / "history.csv", history)
    next_cells = None if prepared.pairs is None else NextCellScoring(prepared, table, task)
    with show.bar("Scoring", total=3 if next_cells is None else 4) as bar:
        found, of_linear_path = _measured(model, task, prepared.whole.take(scored["test"]))
        bar.to(1, "trivial floors")
        if next_cells is None:
            of_floors, notes = floors_of(model, task, prepared.dataset, scored, found, table)
        else:
            of_floors, notes = next_cells.of_objectives(found, scored["test"])
        bar.to(2, "states")
        write_parquet(folder / "targets.parquet", _target_table(model, found, of_floors, table.index[samples]))
        _write_states(folder, model, prepared.dataset, samples if next_cells is None else rows["test"], table)
        bar.to(3, "" if next_cells is None else "next cells")
        of_next_cells = None if next_cells is None else next_cells.summary(folder, found, of_floors, controls)
        bar.to(3 if next_cells is None else 4)
    group = model.config.data.group
    groups = table[group].astype(str).to_numpy()[samples] if group else None
    best = history[history["step"] == fitted.best_step].iloc[0]
    summaries = {
        name: summarize(
            measures,
            of_floors.get(name, {}),
            rows=measures["row"],
            groups=groups,
            phenotypes=() if model.phenotypes is None else model.phenotypes.columns,
            seed=model.config.training.seed,
            losses=(float(best[f"train_part_{name}_loss"]), float(best[f"val_{name}_loss"])),
            linear_path=of_linear_path.get(name),
            notes=notes[name],
        )
        for name, measures in found.items()
    }
    facts = {
        "predict_samples_per_second": float("nan"),
        "matmul_flops_per_second": matmul_flops_per_second(choose_device(), fitted.precision.dtype),
    }
    speed = speed_of(history, [facts], num_devices=training.devices * training.nodes)
    memorization = memorization_in_training(
        float(history["train_loss"].iloc[-1]),
        float(history["val_loss"].iloc[-1]),
        best_epoch=fitted.best_epoch,
        same_masks=all(getattr(objective, "static", False) for objective in model.config.objectives),
    )
    split = _split_facts(table, group, rows, part_files(folder), _drawn_notes(prepared))
    if split["shared_groups"]:
        show.warning(_shared_words(split["shared_groups"], group))
    metrics = {
        "task": "pretraining",
        "verdict": " ".join([*([of_next_cells["verdict"]] if of_next_cells else []), verdict(summaries, memorization)]),
        "memorization": memorization,
        "objectives": summaries,
        "best_epoch": fitted.best_epoch,
        "best_step": fitted.best_step,
        "train_part_loss": float(best["train_part_loss"]),
        "held_out_loss": float(best["val_loss"]),
        "share_truncated": share_truncated(prepared.whole, training.seed),
        "split": split,
        "speed": speed,
    } | ({"next_cell": of_next_cells} if of_next_cells else {})
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "manifest.json", _manifest(folder, model, source.files, fitted, history, speed))
    write_report(folder)
    return PretrainedRun(folder, model)


def _drawn_notes(prepared: Prepared) -> list[str]:
    """Return of how many items of a part a draw alone is scored, or has floors fitted on it; nothing where all are used."""
    noun = "samples" if prepared.pairs is None else "pairs"
    words = {
        "train": f"floors are fitted on {{}} of {{}} train {noun}",
        "test": f"{{}} of {{}} test {noun} are scored, as many as data.report_tokens allows",
    }
    rows, scored = prepared.items, prepared.scored
    drawn = [part for part in words if len(scored[part]) < len(rows[part])]
    return [words[part].format(f"{len(scored[part]):,}", f"{len(rows[part]):,}") for part in drawn]


def _measured(
    model: PretrainedModel, task: MaskedTask, part: Part
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, dict[str, np.ndarray]]]:
    """Return what each objective measures at its targets, and what the linear path alone would, where there is one."""
    network, training = model.network, model.config.training
    score = partial(
        measured, network, task, part, batch_size=_SAMPLES_PER_PASS, precision=training.precision, attention=training.attention
    )
    found = score()
    if not any(network.has_linear_path(name) for name in found):
        return found, {}
    with network.only_linear_path():
        alone = score()
    return found, {name: measures for name, measures in alone.items() if network.has_linear_path(name)}


def _split_facts(
    table: pd.DataFrame, group: str, rows: Mapping[str, np.ndarray], files: Mapping[str, Sequence[str]], drawn: Sequence[str]
) -> dict[str, Any]:
    """Return how the samples were divided, in words and numbers.

    Parameters
    ----------
    table
        Sample table.
    group
        Name of the group column, or empty.
    rows
        Rows of ``train``, ``val`` and ``test``.
    files
        See :func:`part_files`.
    drawn
        Of which parts not all samples are used in the report.
    """
    values = table[group].astype(str).to_numpy() if group else None
    note = split_note(group, files["eval"], files["val"])
    shared = None
    if values is not None:
        learned = np.concatenate([values[rows[part]] for part in ("train", "val")])
        shared = len(np.intersect1d(learned, values[rows["test"]]))
    return {
        "kind": "files" if files["eval"] else "holdout",
        "group": group or None,
        "note": "; ".join([note, *([_shared_words(shared, group)] if shared else []), *drawn]),
        "shared_groups": shared,
        "samples": {part: len(found) for part, found in rows.items()},
        "groups": None if values is None else {part: len(np.unique(values[found])) for part, found in rows.items()},
    }


def _shared_words(count: int, group: str) -> str:
    noun = "value" if count == 1 else "values"
    return f"{count:,} {noun} of '{group}' in the files reported on were learned from too, so that these groups are not new"


def _target_table(
    model: PretrainedModel,
    found: Mapping[str, Mapping[str, np.ndarray]],
    of_floors: Mapping[str, Floors],
    sample_ids: pd.Index,
) -> pd.DataFrame:
    """Return one row per target of the test part, with what the model and each floor scored there."""
    tables = []
    for name, measures in found.items():
        columns: dict[str, Any] = {"objective": name, "sample_id": sample_ids[measures["row"]].astype(str)}
        features = measures.get("feature", measures["label"] if name == "masked_feature" else None)
        if features is not None:
            columns["feature_id"] = np.asarray(model.state.feature_ids, dtype=object)[features]
            columns["symbol"] = np.asarray(model.symbols, dtype=object)[features]
        columns |= {measure: values for measure, values in measures.items() if measure not in ("row", "feature")}
        if name == "phenotype" and model.phenotypes is not None:
            columns |= _phenotype_words(model.phenotypes, measures)
        for floor, scores in of_floors.get(name, {}).items():
            columns |= {f"floor_{floor}_{measure}": values for measure, values in scores.items()}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _phenotype_words(phenotypes: PhenotypeVocabulary, measures: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the names of the phenotype, of its true value and of the predicted one, of each target."""
    values = np.asarray([UNKNOWN, *(name for names in phenotypes.categories for name in names)], dtype=object)
    return {
        "phenotype": np.asarray(phenotypes.columns, dtype=object)[measures["column"]],
        "true_value": values[measures["label"]],
        "predicted_value": values[measures["prediction"]],
    }


def _write_states(folder: Path, model: PretrainedModel, dataset: TokenDataset, rows: np.ndarray, table: pd.DataFrame) -> None:
    """Write ``embeddings.parquet`` (states of the test part) and ``gene_embeddings.parquet`` (the learned table)."""
    rows = rows[:_MOST_STATES]
    states = sample_states(model, dataset.take(rows), Pass(precision=model.config.training.precision))
    table = table.iloc[rows]
    columns = {"sample_id": table.index.astype(str)}
    data = model.config.data
    known = () if model.phenotypes is None else model.phenotypes.columns
    successors = model.config.successors
    of_next = (type_column(model.config, table), successors.time) if successors.key else ()
    for name in (*known, data.floor_by, data.group, *of_next):
        if name and name in table:
            columns[name] = table[name].astype(str).to_numpy()
    numbered = pd.DataFrame(states, columns=[f"model_{index}" for index in range(states.shape[1])])
    write_parquet(folder / "embeddings.parquet", pd.concat([pd.DataFrame(columns), numbered], axis=1))
    vectors = model.network.feature_table.detach().numpy()
    genes = pd.DataFrame({"feature_id": model.state.feature_ids, "symbol": model.symbols})
    numbered = pd.DataFrame(vectors, columns=[f"width_{index}" for index in range(vectors.shape[1])])
    write_parquet(folder / "gene_embeddings.parquet", pd.concat([genes, numbered], axis=1))


def _manifest(
    folder: Path,
    model: PretrainedModel,
    files: Sequence[Mapping[str, Any]],
    fitted: Fit[TokenNetwork],
    history: pd.DataFrame,
    speed: Mapping[str, Any],
) -> dict[str, Any]:
    parameters = model.network.num_parameters()
    state = read_state(folder, pretraining=True)
    settings = model.config.model
    return {
        "genoken": genoken.__version__,
        "command": state["command"],
        "seed": model.config.training.seed,
        "python": platform.python_version(),
        "libraries": library_versions(),
        "hardware": hardware(),
        "data": list(files),
        "model": {
            "summary": f"{kind_of(settings.encoder)} over {len(model.state.feature_ids):,} features, width {settings.width}",
            "parameters": sum(parameters.values()),
            "parameters_by_part": parameters,
            "attention": {"backend": fitted.backend.backend, "reason": fitted.backend.reason},
            "precision": {"used": fitted.precision.name, "reason": fitted.precision.reason},
        },
        "files": {name: sha256_of_file(folder / name) for name in (*PRETRAINED_FILES, KNOWN_SAMPLES)},
        "speed": dict(speed),
        "peak_memory_mb_by_epoch": history["peak_memory_mb"].tolist(),
    }
