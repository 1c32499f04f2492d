"""What is known of a sample beside its single variants: covariates and principal components, and what follows from them alone.

The linear predictor of logistic (or ridge) regression on them is a fixed offset of the network's outputs, so that the network
learns what goes beyond; it is written with the model, and applied to the samples of any file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from genoken.core.components import kind_of
from genoken.core.config import RunConfig, component_from_dict
from genoken.core.contracts import Baseline, BaselineColumns, BaselineProblem, TargetState
from genoken.core.errors import RunError
from genoken.core.files import read_json, write_json
from genoken.data.covariates import CovariateCoding, encode, fit_coding, refuse_telling
from genoken.evaluation.ancestry import AncestryAxes, fit_axes
from genoken.workflows.tensors import write_tensors

if TYPE_CHECKING:
    from genoken.workflows.inputs import Study

CODING, NUMBERS = "background.json", "background.safetensors"
BACKGROUND_FILES = (CODING, NUMBERS)
"""Files of a model that has a background; their hashes are in the manifest."""
COVARIATE_SCALE = 10.0
"""Covariates that stand behind features are this large, so that a penalty on weights hardly touches theirs."""
_ABSENT = -20.0
"""Linear predictor, against the mean of the others, of a class that train lacks."""


@dataclass(frozen=True)
class BaselineValues:
    """Everything that baselines may be told of some samples.

    Parameters
    ----------
    features
        CSR (samples, features) of prepared values.
    covariates
        float64 (samples, covariates).
    components
        float64 (samples, principal components), of samples that are not in train as large as if they were.
    """

    features: sp.csr_matrix
    covariates: np.ndarray
    components: np.ndarray

    def take(self, rows: np.ndarray) -> BaselineValues:
        """Return the samples of these rows."""
        return BaselineValues(self.features[rows], self.covariates[rows], self.components[rows])

    def columns(self, uses: BaselineColumns) -> tuple[sp.csr_matrix, int]:
        """Return what a baseline of this kind gets, and how many of its last columns are covariates behind features."""
        if uses == "features" or (uses == "both" and not self.covariates.shape[1]):
            return self.features, 0
        if uses == "both":
            large = sp.csr_matrix((COVARIATE_SCALE * self.covariates).astype(self.features.dtype))
            return sp.hstack([self.features, large], format="csr"), self.covariates.shape[1]
        return sp.csr_matrix(self.covariates if uses == "covariates" else np.hstack([self.covariates, self.components])), 0


@dataclass(frozen=True)
class Background:
    """Covariates, principal components, and the linear model on them, as learned from the train split.

    Parameters
    ----------
    kind
        ``covariates_pcs`` where there are components, else ``covariates``: the baseline that the model is.
    coding
        How covariates become numbers.
    axes
        The components; ``None`` for none.
    state
        ``weights`` and ``intercept`` of that baseline.
    """

    kind: str
    coding: CovariateCoding
    axes: AncestryAxes | None
    state: Mapping[str, np.ndarray]

    def values(self, table: pd.DataFrame, plain_values: sp.csr_matrix, where: str) -> tuple[BaselineValues, tuple[str, ...]]:
        """Return what baselines may be told of samples that are not in train, and sentences on covariates that train did not have.

        Raises
        ------
        DataError
            When the sample table lacks a covariate.
        """
        return _values(self.coding, self.axes, table, plain_values, where)

    def prior(self, values: BaselineValues, target: TargetState) -> np.ndarray:
        """Return the fixed offset of the network's outputs, float32 (samples, outputs), in their units."""
        columns, _ = values.columns(_uses(self.kind))
        scores = np.asarray(columns @ self.state["weights"] + self.state["intercept"], dtype=np.float64)
        if target.task == "regression":
            return ((scores - target.center) / target.scale)[:, None].astype(np.float32)
        known = np.isfinite(scores)
        centered = scores - np.mean(scores, axis=1, where=known, keepdims=True)
        centered = np.where(known, centered, _ABSENT)
        return (centered if centered.shape[1] > 2 else centered[:, 1:] - centered[:, :1]).astype(np.float32)


def _uses(kind: str) -> BaselineColumns:
    return "covariates_pcs" if kind == "covariates_pcs" else "covariates"


def _values(
    coding: CovariateCoding, axes: AncestryAxes | None, table: pd.DataFrame, plain_values: sp.csr_matrix, where: str
) -> tuple[BaselineValues, tuple[str, ...]]:
    covariates, notes = encode(table, coding, where)
    components = np.zeros((len(table), 0)) if axes is None else axes.scores(plain_values)
    return BaselineValues(plain_values, covariates, components), notes


def without_background(plain_values: sp.csr_matrix) -> BaselineValues:
    """Return what baselines may be told where there are neither covariates nor components."""
    nothing = np.zeros((plain_values.shape[0], 0))
    return BaselineValues(plain_values, nothing, nothing)


