"""One strict, typed configuration for a run, read from YAML, changed by ``path=value``, written back whole."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import Field

from genoken.core import _yaml
from genoken.core.components import component_to_dict, resolve, settings
from genoken.core.contracts import Baseline, Encoder, Objective, Split, Tokenizer, TokenObjective
from genoken.core.errors import ConfigError, suggestion
from genoken.core.pretraining_settings import Fraction, NonNegative, PretrainDataSettings, SuccessorSettings


@dataclasses.dataclass(frozen=True)
class _Family:
    """Marks a field that holds a member of a family."""

    name: str


Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Precision = Literal["auto", "bf16", "fp16", "fp32"]
AttentionBackend = Literal["auto", "varlen", "flex", "sdpa", "eager"]


@settings
class DataSettings:
    """Which values, which column, which samples."""

    label: str = ""
    """Column of ``obs`` to predict."""
    task: Literal["auto", "classification", "regression"] = "auto"
    """``auto``: regression when the column is real-valued, or integer with more than 20 values; classification otherwise."""
    group: str = ""
    """Column of ``obs`` that must not straddle a split, such as a donor; empty: a column with a usual name, if there is one."""
    positive: str = ""
    """One class against all others; empty for all classes."""
    source: str = "auto"
    """``auto``, ``X``, ``raw`` or ``layers/NAME``: where the values are."""
    min_coverage: Fraction = 0.5
    """Smallest share of the vocabulary that another file must hold."""
    limit_samples: int = 0
    """Use at most this many samples (a stratified draw); 0 for all."""
    train_share: Fraction = 1.0
    """Share of the train samples, of each class, that is learned from; validation and test samples stay as they are."""
    covariates: tuple[str, ...] = ()
    """Columns of ``obs`` that are known of a sample, such as age, sex or batch: baselines get them, the network learns what goes
    beyond them, and the verdict says what it adds to them."""
    principal_components: Annotated[int, Field(ge=0)] = 10
    """Principal components of the train genotypes that stand for ancestry beside the covariates; unused for other values."""
    kinship: Annotated[float, Field(gt=0, lt=0.5)] = 0.0442
    """Kinship from which samples are of one group, where groups are those of relatives (``group: kinship``, the default for
    genotypes): 0.0442 is the third degree, 0.0884 the second, 0.177 the first."""
    autosomes: Annotated[int, Field(ge=1, le=95)] = 22
    """Chromosomes of the species that are none of sex, such as 29 of cattle: files of PLINK number X, Y, XY and MT after them."""
    strata: str = ""
    """Column of ``obs`` within whose values scores are given too; empty: ``population``, where genotypes have it."""
    phenotypes_file: str = ""
    """Table of phenotypes and covariates, joined to ``obs`` by sample id: CSV, TSV, or separated by spaces."""
    strict: bool = False
    """Refuse samples without a label, and empty samples, instead of leaving them out with a count."""


@settings
class EmbeddingSettings:
    """How the channels of a token become one vector."""

    combine: Literal["affine", "multiplicative", "additive", "concatenate"] = "affine"
    """``affine``: e + z v with a slope v of each gene's own and z = x standardized over the samples that express the gene;
    ``multiplicative``: e (tanh(x/5) + 1); ``additive``: e + W x; ``concatenate``: half identity, half value, then a fusion."""
    init: Literal["svd", "random"] = "svd"
    """Start of the feature vectors: right singular vectors of the train values, or normal noise."""
    position: Literal["none", "sinusoidal", "learned"] = "none"
    """Positions of the tokens within a sample; features have identities, so none are needed."""
    token_dropout: Fraction = 0.5
    """Share of a sample's tokens that is left out in a training step."""


@settings
class ModelSettings:
    """The network between tokens and outputs."""

    width: Count = 128
    """Width of a token's state."""
    embedding: EmbeddingSettings = dataclasses.field(default_factory=EmbeddingSettings)
    """How the channels of a token become one vector."""
    encoder: Annotated[Encoder, _Family("encoders")] = None  # type: ignore[assignment]
    """The body of the network."""
    pooling: Literal["cls", "mean"] = "cls"
    """What stands for the sample: the CLS token's final state or the mean over tokens."""
    head: Literal["mlp", "linear"] = "mlp"
    """``mlp``: LN, width/2, GELU, dropout, outputs; ``linear``: one matrix."""
    head_dropout: Fraction = 0.1
    """Dropout within the head."""
    linear_path: bool = True
    """Whether a linear model over the same values is added to the outputs and learned with the rest."""


