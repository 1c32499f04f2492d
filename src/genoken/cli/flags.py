"""The flags of ``genoken train``: one table from a flag to a path of the configuration.

A flag that is not given changes nothing, so that presets and files keep their say.
"""

from __future__ import annotations

import functools
import inspect
import keyword
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

import typer

from genoken.core.components import kinds
from genoken.core.errors import ConfigError, suggestion

DATA, SUCCESSORS, MODEL, TRAINING, HARDWARE, OUTPUT = "Data", "Next cells", "Model", "Training", "Hardware", "Output"
"""The panels of the help page."""

Precision = Literal["auto", "bf16", "fp16", "fp32"]
Word = TypeVar("Word", bound=str)

TASKS = ("auto", "classification", "regression")
"""What a label can be."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
"""Number formats."""
BACKENDS = ("auto", "varlen", "flex", "sdpa", "eager")
"""Attention backends."""
MONITORS = ("objective", "loss", "macro_f1", "accuracy", "balanced_accuracy", "roc_auc", "r2")
"""Validation metrics that can choose the weights."""
MEMORY_USES = ("conservative", "balanced", "aggressive")
"""How close to the free memory a batch may come."""
LOGGERS = ("tensorboard", "csv", "wandb", "none")
"""Where training curves can go."""
TOKEN_OBJECTIVES = ("masked_feature", "masked_value", "next_cell", "next_value", "phenotype")
"""What can be hidden and asked for."""
DRAWS = ("random", "weighted", "first", "all")
"""How one of several successors is drawn."""
WITHOUT = ("skip", "identity", "refuse")
"""What becomes of cells without a successor."""
SEEN = ("strict", "self", "full")
"""What the tokens of next cells see."""
CONTROLS = ("reversed", "shuffled", "none")
"""Other successors that a network can be trained on."""
LEVELS = ("debug", "info", "warning", "error")
"""How much libraries can tell."""


@dataclass(frozen=True)
class Flag:
    """One flag.

    Parameters
    ----------
    name
        Without dashes; ``batch-size`` is given as ``--batch-size``.
    path
        Dotted path in :class:`genoken.core.config.RunConfig` of the setting that it stands for; empty if it stands for none.
    type
        ``int``, ``float``, ``str``, ``Path``, ``bool`` (then it takes no value) or ``list[str]`` (then it may be repeated).
    panel
        Panel of the help page.
    help
        One line.
    choices
        The allowed words; empty for any value.
    several
        Whether one value holds several words, with commas between them; ``none`` stands for an empty list. Words that are not
        among choices are numbers.
    names
        Whether several words are names, to be taken as they are.
    metavar
        Name of the value on the help page.
    short
        One-letter form, with its dash.
    or_number
        Whether a whole number may stand in the place of a choice.
    """

    name: str
    path: str
    type: Any
    panel: str
    help: str
    choices: tuple[str, ...] = ()
    several: bool = False
    names: bool = False
    metavar: str = ""
    short: str = ""
    or_number: bool = False

    @property
    def parameter(self) -> str:
        """Name of the Python parameter; ``from`` is a word of the language, so an underscore follows it."""
        name = self.name.replace("-", "_")
        return f"{name}_" if keyword.iskeyword(name) else name

    def read(self, value: Any) -> Any:
        """Return what was typed as the value that is meant.

        Raises
        ------
        ConfigError
            When a word is not among the choices, the message names the nearest one; or when it should be a number.
        """
        if self.or_number and value.removeprefix("-").isdecimal():
            return int(value)
        if not self.several:
            return one_of(value, self.choices, f"--{self.name}") if self.choices else value
        words = [word.strip() for word in value.split(",") if word.strip()]
        if words == ["none"]:
            return []
        if self.names:
            return words
        return [one_of(word, self.choices, f"--{self.name}") if self.choices else self._number(word) for word in words]

    def _number(self, word: str) -> float:
        try:
            return float(word)
        except ValueError as error:
            raise ConfigError(f"'{word}' is not a number", where=f"--{self.name}", remedy="for example: 0.1,0.5") from error


TRAIN_FLAGS: tuple[Flag, ...] = (
    Flag("label", "", str, DATA, "Column of obs to predict.", metavar="COLUMN"),
    Flag("group", "", str, DATA, "Column that must not straddle a split, such as a donor.", metavar="COLUMN"),
    Flag("positive", "", str, DATA, "One class against all others.", metavar="CLASS"),
    Flag("train", "", Path, DATA, "With --val and --test: three files in place of FILE.", metavar="FILE"),
    Flag("val", "", Path, DATA, "Samples that choose the stopping point.", metavar="FILE"),
    Flag("test", "", Path, DATA, "Samples to be tested on.", metavar="FILE"),
    Flag("phenotypes", "data.phenotypes_file", str, DATA, "Table with more columns of obs, by sample id.", metavar="FILE"),
    Flag(
        "covariates",
        "data.covariates",
        str,
        DATA,
        "Columns that are known beside the features, with commas.",
        several=True,
        names=True,
        metavar="COLUMNS",
    ),
    Flag("principal-components", "data.principal_components", int, DATA, "Genotypes: components for ancestry.", metavar="N"),
    Flag("kinship", "data.kinship", float, DATA, "Genotypes: kinship from which samples stay together.", metavar="KINSHIP"),
    Flag("autosomes", "data.autosomes", int, DATA, "Chromosomes of the species before X in PLINK's numbers.", metavar="N"),
    Flag("strata", "data.strata", str, DATA, "Column within whose values scores are given too.", metavar="COLUMN"),
    Flag("task", "data.task", str, DATA, "What the label calls for", TASKS),
    Flag("source", "data.source", str, DATA, "Where the values are: auto, X, raw or layers/NAME.", metavar="MATRIX"),
    Flag("split", "split.kind", str, DATA, "How samples are divided into train, validation and test.", kinds("splits")),
    Flag("folds", "split.folds", int, DATA, "Cross-validation with this many folds.", metavar="K"),
    Flag("tokenizer", "tokenizer.kind", str, DATA, "How a sample becomes tokens.", kinds("tokenizers")),
    Flag("tokens", "tokenizer.tokens", str, DATA, "Which genes become tokens.", ("expressed", "all")),
    Flag("hvgs", "tokenizer.hvgs", int, DATA, "Highly variable genes, chosen on the train split; 0 for all.", metavar="N"),
    Flag("top-genes", "tokenizer.top_genes", int, DATA, "Binned tokens: variable genes, the most variable first.", metavar="N"),
    Flag("bin-edges", "tokenizer.edges", str, DATA, "Binned tokens: bin edges, with commas.", several=True, metavar="EDGES"),
    Flag("max-tokens", "tokenizer.max_tokens", int, DATA, "Most tokens of one sample; the highest values stay.", metavar="N"),
    Flag(
        "min-coverage", "data.min_coverage", float, DATA, "Share of the model's genes that another file must hold.", metavar="SHARE"
    ),
    Flag("limit-samples", "data.limit_samples", int, DATA, "Use at most this many samples.", metavar="N"),
    Flag("train-share", "data.train_share", float, DATA, "Share of the train samples to learn from.", metavar="SHARE"),
    Flag("strict", "data.strict", bool, DATA, "Refuse samples without a label, and empty ones, instead of leaving them out."),
    Flag("preset", "", str, MODEL, "Named configuration to start from.", metavar="NAME"),
    Flag("config", "", Path, MODEL, "YAML file, laid over the preset.", metavar="FILE"),
    Flag("set", "", list[str], MODEL, "Any setting, laid over the file; can be repeated.", metavar="PATH=VALUE"),
    Flag("from", "", Path, MODEL, "Pretraining run whose tokenizer, weights and split are taken over.", metavar="FOLDER"),
    Flag("pooling", "model.pooling", str, MODEL, "What stands for the sample: its CLS token, or the mean of all.", ("cls", "mean")),
    Flag("encoder", "model.encoder.kind", str, MODEL, "Body of the network.", kinds("encoders")),
    Flag(
        "baselines", "evaluation.baselines", str, MODEL, "Simple rivals, with commas.", (*kinds("baselines"), "none"), several=True
    ),
    Flag(
        "rivals",
        "evaluation.rivals",
        str,
        MODEL,
        "Networks to train as rivals, with commas.",
        ("mlp", "linear", "scratch", "none"),
        several=True,
    ),
    Flag(
        "contrast",
        "evaluation.contrast",
        str,
        MODEL,
        "Fit everything again on random samples, to show how much a split across groups leaks.",
        ("none", "random_split"),
    ),
    Flag("epochs", "training.epochs", int, TRAINING, "Passes over the train split; 0: by its size.", metavar="N"),
    Flag("batch-size", "training.batch_size", str, TRAINING, "Samples per batch, or", ("auto",), metavar="N", or_number=True),
    Flag("memory-use", "training.memory_use", str, TRAINING, "How far --batch-size auto goes", MEMORY_USES),
    Flag("memory-fraction", "training.memory_fraction", float, TRAINING, "Share of the free memory it counts on.", metavar="SHARE"),
    Flag("tokens-per-batch", "training.tokens_per_batch", int, TRAINING, "Most tokens of one batch; 0 for no bound.", metavar="N"),
    Flag("eval-batch-size", "training.eval_batch_size", int, TRAINING, "Samples per batch when not training.", metavar="N"),
    Flag("balanced-sampling", "training.balanced_sampling", bool, TRAINING, "Show every class equally often in an epoch."),
    Flag("accumulate", "training.accumulate", int, TRAINING, "Batches per optimizer step.", metavar="N"),
    Flag("learning-rate", "training.learning_rate", float, TRAINING, "Highest learning rate of AdamW.", metavar="RATE"),
    Flag("freeze-layers", "training.freeze_layers", int, TRAINING, "Lowest blocks to freeze, with the embedding.", metavar="N"),
    Flag(
        "layer-decay",
        "training.layer_decay",
        float,
        TRAINING,
        "Factor on the learning rate from each block to the one below it.",
        metavar="FACTOR",
    ),
    Flag("weight-decay", "training.weight_decay", float, TRAINING, "Decoupled weight decay.", metavar="RATE"),
    Flag("warmup", "training.warmup", float, TRAINING, "Share of the steps, 0 to 1, over which the rate rises.", metavar="SHARE"),
    Flag("patience", "training.patience", int, TRAINING, "Epochs without improvement before stopping; 0: never stop.", metavar="N"),
    Flag("evaluate-every", "training.evaluate_every", int, TRAINING, "Steps between validations; 0: one per epoch.", metavar="N"),
    Flag("monitor", "training.monitor", str, TRAINING, "Validation metric that chooses the best weights.", MONITORS),
    Flag("seed", "training.seed", int, TRAINING, "Every random draw is a function of it.", metavar="N"),
    Flag("fast-dev-run", "", bool, TRAINING, "Try everything out: 200 samples, 4 batches, 1 epoch."),
    Flag("precision", "training.precision", str, HARDWARE, "Number format", PRECISIONS),
    Flag("attention", "training.attention", str, HARDWARE, "Attention backend (see genoken devices)", BACKENDS),
    Flag("compile", "training.compile", bool, HARDWARE, "Compile each encoder layer with torch.compile."),
    Flag("gradient-checkpointing", "training.gradient_checkpointing", bool, HARDWARE, "Less memory, slower steps."),
    Flag("num-workers", "training.num_workers", int, HARDWARE, "Threads that prepare batches ahead of the step.", metavar="N"),
    Flag("devices", "training.devices", int, HARDWARE, "Devices, or CPU processes, per node.", metavar="N"),
    Flag("nodes", "training.nodes", int, HARDWARE, "Nodes.", metavar="N"),
    Flag("strategy", "training.strategy", str, HARDWARE, "How several devices share the work.", ("auto", "ddp")),
    Flag("output", "", Path, OUTPUT, "Run folder; runs/FILE-LABEL when left out.", metavar="FOLDER", short="-o"),
    Flag("overwrite", "", bool, OUTPUT, "Replace a run folder that exists."),
    Flag("resume", "", Path, OUTPUT, "Go on with a run that was stopped; everything else comes from it.", metavar="FOLDER"),
    Flag("checkpoint-every", "training.checkpoint_every", int, OUTPUT, "Steps between checkpoints; 0: one per epoch.", metavar="N"),
    Flag("keep-last", "training.keep_last", int, OUTPUT, "Checkpoints kept.", metavar="N"),
    Flag("logger", "training.logger", str, OUTPUT, "Where training curves go besides history.csv.", LOGGERS),
    Flag("profile", "training.profile", bool, OUTPUT, "Write a profile of the training steps into the run folder."),
    Flag("log-level", "", str, OUTPUT, "How much libraries tell; warning when left out.", LEVELS),
    Flag("quiet", "", bool, OUTPUT, "Write nothing but errors."),
)
"""Every flag of ``genoken train``, in the order of its help page."""

_NOT_OF_PRETRAINING = frozenset(
    {"label", "group", "positive", "train", "val", "test", "task", "split", "folds", "tokens", "strict", "baselines", "rivals",
     "contrast", "monitor", "phenotypes", "encoder", "output", "fast-dev-run", "from", "train-share",
     "balanced-sampling", "memory-use", "memory-fraction", "covariates", "principal-components", "kinship", "strata"}
)  # fmt: skip
PRETRAIN_FLAGS: tuple[Flag, ...] = (
    Flag("eval", "", list[str], DATA, "Files to report on, in place of samples held out; can be repeated.", metavar="FILES"),
    Flag("group", "data.group", str, DATA, "Column whose values are held out whole, such as a compound.", metavar="COLUMN"),
    Flag("test-share", "data.test", float, DATA, "Share of the samples held out to be reported on.", metavar="SHARE"),
    Flag("phenotypes", "", str, DATA, "Columns of obs that become tokens, with commas.", metavar="COLUMNS"),
    Flag("phenotype-map", "data.phenotype_map", str, DATA, "JSON file that fixes the phenotypes' values.", metavar="FILE"),
    Flag("strict", "data.strict", bool, DATA, "Refuse samples with missing values instead of leaving them out."),
    Flag(
        "successors", "successors.key", str, SUCCESSORS, "Key of obsp, neighbors.json or SCDL folder: who is next.", metavar="KEY"
    ),
    Flag("draw", "successors.draw", str, SUCCESSORS, "Which of several successors is learned from", DRAWS),
    Flag("without-successor", "successors.without", str, SUCCESSORS, "What becomes of cells that have none", WITHOUT),
    Flag("next-attention", "successors.attention", str, SUCCESSORS, "What next tokens see beside the current cell", SEEN),
    Flag("successor-time", "successors.time", str, SUCCESSORS, "Column of obs with time or pseudotime.", metavar="COLUMN"),
    Flag("types", "successors.types", str, SUCCESSORS, "Column of obs with cell types, for rules and controls.", metavar="COLUMN"),
    Flag(
        "controls",
        "successors.controls",
        str,
        SUCCESSORS,
        "Other successors to train on, to see what is learned",
        CONTROLS,
        several=True,
    ),
    Flag("objective", "", str, MODEL, "What is hidden and asked for, with commas.", TOKEN_OBJECTIVES, several=True),
    Flag("mask-probability", "", float, MODEL, "Share of the features' tokens that is hidden.", metavar="SHARE"),
    Flag("mask-share", "", float, MODEL, "Share of the hidden tokens that is masked; what is left is kept.", metavar="SHARE"),
    Flag("random-share", "", float, MODEL, "Share of the hidden tokens that is replaced by others.", metavar="SHARE"),
    Flag("from", "", Path, MODEL, "Earlier pretraining run to go on from.", metavar="FOLDER"),
    Flag("width", "model.width", int, MODEL, "Numbers per token.", metavar="N"),
    Flag("layers", "model.encoder.layers", int, MODEL, "Blocks of the transformer.", metavar="N"),
    Flag("heads", "model.encoder.heads", int, MODEL, "Attention heads per block.", metavar="N"),
    Flag("dropout", "model.encoder.dropout", float, MODEL, "Dropout within blocks.", metavar="SHARE"),
    Flag("feed-forward", "model.encoder.feed_forward", int, MODEL, "Width of a block's hidden layer.", metavar="N"),
    *(flag for flag in TRAIN_FLAGS if flag.name not in _NOT_OF_PRETRAINING),
    Flag("output", "", Path, OUTPUT, "Run folder; runs/pretrained-FILE when left out.", metavar="FOLDER", short="-o"),
    Flag("limit-batches", "training.limit_batches", int, TRAINING, "Batches per epoch; 0 for all.", metavar="N"),
    Flag("fast-dev-run", "", bool, TRAINING, "Try everything out: 200 samples, 4 batches, 1 epoch."),
)
"""Every flag of ``genoken pretrain``."""


@dataclass(frozen=True)
class Given:
    """What was typed.

    Parameters
    ----------
    settings
        Configuration path to value, for the flags that stand for a setting.
    others
        Parameter name to value, for those that do not.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)


