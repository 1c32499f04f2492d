"""The only module that knows every part: it reads top to bottom as the path of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.components import kind_of
from genoken.core.config import DataSettings, RunConfig, build, component_from_dict, merge, override, read_yaml
from genoken.core.contracts import TargetState, Task, Tokenizer, TokenizerState
from genoken.core.errors import ConfigError, suggestion
from genoken.core.genotypes import CHROMOSOME, POSITION
from genoken.core.grid_contracts import GridEncoder
from genoken.data.dataset import TokenDataset
from genoken.data.genotypes.linkage import linked_features
from genoken.evaluation.metrics.classification import classification_metrics
from genoken.evaluation.metrics.regression import regression_metrics
from genoken.models.embeddings import EmbeddingStart, svd_start
from genoken.models.path_start import PathStart
from genoken.models.pretrained_weights import take_over
from genoken.workflows.background import BaselineValues, fit_background, without_background
from genoken.workflows.baseline_choice import chosen_baselines
from genoken.workflows.encoder import fit_tokenizer, locate, names_of
from genoken.workflows.inputs import Study, has_split_column
from genoken.workflows.path_start import reml_path
from genoken.workflows.start import PretrainedStart
from genoken.workflows.store import FittedModel, build_network

_MONITORS = {
    "classification": ("objective", "loss", "macro_f1", "accuracy", "balanced_accuracy", "roc_auc"),
    "regression": ("objective", "loss", "r2"),
}
PRESETS = Path(__file__).resolve().parent.parent / "presets"


def resolve_config(
    preset: str,
    config: str | Path | Mapping[str, Any] | None,
    settings: Mapping[str, Any],
    *,
    pretrained: Mapping[str, Any] | None = None,
) -> RunConfig:
    """Lay defaults, what a pretrained run says, a preset, a configuration and single settings over each other, in this order.

    Raises
    ------
    ConfigError
        When the preset does not exist, or any name or value is wrong.
    """
    content, where = preset_content(preset, pretraining=False)
    content = merge(pretrained or {}, content)
    if config is not None:
        if not isinstance(config, Mapping):
            where = str(config)
        content = merge(content, config if isinstance(config, Mapping) else read_yaml(Path(config)))
    return build(RunConfig, override(content, settings), where=where)


def has_numbers(tokenizer: Tokenizer) -> bool:
    """Return whether the tokens of a tokenizer hold numbers, as those of ranks and bins do not."""
    return tokenizer.layout(TokenizerState(feature_ids=("first", "second"))).has_numbers


def has_linear_path(config: RunConfig) -> bool:
    """Return whether the model's outputs are the sum of an encoder's and of a linear path's."""
    return config.model.linear_path and config.model.encoder.takes != "bag"


def hides_order(config: RunConfig) -> bool:
    """Return whether the tokens' order, which is all that ranks consist of, stays hidden from the encoder."""
    is_ordered = getattr(config.tokenizer, "order", "") == "rank_order"
    return is_ordered and config.model.encoder.takes == "tokens" and config.model.embedding.position == "none"


def without_needless_path(config: RunConfig) -> RunConfig:
    """Return the configuration without the linear path where tokens hold no numbers that it could weigh."""
    if not config.model.linear_path or has_numbers(config.tokenizer):
        return config
    return replace(config, model=replace(config.model, linear_path=False))


def preset_content(preset: str, *, pretraining: bool) -> tuple[dict[str, Any], str]:
    """Return what a preset says, and what to call it in messages; nothing for the empty name.

    Presets with ``objectives`` are those of pretraining, all others those of training.

    Raises
    ------
    ConfigError
        When there is no such preset of this kind.
    """
    if not preset:
        return {}, ""
    found = {path.stem: read_yaml(path) for path in sorted(PRESETS.glob("*.yaml"))}
    known = [name for name, content in found.items() if ("objectives" in content) == pretraining]
    if preset not in known:
        what = "preset of pretraining" if pretraining else "preset"
        raise ConfigError(f"there is no {what} '{preset}'", remedy=suggestion(preset, known, "presets"))
    return found[preset], f"preset {preset}"


def task_of_objective(config: RunConfig) -> DataSettings:
    """Return the data settings with the task of an objective that was chosen; the default objective leaves it to the label."""
    chosen = config.objective != component_from_dict("objectives", "classify")
    if not chosen:
        return config.data
    if config.data.task not in ("auto", config.objective.task):
        raise ConfigError(
            f"'data.task' is {config.data.task}, but the objective '{kind_of(config.objective)}' is one of {config.objective.task}",
            remedy="change one of the two",
        )
    return replace(config.data, task=config.objective.task)


def settle_kinds(config: RunConfig, study: Study) -> RunConfig:
    """Replace what was left to the data: the objective by the task, the split by a split column."""
    if study.task != config.objective.task:
        config = replace(config, objective=component_from_dict("objectives", _objective_of(study.task)))
    if kind_of(config.split) == "auto" and not getattr(config.split, "folds", 0) and has_split_column(study.samples.table):
        config = replace(config, split=component_from_dict("splits", "column"))
    known = _MONITORS[study.task]
    if config.training.monitor not in known:
        raise ConfigError(
            f"'training.monitor' is {config.training.monitor}, which a {study.task} does not have",
            remedy="use " + " or ".join(known),
        )
    if config.training.balanced_sampling and study.task != "classification":
        raise ConfigError(f"'training.balanced_sampling' needs classes, and a {study.task} has none", remedy="leave it out")
    baselines = chosen_baselines(config, study.task, study.samples.value_kind)
    return replace(config, evaluation=replace(config.evaluation, baselines=baselines))