@settings
class TrainingSettings:
    """How the weights are found."""

    epochs: Annotated[int, Field(ge=0)] = 0
    """Passes over the train split; 0: as many as make about 400 optimizer steps, at least 4 and at most 20."""
    batch_size: Count | Literal["auto"] = 32
    """Samples per batch; ``auto``: as many as fit into memory, found by trial steps before training, as far as an epoch still has
    some 16 batches then."""
    memory_use: Literal["conservative", "balanced", "aggressive"] = "balanced"
    """Share of the free memory that ``batch_size: auto`` goes up to: 0.6, 0.75 or 0.9."""
    memory_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the free memory that ``batch_size: auto`` may count on at all, where others use the same machine."""
    tokens_per_batch: int = 0
    """Upper bound of the tokens of one batch; 0 for none."""
    eval_batch_size: int = 0
    """Samples per batch when not training; 0: four times ``batch_size``."""
    balanced_sampling: bool = False
    """Draw the samples of an epoch so that every class is seen equally often. Class weights come on top of it: they are none with
    ``objective.class_weight_power: 0``."""
    learning_rate: Positive = 5e-4
    """Highest learning rate of AdamW."""
    weight_decay: NonNegative = 0.01
    """Decoupled weight decay; not applied to biases, norms and embeddings."""
    linear_path_fit: Literal["steps", "reml"] = "steps"
    """How the linear path is found: by the steps of training; or, for a regression, beforehand by restricted maximum likelihood,
    as the baseline ``gblup``. The encoder then learns what it leaves over. Classes are always learned by steps."""
    linear_path_learning_rate: Positive = 3e-3
    """Highest learning rate of the linear path."""
    linear_path_strength: Positive = 0.01
    """``C`` of the linear path, as in logistic regression: its ridge penalty is ``|w|^2 / (2 C n)`` with n train samples."""
    summand_loss: NonNegative = 0.5
    """Weight of the losses of encoder and linear path taken alone, beside the loss of their sum."""
    weigh_summands: bool = True
    """Whether encoder and linear path are weighed on the validation part once both are learned. With the objective's class weights
    this also calibrates their sum, to classes as frequent as they weigh (see ``objective.class_weight_power``)."""
    warmup: Fraction = 0.1
    """Share of the steps over which the learning rate rises from 0."""
    schedule: Literal["cosine", "constant", "plateau"] = "cosine"
    """Course of the learning rate after the warm-up; ``plateau``: it falls where ``monitor`` no longer improves."""
    plateau_patience: Count = 3
    """Validations without improvement after which ``schedule: plateau`` lowers the rate."""
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """By which factor."""
    accumulate: Count = 1
    """Batches per optimizer step; the last, partial window counts as it is."""
    freeze_layers: Annotated[int, Field(ge=0)] = 0
    """Blocks, from the lowest on, that stay as they were pretrained, together with the embedding; 0: everything is learned."""
    layer_decay: Fraction = 1.0
    """Factor on the learning rate from a block to the one below it, and from the lowest to the embedding; 1: the same for all."""
    clip_norm: NonNegative = 1.0
    """Largest norm of the gradient; 0 for no clipping."""
    patience: Annotated[int, Field(ge=0)] = 5
    """Epochs without improvement of ``monitor`` after which training stops; 0: never."""
    monitor: Literal["objective", "loss", "macro_f1", "accuracy", "balanced_accuracy", "roc_auc", "r2"] = "objective"
    """Validation metric that chooses the best weights; ``objective``: the loss with those of encoder and linear path alone."""
    average_decay: Fraction = 0.98
    """Decay per step of the exponential moving average of the weights, which is what is validated and kept; 0 for none."""
    precision: Precision = "auto"
    """``auto``: bf16 from compute capability 8.0 on, fp16 with a scaler on older GPUs, fp32 on CPU."""
    attention: AttentionBackend = "auto"
    """Attention backend; ``auto`` takes the fastest that the device and the precision allow."""
    compile: bool = False
    """Compile each encoder layer with torch.compile."""
    gradient_checkpointing: bool = False
    """Recompute each layer's states in the backward pass, to save memory."""
    num_workers: int = 0
    """Threads that prepare batches ahead of the step; 0: in the training thread."""
    evaluate_every: Annotated[int, Field(ge=0)] = 0
    """Optimizer steps between validations, across the ends of epochs; 0: one after each epoch."""
    checkpoint_every: int = 0
    """Optimizer steps between checkpoints; 0: one per epoch."""
    keep_last: Count = 2
    """Checkpoints kept."""
    limit_batches: int = 0
    """Batches per epoch, for quick trials; 0 for all."""
    logger: Literal["tensorboard", "csv", "wandb", "none"] = "tensorboard"
    """Where training curves go besides ``history.csv``."""
    profile: bool = False
    """Write a profile of the training steps into the run folder."""
    devices: Count = 1
    """Devices (or CPU processes) per node."""
    nodes: Count = 1
    """Nodes."""
    strategy: Literal["auto", "ddp"] = "auto"
    """How several devices share the work; ``ddp``: each holds the whole network and a part of every batch."""
    seed: int = 0
    """Every random draw is a function of it."""

    @property
    def samples_per_batch(self) -> int:
        """The batch size as a number.

        Raises
        ------
        ConfigError
            While it is still to be found by trial steps.
        """
        if self.batch_size == "auto":
            raise ConfigError("'training.batch_size' is auto, which genoken train alone can find out", remedy="name a number")
        return self.batch_size

    @property
    def samples_per_pass(self) -> int:
        """Samples of a batch when not training."""
        return self.eval_batch_size or 4 * self.samples_per_batch


