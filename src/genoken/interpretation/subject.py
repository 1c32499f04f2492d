"""What is explained: a fitted network together with samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from genoken.core.batch import Batch
from genoken.core.contracts import Objective, TargetState
from genoken.core.errors import ConfigError
from genoken.core.genotypes import Population
from genoken.core.layout import NUM_SPECIALS, Layout
from genoken.data.dataset import TokenDataset
from genoken.data.order import cut_batches
from genoken.models.network import Network

TOKENS_PER_PASS = 16_384
"""Tokens that go through the network at once when no gradient is kept."""


@dataclass(frozen=True)
class Subject:
    """A fitted network with the samples on which it is explained.

    The explained output ``f`` of a sample for class ``c`` is a log-odds or a logit, not a probability, because a probability near 1
    hardly changes and would hide what it rests on:

    - two classes, one logit ``o``: ``o`` for class 1 and ``-o`` for class 0, the log-odds of the class;
    - more classes: the logit of the class (its log-probability up to a term that all classes share);
    - regression: the output, in standard deviations of the train target.

    Everything runs without dropout, in float32, on the network's device; the network is left in the mode in which it was.

    Parameters
    ----------
    network
        The fitted network.
    dataset
        The samples; with labels where these are known.
    objective, target
        What was learned.
    """

    network: Network
    dataset: TokenDataset
    objective: Objective
    target: TargetState

    @property
    def layout(self) -> Layout:
        """What the tokenizer emits."""
        return self.dataset.layout

    @property
    def pooling(self) -> str:
        """``cls`` or ``mean``: what stands for the sample."""
        return self.network.pooling

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        return next(self.network.parameters()).device

    @property
    def has_attention(self) -> bool:
        """Whether the network has attention between tokens."""
        return not self.has_pooling_weights and bool(self.network.attention_layers())

    @property
    def has_pooling_weights(self) -> bool:
        """Whether the network pools features with weights of their own."""
        return self.network.has_pooling_weights

    @torch.no_grad()
    def pooling_weights(self, batch: Batch) -> Tensor:
        """Return how much each token counts in its sample's state, shape (tokens,)."""
        with self._evaluating():
            return self.network.pooling_weights(batch)

    @property
    def has_place_attention(self) -> bool:
        """Whether the network has attention between places along the genome, each of which stands for several features."""
        return self.network.has_place_attention

    @torch.no_grad()
    def place_weights(self, batch: Batch) -> Tensor:
        """Return how much each place counts in its sample's state, shape (samples, places)."""
        with self._evaluating():
            return self.network.place_weights(batch)

    def spread(self, weights: Tensor) -> Tensor:
        """Return weights (samples, places) shared out equally among the tokens of each place, (tokens,)."""
        return self.network.spread(weights)

    @property
    def population(self) -> Population | None:
        """Which values the features take among the train samples where they are genotypes; ``None`` where they are not."""
        return self.dataset.tokenizer.population(self.dataset.state)

    def uniform_batch(self, value: float) -> Batch:
        """Return the packed tokens of one sample that has this prepared value, NaN where it is missing, in every feature."""
        filled = sp.csr_matrix(np.full((1, self.layout.num_features), value, dtype=np.float32))
        return self.with_values(filled).batch(np.array([0]))

    def passes(self, rows: np.ndarray, max_tokens: int = TOKENS_PER_PASS) -> list[np.ndarray]:
        """Cut rows into batches of at most ``max_tokens`` tokens (or one sample), samples of similar length together.

        Returns
        -------
        list of numpy.ndarray
            Positions in ``rows``; together they are a permutation of all positions.
        """
        lengths = self.dataset.lengths()[rows]
        budget = max(max_tokens, int(lengths.max(initial=1)))
        return cut_batches(np.argsort(lengths, kind="stable"), lengths, batch_size=max(len(rows), 1), tokens_per_batch=budget)

    def batch(self, rows: np.ndarray) -> Batch:
        """Return the packed tokens of these rows on the network's device."""
        return self.dataset.batch(np.asarray(rows, dtype=np.int64)).to(self.device)

    def class_scores(self, batch: Batch, classes: np.ndarray, embedded: Tensor | None = None) -> Tensor:
        """Return the explained output of each sample for one class, shape (samples,).

        Parameters
        ----------
        batch
            Packed tokens; the value channel may require gradients.
        classes
            Class code of each sample; ignored in regression.
        embedded
            Vectors (tokens, width) in the place of those that the embedding makes of the tokens; they may require gradients.
        """
        with self._evaluating():
            outputs = self.network(batch, embedded).outputs
        if self.target.task == "regression":
            return outputs[:, 0]
        codes = torch.as_tensor(np.asarray(classes, dtype=np.int64), device=outputs.device)
        if outputs.shape[1] == 1:
            return torch.where(codes == 1, outputs[:, 0], -outputs[:, 0])
        return outputs.gather(1, codes.unsqueeze(1)).squeeze(1)

    @torch.no_grad()
    def embedded(self, batch: Batch) -> Tensor:
        """Return what the embedding makes of the tokens, shape (tokens, width)."""
        with self._evaluating():
            return self.network.embedded_tokens(batch)

    @torch.no_grad()
    def predictions(self, rows: np.ndarray) -> np.ndarray:
        """Return class probabilities (rows, classes), or for regression standardized outputs (rows,)."""
        rows = np.asarray(rows, dtype=np.int64)
        width = len(self.target.classes) if self.target.task == "classification" else 1
        result = np.zeros((len(rows), width))
        with self._evaluating():
            for positions in self.passes(rows):
                outputs = self.network(self.batch(rows[positions])).outputs
                if self.target.task == "classification":
                    outputs = self.objective.predict(outputs, self.target)
                result[positions] = outputs.double().cpu().numpy()
        return result if self.target.task == "classification" else result[:, 0]

    def classes_of_interest(self, rows: np.ndarray) -> np.ndarray:
        """Return the class code for which each row is explained: its label, or the predicted class where there are no labels."""
        if self.target.task == "regression":
            return np.zeros(len(rows), dtype=np.int64)
        if self.dataset.labels is not None:
            return np.asarray(self.dataset.labels)[rows].astype(np.int64)
        return self.predictions(rows).argmax(axis=1)

    def attention(self, row: int) -> list[Tensor]:
        """Return each layer's attention in one sample, mean over heads, as float32 matrices (tokens, tokens).

        Where attention is between places along the genome, they are (places, places). Row ``i`` says where token ``i`` looks, and
        sums to 1. Only one sample is in memory at a time.

        Raises
        ------
        ConfigError
            When the network has no attention.
        """
        found: list[Tensor] = []
        self.read_attention(row, lambda weights: found.append(weights.mean(dim=0)))
        return found

    @torch.no_grad()
    def read_attention(self, row: int, read: Callable[[Tensor], None]) -> None:
        """Hand the attention weights of one sample to ``read``, layer by layer from the first, as float32 (heads, tokens, tokens).

        Raises
        ------
        ConfigError
            When the network has no attention.
        """
        if not (self.has_attention or self.has_place_attention):
            raise ConfigError(
                "the method 'attention' needs an encoder with attention layers, and this one has none",
                remedy="use --method integrated_gradients, gradient or ensemble",
            )
        batch = self.batch(np.array([row]))
        with self._evaluating(), self.network.reading_attention(lambda layer, sample, weights: read(weights)):
            if self.has_place_attention:
                self.network.pooled_states(batch)
            else:
                self.network.token_states(batch)

    @torch.no_grad()
    def token_states(self, batch: Batch) -> Tensor:
        """Return the final states of all tokens, shape (tokens, width)."""
        with self._evaluating():
            return self.network.token_states(batch)

    def with_values(self, prepared: sp.csr_matrix, rows: np.ndarray | None = None) -> Subject:
        """Return the subject with prepared values in place of its own.

        ``rows`` says of which own sample each of them keeps everything else, such as its prior; ``None``: they have nothing else.
        """
        if rows is None:
            return replace(self, dataset=replace(self.dataset, prepared=prepared, labels=None, prior=None))
        return replace(self, dataset=replace(self.dataset.take(rows), prepared=prepared))

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        was_training = self.network.training
        self.network.eval()
        try:
            yield
        finally:
            self.network.train(was_training)


def feature_tokens(batch: Batch, layout: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which tokens are features, with the sample and the feature of each of these.

    Parameters
    ----------
    batch
        Packed tokens.
    layout
        What the tokenizer emits.

    Returns
    -------
    tuple of numpy.ndarray
        Indices of the tokens that are no specials; their positions in the batch; their positions in the vocabulary. All int64.
    """
    identity = layout.channel("identity")
    if identity is None:
        raise ConfigError("this tokenizer emits no identity channel, so tokens cannot be traced back to features")
    identities = batch.channels[identity.name].cpu().numpy()
    tokens = np.flatnonzero(identities >= NUM_SPECIALS)
    samples = np.repeat(np.arange(batch.num_samples), batch.lengths)
    return tokens, samples[tokens], identities[tokens].astype(np.int64) - NUM_SPECIALS