def one_of(word: str, known: Sequence[Word], option: str) -> Word:
    """Return the known word that was typed.

    Raises
    ------
    ConfigError
        When there is none; the message names the nearest ones.
    """
    for candidate in known:
        if candidate == word:
            return candidate
    raise ConfigError(f"'{word}' is not among its words", where=option, remedy=suggestion(word, known, "choose among"))


def with_choices(text: str, choices: Sequence[str]) -> str:
    """Return one line of help with the words that can be chosen: ``Number format: auto, bf16, fp16, fp32.``."""
    return f"{text.rstrip('.')}: {', '.join(choices)}." if choices else text


def read_flags(values: Mapping[str, Any], flags: Sequence[Flag] = TRAIN_FLAGS) -> Given:
    """Sort what was typed into settings and the rest.

    Parameters
    ----------
    values
        Parameter name to what was typed; ``None``, ``False`` or an empty list where a flag was not given.
    flags
        The verb's flags.

    Raises
    ------
    ConfigError
        When a word is not among a flag's choices.
    """
    typed = {flag: flag.read(values[flag.parameter]) for flag in flags if _was_typed(values.get(flag.parameter))}
    return Given(
        settings={flag.path: value for flag, value in typed.items() if flag.path},
        others={flag.parameter: value for flag, value in typed.items() if not flag.path},
    )


