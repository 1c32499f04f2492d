"""Compare two finished runs on the samples that both were tested on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from genoken.core.config import RunConfig, build, read_yaml
from genoken.core.errors import DataError, RunError
from genoken.core.files import read_json
from genoken.evaluation.comparison import compare_runs
from genoken.workflows.run import Run, refuse_pretraining
from genoken.workflows.show import Show


def compare(run_a: Run | str | Path, run_b: Run | str | Path, *, draws: int = 1000, show: Show | None = None) -> dict[str, Any]:
    """Compare the test predictions of two runs, with a paired interval of the difference.

    Each run's probabilities are turned into classes at the ``evaluation.threshold`` of its own ``config.yaml``, as in its own test;
    the draws take the seed of the first run's.

    Parameters
    ----------
    run_a, run_b
        Runs or their folders, or folders that :func:`genoken.workflows.evaluate.evaluate` wrote; they must have been tested on the
        same samples.
    draws
        Bootstrap draws of groups, or of samples where there are no groups.
    show
        Where the table goes; by default nowhere.

    Returns
    -------
    dict
        ``{"task", "samples", "groups", "runs": {name: metrics}, "difference", "verdict"}``; the difference is first minus second.

    Raises
    ------
    DataError
        When the runs were not tested on the same samples, or, going by the hashes in their manifests, share no data at all: equal
        sample ids then mean nothing.
    RunError
        When a folder has no predictions or no ``config.yaml``.
    """
    show = show or Show(quiet=True)
    folders = [run.folder if isinstance(run, Run) else Path(run) for run in (run_a, run_b)]
    names = [folder.name for folder in folders]
    if names[0] == names[1]:
        names = [str(folder) for folder in folders]
    for folder in folders:
        refuse_pretraining(folder)
    tables = [_predictions(folder) for folder in folders]
    _refuse_other_data(folders, names)
    first, second = (_config(folder) for folder in folders)
    found = compare_runs(
        *tables,
        names=(names[0], names[1]),
        seed=first.training.seed,
        draws=draws,
        thresholds=(first.evaluation.threshold, second.evaluation.threshold),
    )
    metrics = ("macro_f1", "accuracy", "roc_auc") if found["task"] == "classification" else ("r2", "pearson", "mae")
    rows = [[name, *[_cell(scores, metric) for metric in metrics]] for name, scores in found["runs"].items()]
    show.table(f"{found['samples']:,} test samples of both runs", ["run", *metrics], rows)
    show.line()
    show.strong(found["verdict"])
    return found


def _predictions(folder: Path) -> pd.DataFrame:
    path = folder / "predictions.parquet"
    if not path.is_file():
        raise RunError("there are no predictions here", where=str(folder), remedy="name the folder of a finished run")
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise RunError("the file is not valid Parquet", where=str(path), remedy="restore it, or train again") from error


def _refuse_other_data(folders: list[Path], names: list[str]) -> None:
    one, other = (_files(folder) for folder in folders)
    # The hash of a file and that of an object in memory say nothing about each other.
    is_comparable = one and other and all(bool(entry["path"]) == bool(one[0]["path"]) for entry in (*one, *other))
    if not is_comparable or {entry["sha256"] for entry in one} & {entry["sha256"] for entry in other}:
        return
    listed = [", ".join(Path(entry["path"]).name or "an AnnData object" for entry in entries) for entries in (one, other)]
    raise DataError(
        f"the runs share no data ({listed[0]}; {listed[1]}), so equal sample ids need not be the same samples",
        where=f"{names[0]} and {names[1]}",
        remedy="train both on one file, or evaluate both on one file with -o and compare what that wrote",
    )


def _files(folder: Path) -> list[dict[str, Any]]:
    """Return path and hash of each file that the predictions rest on; none where the folder does not say."""
    path = folder / "manifest.json"
    content = read_json(path) if path.is_file() else {}
    entries = content.get("data", []) if isinstance(content, dict) else []
    return [entry for entry in entries if isinstance(entry, dict) and {"path", "sha256"} <= set(entry)]


def _config(folder: Path) -> RunConfig:
    path = folder / "config.yaml"
    if not path.is_file():
        raise RunError(
            "there is no config.yaml here, so the run's threshold is not known",
            where=str(folder),
            remedy="restore it, or evaluate the run again",
        )
    return build(RunConfig, read_yaml(path), where=str(path))


def _cell(scores: dict[str, Any], metric: str) -> str:
    value, interval = scores.get(metric), scores.get(f"{metric}_interval")
    if value is None:
        return "-"
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else f"{value:.3f}"
