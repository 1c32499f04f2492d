"""What each family of parts promises. Members are settings objects; what is learned from data is passed to their methods."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:  # settings and the command line's help must not wait for pandas or torch
    import numpy as np
    import pandas as pd
    import scipy.sparse as sp
    from torch import Tensor, nn

    from genoken.core.batch import Batch, LossTerm, Tokens
    from genoken.core.calls import Calls
    from genoken.core.genotypes import BlockRequest, Population
    from genoken.core.layout import HeadSpec, Layout
    from genoken.core.samples import Samples

Task = Literal["classification", "regression"]


class Reader(abc.ABC):
    """Reads one kind of file into :class:`Samples`."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """File name endings that this reader takes, lower case, with the dot."""
    folder_files: ClassVar[tuple[str, ...]] = ()
    """Names of files by which a folder that this reader takes is known: it holds one of them."""

    @abc.abstractmethod
    def read(self, path: Path) -> Samples:
        """Read the file; raise :class:`genoken.core.errors.DataError` with the file's name when it cannot be read."""


MADE_OF = "made_of"
"""Fact of a :class:`TokenizerState` with the ids of what its features are made of, in order."""


@dataclass(frozen=True)
class TokenizerState:
    """What a tokenizer learned from the train split; saved as ``tokenizer.json`` and ``vocabulary.parquet``.

    Parameters
    ----------
    feature_ids
        The vocabulary, in order: feature ``i`` has identity ``NUM_SPECIALS + i``.
    per_feature
        Name to float64 array of shape (features,), for example train means.
    facts
        Anything else, in JSON's own types.
    symbols
        Readable name of each feature, where the vocabulary came with names; else those of the file are taken.
    """

    feature_ids: tuple[str, ...]
    per_feature: Mapping[str, np.ndarray] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    symbols: tuple[str, ...] = ()

    def sought(self, symbols: tuple[str, ...] = ()) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the ids of what is looked for in a file, and readable names of these, as far as they are known.

        That is the vocabulary itself, whose names are ``symbols``, unless its features are made of others, such as blocks of
        variants: then it is these, the fact :data:`MADE_OF`.
        """
        made_of = self.facts.get(MADE_OF)
        return (self.feature_ids, symbols or self.symbols) if made_of is None else (tuple(made_of), ())


class Tokenizer(abc.ABC):
    """Turns rows of a matrix into packed tokens. Fitted on the train split only."""

    def refuse(self, samples: Samples) -> None:  # noqa: B027 - most take any
        """Refuse samples that lack what the tokens hold, before anything is divided or learned, by a ``DataError``."""

    def block_request(self, train: Samples) -> BlockRequest | None:
        """Return which variants must be in blocks for :meth:`fit`, which then finds these in the column ``block`` of the features.

        ``None``, as for most tokenizers, where none need be.
        """
        return None

    @abc.abstractmethod
    def fit(self, train: Samples) -> TokenizerState:
        """Learn the vocabulary and whatever else is needed from the train split."""

    @abc.abstractmethod
    def layout(self, state: TokenizerState) -> Layout:
        """Return the channels that :meth:`encode` emits."""

    @abc.abstractmethod
    def prepare(self, samples: Samples, columns: np.ndarray, state: TokenizerState) -> Calls | sp.csr_matrix:
        """Return the matrix (samples, vocabulary) that tokens and baselines are made of, or where that says as much, calls.

        The other methods take what this one returns, or rows of it.

        ``columns[j]`` is the column of ``samples`` that holds feature ``j`` of :meth:`TokenizerState.sought`, mostly the
        vocabulary's, or -1 where it is missing.
        """

    def notes(self, samples: Samples, state: TokenizerState) -> tuple[str, ...]:
        """Return what a user should know of these samples' values beside those of the train split, as sentences; often nothing."""
        return ()

    def plain_values(self, prepared: sp.csr_matrix, state: TokenizerState) -> sp.csr_matrix:
        """Return prepared values as those get them that know no tokens, such as baselines: finite numbers; often as they are.

        Features without order, such as the haplotypes of a block, have several columns each.
        """
        return prepared

    def population(self, state: TokenizerState) -> Population | None:
        """Return which values the features take where these are genotypes, so that a sample can be held against the others."""
        return None

    def feature_values(self, prepared: sp.csr_matrix, state: TokenizerState) -> sp.csr_matrix:
        """Return one finite number per feature of the vocabulary, (samples, vocabulary): the plain values where these are such."""
        return self.plain_values(prepared, state)

    @abc.abstractmethod
    def encode(self, prepared: sp.csr_matrix, rows: np.ndarray, state: TokenizerState) -> Tokens:
        """Return the packed tokens of these rows of the prepared matrix."""

    @abc.abstractmethod
    def lengths(self, prepared: sp.csr_matrix, state: TokenizerState) -> np.ndarray:
        """Return the number of tokens that :meth:`encode` gives each sample, int64, without making them."""