def _was_typed(value: Any) -> bool:
    return value is not None and value is not False and value != []  # 0 was typed, although it equals False


def takes_flags(flags: Sequence[Flag]) -> Callable[[Callable[[Any, Given], None]], Callable[..., None]]:
    """Give a command of a file or several, which may be left out, these flags in place of its parameter ``given``."""

    def decorate(command: Callable[[Any, Given], None]) -> Callable[..., None]:
        file, _ = inspect.signature(command).parameters.values()
        hint = get_type_hints(command, include_extras=True)[file.name]
        parameters = [file.replace(annotation=hint, default=None), *(_parameter(flag) for flag in flags)]

        @functools.wraps(command)
        def parsed(**values: Any) -> None:
            command(values.pop(file.name), read_flags(values, flags))

        parsed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        parsed.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return parsed

    return decorate


def _parameter(flag: Flag) -> inspect.Parameter:
    option = typer.Option(
        *([flag.short] if flag.short else []),
        f"--{flag.name}",
        help=with_choices(flag.help, flag.choices),
        rich_help_panel=flag.panel,
        metavar=flag.metavar or (" " if flag.type is bool else "WORDS" if flag.several else "WORD"),
        show_default=False,
    )
    kind = bool if flag.type is bool else flag.type | None
    default = False if flag.type is bool else None
    return inspect.Parameter(flag.parameter, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])
