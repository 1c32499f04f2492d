"""Two runs on the same samples, compared pairwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from genoken.core.contracts import Task
from genoken.core.errors import DataError
from genoken.evaluation.bootstrap import Bootstrap, bootstrap
from genoken.evaluation.verdict import MAIN_METRIC, difference, scores_with_intervals, verdict_sentence

if TYPE_CHECKING:
    import pandas as pd

_PREFIX = "probability_"


@dataclass(frozen=True)
class _Aligned:
    """Two prediction tables as arrays over the same samples in the same order."""

    task: Task
    labels: np.ndarray
    classes: tuple[str, ...]
    groups: np.ndarray | None
    predictions: dict[str, np.ndarray]
    folds: dict[str, np.ndarray]


def compare_runs(
    one: pd.DataFrame,
    other: pd.DataFrame,
    *,
    names: tuple[str, str],
    seed: int = 0,
    draws: int = 1000,
    thresholds: tuple[float, float] = (0.5, 0.5),
) -> dict[str, Any]:
    """Compare the predictions of two runs for the same test samples, on the same bootstrap draws.

    Parameters
    ----------
    one, other
        Contents of ``predictions.parquet`` (see ``docs/run-folder.md``). Rows and classes may come in any order; groups are those
        of the first, and of the second where the first has none.
    names
        What the runs are called; they must differ.
    seed
        Seed of the draws.
    draws
        Bootstrap draws.
    thresholds
        Probability of the positive class from which a binary prediction is positive, of the first and of the second run.

    Returns
    -------
    dict
        ``{"task", "samples", "groups", "runs": {name: metrics with intervals}, "difference": {"metric", "value", "interval",
        "unit", "draws"} | None, "verdict"}``; the difference is first minus second.

    Raises
    ------
    DataError
        When the runs differ in task, samples (the message says how many are shared), labels or classes.
    """
    if names[0] == names[1]:
        raise DataError("both runs have the same name", where=names[0], remedy="compare two different runs")
    aligned = _align(one, other, names)
    threshold = dict(zip(names, thresholds, strict=True))
    resampled = bootstrap(
        aligned.labels,
        aligned.predictions,
        task=aligned.task,
        groups=aligned.groups,
        seed=seed,
        draws=draws,
        threshold=threshold,
        folds=aligned.folds,
    )
    runs = {
        name: scores_with_intervals(
            name,
            aligned.labels,
            predicted,
            resampled,
            task=aligned.task,
            classes=aligned.classes,
            threshold=threshold[name],
            folds=aligned.folds[name],
        )
        for name, predicted in aligned.predictions.items()
    }
    first, second = names
    metric = MAIN_METRIC[aligned.task]
    gap = difference(runs, resampled, first, second, metric=metric, draws=draws)
    return {
        "task": aligned.task,
        "samples": len(aligned.labels),
        "groups": None if aligned.groups is None else resampled.num_units,
        "runs": runs,
        "difference": gap,
        "verdict": _verdict(aligned, names, threshold, runs, gap, resampled),
    }


def _verdict(
    aligned: _Aligned,
    names: tuple[str, str],
    threshold: Mapping[str, float],
    runs: Mapping[str, Mapping[str, Any]],
    gap: Mapping[str, Any] | None,
    resampled: Bootstrap,
) -> str:
    first, second = names
    is_called_alike = aligned.task == "regression" or threshold[first] == threshold[second]
    if is_called_alike and np.array_equal(aligned.predictions[first], aligned.predictions[second]):
        return f"'{first}' and '{second}' give the same predictions for all {len(aligned.labels):,} samples."
    metric = MAIN_METRIC[aligned.task]
    return verdict_sentence(f"'{first}'", f"'{second}'", runs[first], runs[second], gap, resampled, metric=metric)


def _align(one: pd.DataFrame, other: pd.DataFrame, names: tuple[str, str]) -> _Aligned:
    where = f"{names[0]} and {names[1]}"
    one, other = _by_sample(one, names[0]), _by_sample(other, names[1])
    shared = one.index.intersection(other.index)
    if len(shared) != len(one) or len(shared) != len(other):
        raise DataError(
            f"the runs were tested on different samples: {len(one)} and {len(other)}, of which {len(shared)} are shared",
            where=where,
            remedy="train both with the same split (same file, --split and --seed), or evaluate both on one file",
        )
    other = other.loc[one.index]
    columns = [name for name in one if str(name).startswith(_PREFIX)]
    if set(columns) != {name for name in other if str(name).startswith(_PREFIX)}:
        raise DataError(
            "the runs predict different classes", where=where, remedy="compare runs with the same --label and --positive"
        )
    is_same = (
        one["label"].astype(str).to_numpy() == other["label"].astype(str).to_numpy()
        if columns
        else np.isclose(one["label"].to_numpy(dtype=np.float64), other["label"].to_numpy(dtype=np.float64))
    )
    if not is_same.all():
        raise DataError(
            f"{int((~is_same).sum())} samples have different labels", where=where, remedy="compare runs on the same label"
        )
    groups = next((table["group"].astype(str).to_numpy() for table in (one, other) if _has_groups(table)), None)
    folds = {name: _folds(table) for name, table in zip(names, (one, other), strict=True)}
    if not columns:
        predicted = {name: table["predicted"].to_numpy(dtype=np.float64) for name, table in zip(names, (one, other), strict=True)}
        return _Aligned("regression", one["label"].to_numpy(dtype=np.float64), (), groups, predicted, folds)
    classes = tuple(str(name)[len(_PREFIX) :] for name in columns)
    codes = {name: code for code, name in enumerate(classes)}
    unknown = sorted(set(one["label"].astype(str)) - set(codes))
    if unknown:
        raise DataError(f"the label '{unknown[0]}' is none of the predicted classes", where=names[0])
    labels = np.array([codes[label] for label in one["label"].astype(str)], dtype=np.int64)
    predicted = {name: table[columns].to_numpy(dtype=np.float64) for name, table in zip(names, (one, other), strict=True)}
    return _Aligned("classification", labels, classes, groups, predicted, folds)


def _by_sample(table: pd.DataFrame, name: str) -> pd.DataFrame:
    missing = [column for column in ("sample_id", "label", "predicted") if column not in table]
    if missing:
        raise DataError(f"the predictions have no column '{missing[0]}'", where=name, remedy="is this a run that genoken wrote?")
    table = table.set_index(table["sample_id"].astype(str))
    if not table.index.is_unique:
        raise DataError("a sample was predicted more than once", where=name, remedy="give samples unique ids")
    return table


def _folds(table: pd.DataFrame) -> np.ndarray:
    return table["fold"].to_numpy() if "fold" in table else np.zeros(len(table), dtype=np.int64)


def _has_groups(table: pd.DataFrame) -> bool:
    return "group" in table and bool(table["group"].notna().all()) and len(table) > 0
