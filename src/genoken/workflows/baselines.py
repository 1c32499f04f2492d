"""Fitted baselines as files of plain numbers in a run folder, for files that the run has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from genoken.core.components import kind_of
from genoken.core.errors import RunError
from genoken.core.files import read_json
from genoken.workflows.background import problem_of
from genoken.workflows.store import check_hash
from genoken.workflows.tensors import write_tensors

if TYPE_CHECKING:
    from genoken.core.config import RunConfig
    from genoken.workflows.assemble import Prepared
    from genoken.workflows.background import BaselineValues

State = Mapping[str, np.ndarray]


def fit_baselines(
    config: RunConfig, prepared: Prepared, train: np.ndarray, val: np.ndarray, *, refit: bool = False
) -> dict[str, State]:
    """Fit every baseline of the configuration on the prepared values.

    Parameters
    ----------
    config
        Names the baselines.
    prepared
        Values and labels of all samples.
    train, val
        Rows to learn from and to tune on.
    refit
        Whether they are fitted on both once they are tuned, as beside the final model of a cross-validation; only those that can
        be saved are fitted then, because nothing is tested.

    Returns
    -------
    dict
        Baseline to what it learned.
    """
    background = prepared.model.background
    num_classes, seed = len(prepared.model.target.classes), config.training.seed
    states: dict[str, State] = {}
    for baseline in config.evaluation.baselines:
        if background is not None and kind_of(baseline) == background.kind:
            states[background.kind] = background.state  # it was fitted on the same rows
        elif baseline.portable or not refit:
            problem = problem_of(
                baseline.uses, prepared.known, prepared.labels, train, val, num_classes=num_classes, seed=seed, refit=refit
            )
            states[kind_of(baseline)] = baseline.fit(problem)
    return states


def predict_baselines(config: RunConfig, states: Mapping[str, State], known: BaselineValues) -> dict[str, np.ndarray]:
    """Return what each baseline that has a state predicts for samples of which this is known."""
    fitted = [baseline for baseline in config.evaluation.baselines if kind_of(baseline) in states]
    return {kind_of(baseline): baseline.predict(states[kind_of(baseline)], known.columns(baseline.uses)[0]) for baseline in fitted}


def write_baselines(folder: Path, config: RunConfig, states: Mapping[str, State]) -> None:
    """Write ``baselines/NAME.safetensors`` of every baseline whose state is plain numbers."""
    for baseline in config.evaluation.baselines:
        if baseline.portable:
            name = kind_of(baseline)
            tensors = {key: torch.from_numpy(np.array(value, order="C")) for key, value in states[name].items()}
            write_tensors(folder / baseline_file(name), tensors)


def baseline_file(name: str) -> str:
    """Return a saved baseline's path within its run folder, which is also its key in the manifest."""
    return f"baselines/{name}.safetensors"


def saved_files(folder: Path, config: RunConfig) -> list[str]:
    """Return the saved baselines' paths within the run folder, in the configuration's order."""
    names = [baseline_file(kind_of(baseline)) for baseline in config.evaluation.baselines if baseline.portable]
    return [name for name in names if (folder / name).is_file()]


def read_baselines(folder: Path, config: RunConfig) -> dict[str, State]:
    """Read the baselines that a run saved; none where its manifest lists none, as in runs of older versions.

    Raises
    ------
    RunError
        When a file that the manifest lists is missing, is not the one that was written, or cannot be read.
    """
    listed: Any = read_json(folder / "manifest.json").get("files", {})
    states: dict[str, State] = {}
    for baseline in config.evaluation.baselines:
        path = folder / baseline_file(kind_of(baseline))
        if baseline_file(kind_of(baseline)) not in listed:
            continue
        if not path.is_file():
            raise RunError("a baseline that the run saved is missing", where=str(path), remedy="restore it, or train again")
        check_hash(path, listed[baseline_file(kind_of(baseline))])
        try:
            states[kind_of(baseline)] = {name: tensor.numpy() for name, tensor in load_file(path).items()}
        except (SafetensorError, OSError) as error:
            reason = " ".join(str(error).split())[:300]
            raise RunError(f"the baseline cannot be read ({reason})", where=str(path), remedy="train again") from error
    return states


def predict_saved(folder: Path, config: RunConfig, known: BaselineValues, num_classes: int) -> dict[str, np.ndarray]:
    """Return what each baseline that a run saved predicts for samples of which this is known; empty where it saved none.

    Parameters
    ----------
    folder, config
        The run.
    known
        Values as the run's tokenizer prepares them, covariates and components as its model codes them.
    num_classes
        Number of the run's classes; 0 for regression.

    Raises
    ------
    RunError
        When a file is missing, is not the one that was written, or holds something else than that baseline of this run.
    """
    found: dict[str, np.ndarray] = {}
    num_samples = known.features.shape[0]
    shape = (num_samples, num_classes) if num_classes else (num_samples,)
    for name, state in read_baselines(folder, config).items():
        where = str(folder / baseline_file(name))
        foreign = RunError("the baseline does not fit the run", where=where, remedy="restore it, or train again")
        try:
            predicted = predict_baselines(config, {name: state}, known)[name]
        except (KeyError, ValueError, IndexError, TypeError) as error:  # what arrays of other names and shapes lead to
            raise foreign from error
        if predicted.shape != shape or not np.isfinite(predicted).all():
            raise foreign
        found[name] = predicted
    return found