@settings
class EvaluationSettings:
    """What the model is held against."""

    baselines: tuple[Annotated[Baseline, _Family("baselines")], ...] = ()
    """Simple rivals, fitted on the same folds and features."""
    rivals: tuple[Literal["mlp", "linear", "scratch"], ...] = ()
    """Networks trained by the same machinery: with another encoder, or (``scratch``) the same network without its pretraining."""
    contrast: Literal["none", "random_split"] = "none"
    """``random_split``: fit everything a second time on random samples, in as many folds and in the same shares, to show how much a
    split across groups leaks."""
    bootstrap: Count = 1000
    """Draws of groups (or samples) for the intervals."""
    threshold: Fraction = 0.5
    """Probability of the positive class from which a binary prediction is positive."""


@settings
class RunConfig:
    """Everything that decides a run."""

    data: DataSettings = dataclasses.field(default_factory=DataSettings)
    """Which values, which column, which samples."""
    split: Annotated[Split, _Family("splits")] = None  # type: ignore[assignment]
    """How samples are divided into train, validation and test."""
    tokenizer: Annotated[Tokenizer, _Family("tokenizers")] = None  # type: ignore[assignment]
    """How a sample becomes tokens."""
    model: ModelSettings = dataclasses.field(default_factory=ModelSettings)
    """The network."""
    objective: Annotated[Objective, _Family("objectives")] = None  # type: ignore[assignment]
    """What is learned."""
    training: TrainingSettings = dataclasses.field(default_factory=TrainingSettings)
    """How the weights are found."""
    evaluation: EvaluationSettings = dataclasses.field(default_factory=EvaluationSettings)
    """What the model is held against."""


@settings
class PretrainConfig:
    """Everything that decides a pretraining run."""

    data: PretrainDataSettings = dataclasses.field(default_factory=PretrainDataSettings)
    """Which values and columns, and what is held out."""
    successors: SuccessorSettings = dataclasses.field(default_factory=SuccessorSettings)
    """Which cell comes next; without a key, cells stand alone."""
    tokenizer: Annotated[Tokenizer, _Family("tokenizers")] = None  # type: ignore[assignment]
    """How a sample becomes tokens."""
    model: ModelSettings = dataclasses.field(default_factory=ModelSettings)
    """The network; its head is for supervised runs and not used. Its linear path, for panels, is a Gaussian over all features."""
    objectives: tuple[Annotated[TokenObjective, _Family("objectives")], ...] = ()
    """What is hidden and asked for; empty: features where tokens have no value, values where they have one, and phenotypes."""
    training: TrainingSettings = dataclasses.field(default_factory=TrainingSettings)
    """How the weights are found."""