class Split(abc.ABC):
    """Divides samples into folds of train, validation and test."""

    @abc.abstractmethod
    def assign(self, labels: np.ndarray, groups: np.ndarray | None, table: pd.DataFrame, seed: int) -> np.ndarray:
        """Return an array of shape (folds, samples) of the words ``train``, ``val``, ``test`` (or ``unused``).

        ``labels`` are class codes or real targets; ``groups`` are one group name per sample, or ``None``.
        """


class Encoder(abc.ABC):
    """Settings of a network body."""

    takes: ClassVar[Literal["tokens", "bag", "grid"]]
    """``tokens``: a packed set of embedded tokens; ``bag``: one value-weighted sum of feature vectors per sample; ``grid``: the
    numbers of every feature in order, see :class:`GridEncoder`."""
    gives: ClassVar[Literal["states", "outputs"]] = "states"
    """``states``: states of tokens or samples, of which a head makes outputs; ``outputs``: these themselves."""

    @abc.abstractmethod
    def build(self, width: int) -> nn.Module:
        """Return the module.

        ``tokens``: ``forward(states (tokens, width), packing) -> (tokens, width)``; ``bag``:
        ``forward(states (samples, width)) -> (samples, width)``.
        """

    def kept_numbers(self, tokens: int, width: int, *, all_pairs: bool = False) -> int:
        """Return about how many numbers of a sample the backward pass needs, to estimate memory; 0 where that is not known.

        Parameters
        ----------
        tokens
            Tokens, or features, of the sample.
        width
            Width of a state.
        all_pairs
            Whether the attention backend keeps a weight for each pair of tokens that see each other; fused ones compute it again.
        """
        return 0


@dataclass(frozen=True)
class TargetState:
    """What an objective learned about the target from the train split.

    Parameters
    ----------
    task
        ``classification`` or ``regression``.
    label
        Name of the column.
    classes
        Class names in code order; empty for regression.
    class_counts
        Train samples of each class; empty for regression.
    center, scale
        Mean and standard deviation of the train targets (regression; 0 and 1 otherwise).
    """

    task: Task
    label: str
    classes: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    center: float = 0.0
    scale: float = 1.0


class Objective(abc.ABC):
    """Hides, writes targets, scores. Never owns a layer."""

    task: ClassVar[Task]

    @abc.abstractmethod
    def fit(self, labels: np.ndarray, label: str, classes: tuple[str, ...]) -> TargetState:
        """Learn class counts or the scale of the target from the train labels.

        ``labels`` holds class codes (int64, indices into ``classes``) or real targets (float64).
        """

    @abc.abstractmethod
    def head(self, state: TargetState) -> HeadSpec:
        """Return what the model must output."""

    @abc.abstractmethod
    def prepare(self, batch: Batch, labels: np.ndarray, state: TargetState) -> Batch:
        """Return the batch with its targets written; ``labels`` are those of the batch's samples."""

    @abc.abstractmethod
    def loss(self, outputs: Tensor, batch: Batch, state: TargetState) -> LossTerm:
        """Score outputs of shape (samples, outputs) against the batch's targets."""

    def loss_per_nat(self, term: LossTerm) -> float:
        """Return by how much a sample's loss grows when its log-likelihood falls by 1, given a batch's loss.

        What is measured in nats, see :class:`Penalized`, is brought to the loss's own units by it. 1 where the loss is a negative
        log-likelihood.
        """
        return 1.0

    @abc.abstractmethod
    def predict(self, outputs: Tensor, state: TargetState) -> Tensor:
        """Return class probabilities (samples, classes), or predictions (samples,) in the target's own units."""