def _objective_of(task: Task) -> str:
    return {"classification": "classify", "regression": "regress"}[task]


@dataclass(frozen=True)
class ValidationScorer:
    """Metrics of the validation part after each epoch.

    Parameters
    ----------
    task
        What is predicted.
    classes
        Class names.
    threshold
        Probability of the positive class from which a binary prediction is positive.
    """

    task: Task
    classes: tuple[str, ...]
    threshold: float = 0.5

    def __call__(self, labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
        """Return the metrics that ``training.monitor`` can name; one that cannot be computed is NaN."""
        if self.task == "regression":
            scores, names = regression_metrics(labels, predictions), ("r2", "mae")
        else:
            scores = classification_metrics(labels, predictions, classes=self.classes, threshold=self.threshold)
            names = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc")  # type: ignore[assignment]
        return {name: float("nan") if scores[name] is None else float(scores[name]) for name in names}  # type: ignore[arg-type]


@dataclass(frozen=True)
class Prepared:
    """One fold, ready to be fitted.

    Parameters
    ----------
    model
        The network at its start, with tokenizer and objective fitted on train.
    values
        CSR matrix (samples, vocabulary) of all samples of the study, as the tokens are made of it.
    known
        What baselines may be told of all samples.
    labels
        Targets of all samples.
    prior
        What is added to the network's outputs for each sample, float32 (samples, outputs); ``None`` for nothing.
    """

    model: FittedModel
    values: sp.csr_matrix
    known: BaselineValues
    labels: np.ndarray
    prior: np.ndarray | None = None

    def dataset(self, rows: np.ndarray) -> TokenDataset:
        """Return the samples of these rows with their targets."""
        prior = None if self.prior is None else self.prior[rows]
        return TokenDataset(self.model.tokenizer, self.model.state, self.values[rows], self.labels[rows], prior=prior)


def prepare_fold(
    config: RunConfig,
    study: Study,
    train: np.ndarray,
    start: PretrainedStart | None = None,
    *,
    val: np.ndarray | None = None,
    from_scratch: bool = False,
) -> Prepared:
    """Fit everything that is learned before the weights, on the train rows alone, and start the network.

    Parameters
    ----------
    config, study
        What to prepare.
    train
        Rows to learn from.
    start
        A pretrained network: its tokenizer, as it was fitted, and its weights are taken over. ``None`` for none.
    val
        Rows on which what follows from covariates and principal components alone is tuned; they may be among ``train``. ``None``:
        on ``train``.
    from_scratch
        Take over its tokenizer alone.
    """
    samples = study.samples
    state = fit_tokenizer(config.tokenizer, samples.take(train)) if start is None else start.model.state
    columns = locate(state, samples).columns
    values = config.tokenizer.prepare(samples, columns, state)
    plain = config.tokenizer.plain_values(values, state)
    target = config.objective.fit(study.labels[train], study.label, study.classes)
    tuned_on = np.zeros(0, dtype=np.int64) if val is None else val
    found = fit_background(config, study, plain, _places(state), train, tuned_on)
    background, known = (None, without_background(plain)) if found is None else found
    prior = None if background is None else background.prior(known, target)
    is_pretrained = start is not None and not from_scratch
    own_start = EmbeddingStart.from_state(state.per_feature) if is_pretrained else _start(config, state, values[train])
    own_start = replace(own_start, path=_fitted_path(config, study, plain, train, target, prior))
    network = build_network(config, state, target, own_start, config.training.seed)
    if start is not None and is_pretrained:
        take_over(network, start.model.network, start.num_phenotypes)
    model = FittedModel(config, state, names_of(state, samples.features, columns), target, network, background)
    return Prepared(model, values, known, study.labels, prior)


def _fitted_path(
    config: RunConfig, study: Study, plain: sp.csr_matrix, train: np.ndarray, target: TargetState, prior: np.ndarray | None
) -> PathStart | None:
    """Return the linear path where it is fitted beforehand: to what the prior leaves over."""
    if config.training.linear_path_fit != "reml" or target.task != "regression" or not has_linear_path(config):
        return None
    targets = (study.labels[train] - target.center) / target.scale
    if prior is not None:
        targets = targets - prior[train, 0]
    return reml_path(plain[train], targets, None if study.groups is None else study.groups[train], config.training.seed)


def _places(state: TokenizerState) -> pd.DataFrame | None:
    """Return chromosome and position of the vocabulary's variants; ``None`` for features that are none."""
    if "position_bp" not in state.per_feature:
        return None
    chromosomes = state.per_feature["chromosome"].astype(np.int64).astype(str)
    return pd.DataFrame({CHROMOSOME: chromosomes, POSITION: state.per_feature["position_bp"].astype(np.int64)})


def _start(config: RunConfig, state: TokenizerState, prepared: sp.csr_matrix) -> EmbeddingStart:
    embedding, width, encoder = config.model.embedding, config.model.width, config.model.encoder
    per_feature, train_values = state.per_feature, config.tokenizer.feature_values(prepared, state)
    features = None
    if embedding.init == "svd" and encoder.takes == "tokens":
        own_width = width // 2 if embedding.combine == "concatenate" else width
        features = svd_start(train_values, own_width, config.training.seed)
    start = EmbeddingStart.from_state(per_feature, features)
    linkage = encoder.linkage if isinstance(encoder, GridEncoder) else None
    if linkage is None:
        return start
    edges = linked_features(
        train_values, window=linkage.window, min_r2=linkage.threshold, chromosomes=per_feature.get("chromosome")
    )
    return replace(start, edges=edges)