_DEFAULT_KINDS = {"split": "auto", "tokenizer": "continuous", "objective": "classify", "model.encoder": "transformer"}
DEFAULT_BASELINES = ("majority", "linear", "pca_linear", "nearest_neighbors")
"""Baselines of a run that names none; for genotypes others take their place, see :mod:`genoken.workflows.baseline_choice`."""


def build(cls: type, content: Mapping[str, Any], *, where: str = "", path: str = "") -> Any:
    """Build a settings object from plain values; unknown, missing and mistyped names are errors that name their path.

    Parameters
    ----------
    cls
        A settings class.
    content
        Field name to value, nested.
    where
        File from which the values came, for messages.
    path
        Dotted path of ``content`` within the file, for messages.

    Raises
    ------
    ConfigError
        With the path and the nearest right name.
    """
    if not isinstance(content, Mapping):
        raise ConfigError(f"'{path or 'the file'}' must be a mapping of names to values, not {_describe(content)}", where=where)
    hints = typing.get_type_hints(cls, include_extras=True)
    names = [field.name for field in dataclasses.fields(cls)]
    values: dict[str, Any] = {}
    for name, value in content.items():
        here = f"{path}.{name}" if path else str(name)
        if name not in names:
            remedy = suggestion(str(name), names, "options here") if names else "it has no options"
            raise ConfigError(f"unknown option '{here}'", where=where, remedy=remedy)
        values[name] = _build_field(hints[name], value, where=where, path=here)
    for name in names:
        here = f"{path}.{name}" if path else name
        if name not in values and here in _DEFAULT_KINDS:
            values[name] = component_from_dict(_family_of(hints[name]), {"kind": _DEFAULT_KINDS[here]}, where=where, path=here)
        elif name not in values and dataclasses.is_dataclass(hints[name]):
            values[name] = build(typing.cast("type", hints[name]), {}, where=where, path=here)
        elif name not in values and here == "evaluation.baselines":
            values[name] = tuple(component_from_dict("baselines", {"kind": kind}) for kind in DEFAULT_BASELINES)
    try:
        return cls(**values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        # Behind the field stand places in a list, and pydantic's own names for the types that a value may have.
        parts = [str(part) for index, part in enumerate(first["loc"]) if index == 0 or isinstance(part, int)]
        location = ".".join([*([path] if path else []), *parts])
        message = first["msg"][:1].lower() + first["msg"][1:]
        raise ConfigError(f"'{location}': {message}, got {_describe(first['input'])}", where=where) from error


def component_from_dict(family: str, content: Any, *, where: str = "", path: str = "") -> Any:
    """Build a member of a family from its kind's name, or from a mapping with ``kind`` and its options."""
    if isinstance(content, str):
        content = {"kind": content}
    if not isinstance(content, Mapping) or "kind" not in content:
        raise ConfigError(f"'{path}' needs a 'kind'", where=where, remedy=f"one of the {family}, for example '{path}: {{kind: …}}'")
    cls = resolve(family, content["kind"], where=f"{where}: {path}" if where else path)
    return build(cls, {name: value for name, value in content.items() if name != "kind"}, where=where, path=path)


def _build_field(hint: Any, value: Any, *, where: str, path: str) -> Any:
    family = _family_of(hint)
    if family:
        if path in _DEFAULT_KINDS and isinstance(value, Mapping):
            value = {"kind": _DEFAULT_KINDS[path], **value}
        return value if dataclasses.is_dataclass(value) else component_from_dict(family, value, where=where, path=path)
    if dataclasses.is_dataclass(hint) and not dataclasses.is_dataclass(value):
        return build(typing.cast("type", hint), value if value is not None else {}, where=where, path=path)
    plain = typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
    if typing.get_origin(plain) is tuple and isinstance(value, (list, tuple)):
        inner = typing.get_args(plain)[0]
        return tuple(_build_field(inner, item, where=where, path=f"{path}[{index}]") for index, item in enumerate(value))
    if typing.get_origin(hint) in (typing.Union, types.UnionType) and isinstance(value, list):
        return tuple(value)
    return value


def _family_of(hint: Any) -> str:
    if typing.get_origin(hint) is Annotated:
        for extra in typing.get_args(hint)[1:]:
            if isinstance(extra, _Family):
                return extra.name
    return ""


def _describe(value: Any) -> str:
    return f"{value!r} ({type(value).__name__})"


def to_dict(config: Any) -> dict[str, Any]:
    """Return settings as nested plain values, components with their kind; the inverse of :func:`build`."""
    content: dict[str, Any] = {}
    hints = typing.get_type_hints(type(config), include_extras=True)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if _family_of(hints[field.name]):
            content[field.name] = component_to_dict(value)
        elif isinstance(value, tuple):
            content[field.name] = [component_to_dict(item) if dataclasses.is_dataclass(item) else item for item in value]
        elif dataclasses.is_dataclass(value):
            content[field.name] = to_dict(value)
        else:
            content[field.name] = value
    return content


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file: only plain values, with the numbers and booleans of YAML 1.2, no name twice.

    Raises
    ------
    ConfigError
        When the file is missing, is not YAML, or does not hold a mapping.
    """
    try:
        content = _yaml.load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError("the configuration file does not exist", where=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration file cannot be read ({error})", where=str(path)) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"this is not valid YAML ({' '.join(str(error).split())})", where=str(path)) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"a configuration is a mapping of names to values, not {type(content).__name__}", where=str(path))
    return content


def dump_yaml(config: Any) -> str:
    """Return settings as YAML that :func:`read_yaml` and :func:`build` take back unchanged."""
    return _yaml.dump(to_dict(config))


def override(content: dict[str, Any], assignments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of nested plain values with ``a.b.c`` set for each assignment.

    A component given by its bare kind is expanded. When an assignment changes a component's ``kind``, the options of the old kind
    are dropped. Outer paths are applied before inner ones, and among equals kinds first, so that their order does not matter. A
    number in a path is the place, from 0, of an item in a list that is there, as in ``objectives.0.probability``.

    Raises
    ------
    ConfigError
        When a list has no such item.
    """
    result = _copy(content)
    ordered = sorted(assignments.items(), key=lambda item: (item[0].count("."), not item[0].endswith(".kind")))
    for path, value in ordered:
        *parents, last = path.split(".")
        place: Any = result
        for parent in parents:
            key = _key_in(place, parent, path)
            inner = place[key] if isinstance(place, list) else place.get(key)
            if isinstance(inner, str):
                inner = {"kind": inner}
            elif not isinstance(inner, (dict, list)):
                inner = {}
            place[key] = inner
            place = inner
        key = _key_in(place, last, path)
        if last == "kind" and place.get("kind") != value:
            place.clear()
        place[key] = value
    return result


def _key_in(place: dict[str, Any] | list[Any], name: str, path: str) -> Any:
    """Return the key of one part of a dotted path: its name in a mapping, its place in a list."""
    count = len(place) if isinstance(place, list) else 0
    is_place = name.isdecimal()
    if isinstance(place, dict) and not is_place:
        return name
    if isinstance(place, list) and is_place and int(name) < count:
        return int(name)
    if not count:
        remedy = "set the whole list, or name a preset that has one"
        raise ConfigError(f"'{path}': there is no list that has an item {name}", remedy=remedy)
    items = "item 0" if count == 1 else f"items 0 to {count - 1}"
    raise ConfigError(f"'{path}': the list has no item '{name}'", remedy=f"it has {items}")


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``change`` laid over it, mapping by mapping; a changed ``kind`` drops the old kind's options."""
    result = _copy(dict(base))
    for name, value in change.items():
        old = result.get(name)
        if isinstance(old, str) and isinstance(value, Mapping) and value.get("kind") == old:
            old = {"kind": old}
        if isinstance(old, dict) and isinstance(value, Mapping) and value.get("kind", old.get("kind")) == old.get("kind"):
            result[name] = merge(old, value)
        else:
            result[name] = _copy(value)
    return result


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copy(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copy(item) for item in value]
    return value


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split ``path=value``; the value is read as YAML, so that ``3``, ``1e-4``, ``true`` and ``[a, b]`` have their types.

    Nothing after the ``=`` is the empty string; a missing value is written ``null``.

    Raises
    ------
    ConfigError
        When there is no ``=`` or the value is not YAML.
    """
    path, separator, value = text.partition("=")
    if not separator or not path.strip():
        raise ConfigError(f"'{text}' is not of the form path=value", where="--set", remedy="for example: --set model.width=64")
    try:
        return path.strip(), _yaml.load(value) if value.strip() else ""
    except yaml.YAMLError as error:
        raise ConfigError(f"the value of '{path}' is not valid YAML", where="--set") from error