class TokenObjective(abc.ABC):
    """Hides tokens, asks what was hidden, scores. Members are combined with weights; never owns a layer."""

    segment: ClassVar[Literal["features", "phenotypes", "next"]]
    """Which tokens it hides: features or phenotypes of a sample, or the features of the one that comes next."""
    weight: float
    """Weight of its mean loss beside those of other objectives."""

    @abc.abstractmethod
    def draw(self, seed: int, epoch: int, num_epochs: int) -> MaskDraw:
        """Return the draw of masks for one epoch of training, or for evaluation (``epoch`` -1)."""

    @abc.abstractmethod
    def head(self, layout: Layout) -> HeadSpec:
        """Return what the model must output at each target."""

    @abc.abstractmethod
    def hide(self, batch: Batch, layout: Layout, draw: MaskDraw, statistics: FeatureStatistics | None = None) -> Batch:
        """Return the batch with some tokens hidden, and its targets written.

        Written are ``targets["KIND.places"]``, int64 indices into the batch's tokens, ascending, and ``targets["KIND.labels"]``,
        one per place, where ``KIND`` is the objective's kind. Targets of other objectives are kept and their tokens left alone, so
        that objectives may be applied one after the other. The batch is in host memory. ``statistics`` are used by those objectives
        that standardize.
        """

    @abc.abstractmethod
    def loss(self, outputs: Tensor, batch: Batch, layout: Layout) -> LossTerm:
        """Score outputs of shape (targets, outputs) against the batch's targets."""

    @abc.abstractmethod
    def measure(self, outputs: Tensor, batch: Batch, layout: Layout) -> Mapping[str, Tensor]:
        """Return what evaluation collects of each target, name to tensor of shape (targets,)."""


@dataclass(frozen=True)
class MaskDraw:
    """Which draw of masks this is; together with a sample's row it decides everything that is random about them.

    Parameters
    ----------
    seed
        Seed of the run.
    epoch
        Epoch of training, 0 in every epoch where masks are static; -1 in evaluation, whose masks are fixed.
    probability
        Share of the segment's tokens that is hidden in this epoch.
    """

    seed: int
    epoch: int
    probability: float


@dataclass(frozen=True)
class FeatureStatistics:
    """Moments of each feature's values in the train split, in the units of the value channel.

    Parameters
    ----------
    mean
        Shape (features,).
    deviation
        Shape (features,), above zero; a feature that hardly varies wants a floor, lest it is blown up.
    """

    mean: np.ndarray
    deviation: np.ndarray

    def __post_init__(self) -> None:
        if self.mean.shape != self.deviation.shape or not (self.deviation > 0).all():
            raise ValueError("one mean and one deviation above zero for each feature")


BaselineColumns = Literal["features", "both", "covariates", "covariates_pcs"]
"""What a baseline is told of a sample: the prepared ``features``; ``both``: these, then its covariates; the ``covariates`` alone;
``covariates_pcs``: the covariates, then the principal components of its genotypes."""


class Baseline(abc.ABC):
    """A simple rival, fitted on the same rows and the same features as the model."""

    tasks: ClassVar[tuple[Task, ...]]
    portable: ClassVar[bool] = True
    """Whether the state is plain numbers, which a run saves to score other files. Otherwise its arrays may hold Python objects: the
    baseline is then compared within the run that fitted it and nowhere else, because nothing is ever pickled."""
    uses: ClassVar[BaselineColumns] = "features"
    """Which columns it gets, see :data:`BaselineColumns`."""

    @abc.abstractmethod
    def fit(self, problem: BaselineProblem) -> Mapping[str, np.ndarray]:
        """Fit on train, tuned on validation, and return all that :meth:`predict` needs."""

    @abc.abstractmethod
    def predict(self, state: Mapping[str, np.ndarray], values: sp.csr_matrix) -> np.ndarray:
        """Return what :meth:`Objective.predict` returns, for samples with the columns of the problem that was fitted."""


@dataclass(frozen=True)
class BaselineProblem:
    """What a baseline is fitted on.

    Parameters
    ----------
    train, val
        CSR matrices (samples, columns): prepared values, covariates behind them, or these alone, as :attr:`Baseline.uses` says.
    train_labels, val_labels
        Class codes or real targets.
    num_classes
        Number of classes; 0 for regression.
    seed
        Seed of the run.
    refit
        Whether the baseline, once tuned, is fitted again with the tuned settings on train and validation together, so that it
        has seen as much as the final model of a cross-validation.
    num_covariates
        How many of the last columns are covariates that stand behind features.
    """

    train: sp.csr_matrix
    val: sp.csr_matrix
    train_labels: np.ndarray
    val_labels: np.ndarray
    num_classes: int
    seed: int
    refit: bool = False
    num_covariates: int = 0

    @property
    def num_features(self) -> int:
        """Columns that are no covariates behind features."""
        return self.train.shape[1] - self.num_covariates