def has_background(config: RunConfig, value_kind: str) -> bool:
    """Return whether a run on such values has covariates or principal components."""
    return bool(config.data.covariates) or num_components(config, value_kind) > 0


def num_components(config: RunConfig, value_kind: str) -> int:
    """Return how many principal components stand for ancestry: none but for genotypes."""
    return config.data.principal_components if value_kind == "dosage" else 0


def refuse_telling_covariates(config: RunConfig, study: Study) -> None:
    """Refuse covariates that are the label or the group.

    Raises
    ------
    ConfigError
        Naming the covariate.
    """
    samples = study.samples
    refuse_telling(samples.table, config.data.covariates, config.data.label, study.group, samples.origin)


def fit_background(
    config: RunConfig, study: Study, plain_values: sp.csr_matrix, features: pd.DataFrame | None, train: np.ndarray, val: np.ndarray
) -> tuple[Background, BaselineValues] | None:
    """Learn covariates' codes, components and the linear model on both; ``None`` where a run has neither.

    Parameters
    ----------
    config, study
        The run.
    plain_values
        Prepared values of all samples, as baselines get them.
    features
        Chromosome and position of each of their features, where these are variants.
    train
        Rows to learn from.
    val
        Rows to tune on; where they are among ``train``, the tuned model is fitted on all of these.

    Returns
    -------
    tuple
        The background, and what baselines may be told of all samples.
    """
    samples = study.samples
    if not has_background(config, samples.value_kind):
        return None
    coding = fit_coding(samples.table.iloc[train], config.data.covariates, samples.origin)
    count = num_components(config, samples.value_kind)
    groups = None if study.groups is None else study.groups[train]
    axes = fit_axes(plain_values[train], features, count, config.training.seed, groups) if count else None
    values, _ = _values(coding, axes, samples.table, plain_values, samples.origin)
    if axes is not None:
        values.components[train] = axes.train_scores(plain_values[train])
    kind = "covariates_pcs" if axes is not None else "covariates"
    learned = np.setdiff1d(train, val)
    problem = problem_of(
        _uses(kind),
        values,
        study.labels,
        learned,
        val,
        num_classes=len(study.classes),
        seed=config.training.seed,
        refit=len(learned) < len(train),
    )
    return Background(kind, coding, axes, _reference(config, kind).fit(problem)), values


def _reference(config: RunConfig, kind: str) -> Baseline:
    """Return the baseline of this kind with the settings that it has in the run, if it is one of the run's."""
    own = [baseline for baseline in config.evaluation.baselines if kind_of(baseline) == kind]
    return own[0] if own else component_from_dict("baselines", kind)


def problem_of(
    uses: BaselineColumns,
    values: BaselineValues,
    labels: np.ndarray,
    train: np.ndarray,
    val: np.ndarray,
    *,
    num_classes: int,
    seed: int,
    refit: bool,
) -> BaselineProblem:
    """Return what a baseline is fitted on, for all samples' values and labels and the rows to learn from and to tune on."""
    columns, num_covariates = values.columns(uses)
    return BaselineProblem(
        train=columns[train],
        val=columns[val],
        train_labels=labels[train],
        val_labels=labels[val],
        num_classes=num_classes,
        seed=seed,
        refit=refit,
        num_covariates=num_covariates,
    )


def write_background(folder: Path, background: Background) -> None:
    """Write ``background.json`` and ``background.safetensors``."""
    write_json(folder / CODING, {"kind": background.kind, "covariates": background.coding.to_json()})
    axes = background.axes
    arrays = dict(background.state)
    if axes is not None:
        arrays |= {"axes": axes.weights, "axes_offset": axes.offset, "axes_shrinkage": axes.shrinkage}
    write_tensors(folder / NUMBERS, {name: torch.from_numpy(np.array(value, order="C")) for name, value in arrays.items()})


def read_background(folder: Path) -> Background:
    """Read what :func:`write_background` wrote.

    Raises
    ------
    RunError
        When a file is missing or holds something else.
    """
    try:
        content: Any = read_json(folder / CODING)
        coding = CovariateCoding.from_json(content["covariates"])
        arrays = {name: tensor.numpy() for name, tensor in load_file(folder / NUMBERS).items()}
        axes = _axes(arrays) if "axes" in arrays else None
        state = {name: arrays[name] for name in ("weights", "intercept")}
        return Background(str(content["kind"]), coding, axes, state)
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise RunError(
            f"covariates and components of the model cannot be read ({reason})",
            where=str(folder / CODING),
            remedy="restore the files, or train again",
        ) from error


def _axes(arrays: Mapping[str, np.ndarray]) -> AncestryAxes:
    """Return the axes; models that were written before shrinkage was measured have projections as they are."""
    offset = arrays["axes_offset"]
    return AncestryAxes(arrays["axes"], offset, arrays.get("axes_shrinkage", np.ones_like(offset)))