class Explained(Protocol):
    """A fitted network with the samples on which it is explained, as an attribution sees it."""

    @property
    def layout(self) -> Layout:
        """What the tokenizer emits."""

    @property
    def pooling(self) -> str:
        """``cls`` or ``mean``: what stands for the sample."""

    @property
    def has_attention(self) -> bool:
        """Whether there is attention to read."""

    def passes(self, rows: np.ndarray, max_tokens: int) -> list[np.ndarray]:
        """Cut rows into batches of similar samples; return the positions in ``rows`` that make up each."""

    def batch(self, rows: np.ndarray) -> Batch:
        """Return the packed tokens of these rows on the network's device."""

    def class_scores(self, batch: Batch, classes: np.ndarray, embedded: Tensor | None = None) -> Tensor:
        """Return the explained output (samples,), a function that can be differentiated.

        It is one of the batch's channels or, where they are given, of the tokens' vectors (tokens, width).
        """

    def embedded(self, batch: Batch) -> Tensor:
        """Return the tokens' vectors (tokens, width), without a gradient."""

    @property
    def has_pooling_weights(self) -> bool:
        """Whether features are pooled with weights that can be read."""

    def pooling_weights(self, batch: Batch) -> Tensor:
        """Return the weight of each token in its sample's state, (tokens,)."""

    @property
    def has_place_attention(self) -> bool:
        """Whether there is attention between places along the genome, each of which stands for several features."""

    def place_weights(self, batch: Batch) -> Tensor:
        """Return the weight of each place in its sample's state, (samples, places)."""

    def spread(self, weights: Tensor) -> Tensor:
        """Return weights of places, (samples, places), shared out equally among the tokens of each, (tokens,)."""

    def attention(self, row: int) -> list[Tensor]:
        """Return each layer's attention in one sample, mean over heads, as matrices (tokens, tokens) or (places, places)."""

    @property
    def population(self) -> Population | None:
        """Which values the features take among the train samples where they are genotypes; ``None`` where they are not."""

    def uniform_batch(self, value: float) -> Batch:
        """Return the packed tokens of one sample that has this prepared value, NaN where it is missing, in every feature."""


@dataclass(frozen=True)
class TokenAttribution:
    """How much each token of each sample contributed.

    Parameters
    ----------
    scores
        CSR matrix (samples, features), zeros of tokens stored, those of a feature's tokens added; specials are left out.
    errors
        ``|sum of scores - change of the output|`` of each sample; ``None`` where the method promises no such sum.
    changes
        Magnitude of that change, ``|f(sample) - f(baseline)|``; ``None`` together with ``errors``.
    """

    scores: sp.csr_matrix
    errors: np.ndarray | None = None
    changes: np.ndarray | None = None

    @property
    def completeness_error(self) -> float | None:
        """Sum of the errors over the sum of the changes; ``None`` where the method promises no such sum.

        A mean change below 0.001 counts as 0.001, lest the rounding of an output that hardly changes looks like an error.
        """
        if self.errors is None or self.changes is None:
            return None
        return float(self.errors.sum() / max(self.changes.sum(), 1e-3 * max(len(self.changes), 1)))


class Attribution(abc.ABC):
    """Says how much each token of a sample contributed to the network's output for one class."""

    signed: ClassVar[bool]
    """Whether a negative score speaks against the class; otherwise scores are magnitudes."""
    note: ClassVar[str]
    """What must be known to read the scores, for the report."""
    note_without_numbers: ClassVar[str] = ""
    """The same where tokens hold no numbers, such as ranks; empty where it is no other."""
    note_for_variants: ClassVar[str] = ""
    """The same where features are variants, with genotypes; empty where it is no other."""

    @abc.abstractmethod
    def attribute(self, subject: Explained, rows: np.ndarray, classes: np.ndarray) -> TokenAttribution:
        """Attribute the output for ``classes[i]`` in sample ``rows[i]`` to its tokens; classes are ignored in regression."""
