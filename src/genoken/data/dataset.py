"""Prepared samples of one part of a split, ready to be cut into batches."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, Self, TypeVar

import numpy as np
import scipy.sparse as sp
import torch
from torch.utils.data import Dataset

from genoken.core.batch import Batch, Tokens
from genoken.core.calls import Calls
from genoken.core.contracts import Tokenizer, TokenizerState
from genoken.core.layout import Layout
from genoken.core.stored_rows import StoredRows
from genoken.data.phenotype_tokens import add_phenotypes, extend_layout
from genoken.data.token_dropout import visible_tokens
from genoken.vocabulary.phenotypes import PhenotypeVocabulary

AnyPart = TypeVar("AnyPart", bound="Part")
"""Single samples or pairs of them: the train and the validation part of a run are of one kind."""


class Part(Protocol):
    """What training takes: single samples, or pairs of a cell and the one that comes next."""

    @property
    def layout(self) -> Layout:
        """What the tokens consist of."""

    @property
    def labels(self) -> np.ndarray | None:
        """Class codes or real targets, shape (samples,), if there are any."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def lengths(self) -> np.ndarray:
        """Return the most tokens that each sample has in any epoch, int64."""

    def take(self, rows: np.ndarray) -> Self:
        """Return the samples of these rows."""

    def drawn(self, epoch: int) -> Self:
        """Return what is drawn for one epoch of training, or for evaluation (``epoch`` -1)."""

    def tokens(self, rows: np.ndarray) -> Tokens:
        """Return the packed tokens of these rows."""

    def batch(self, rows: np.ndarray) -> Batch:
        """Return the packed tokens of these rows as a batch without targets."""


@dataclass(frozen=True)
class TokenDataset(Dataset[Batch]):
    """Rows of a prepared matrix with their targets: a torch ``Dataset`` whose items are samples.

    Parameters
    ----------
    tokenizer, state
        What turns rows into tokens.
    prepared
        CSR matrix (samples, vocabulary) from :meth:`genoken.core.contracts.Tokenizer.prepare`, in memory or on disk, or calls.
    labels
        Class codes or real targets, shape (samples,); ``None`` when predicting.
    phenotypes
        Which phenotypes stand in front of the features; ``None`` for none.
    phenotype_codes
        Their entries in each sample, int64 of shape (samples, phenotypes), see :meth:`PhenotypeVocabulary.codes`.
    counts
        Tokens of each sample without phenotypes, int64 of shape (samples,), where they are counted already, as on disk.
    prior
        What is added to the network's outputs for each sample, float32 (samples, outputs); ``None`` for nothing.
    """

    tokenizer: Tokenizer
    state: TokenizerState
    prepared: sp.csr_matrix | StoredRows | Calls
    labels: np.ndarray | None = None
    phenotypes: PhenotypeVocabulary | None = None
    phenotype_codes: np.ndarray | None = None
    counts: np.ndarray | None = None
    prior: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of samples."""
        return self.prepared.shape[0]

    def __getitem__(self, row: int) -> Batch:
        """Return one sample as a batch of its own, for :func:`collate`."""
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} samples")
        return self.batch(np.array([row % len(self)]))

    def lengths(self) -> np.ndarray:
        """Return the number of tokens of each sample, CLS included, int64."""
        own = self.tokenizer.lengths(self._loaded, self.state) if self.counts is None else self.counts
        return own if self.phenotypes is None else own + len(self.phenotypes.columns) + 1

    @property
    def values(self) -> sp.csr_matrix:
        """The prepared values (samples, vocabulary) as a matrix; from disk or calls, they are read anew each time."""
        return self.prepared.read() if isinstance(self.prepared, StoredRows | Calls) else self.prepared

    @property
    def plain_values(self) -> sp.csr_matrix:
        """The values (samples, vocabulary) as baselines get them: finite numbers, see :meth:`Tokenizer.plain_values`."""
        return self.tokenizer.plain_values(self._loaded, self.state)

    @property
    def feature_values(self) -> sp.csr_matrix:
        """One finite number per feature, (samples, vocabulary), see :meth:`Tokenizer.feature_values`."""
        return self.tokenizer.feature_values(self._loaded, self.state)

    @property
    def _loaded(self) -> sp.csr_matrix | Calls:
        """What the tokenizer prepared, in memory."""
        return self.prepared.read() if isinstance(self.prepared, StoredRows) else self.prepared

    @cached_property
    def layout(self) -> Layout:
        """What the samples' tokens consist of."""
        layout = self.tokenizer.layout(self.state)
        return layout if self.phenotypes is None else extend_layout(layout, self.phenotypes, end=True)

    def take(self, rows: np.ndarray) -> TokenDataset:
        """Return the samples of these rows (integer positions); rows that follow each other share the values' memory."""
        return replace(
            self,
            prepared=_rows_of(self.prepared, rows),
            labels=None if self.labels is None else self.labels[rows],
            phenotype_codes=None if self.phenotype_codes is None else self.phenotype_codes[rows],
            counts=None if self.counts is None else self.counts[rows],
            prior=None if self.prior is None else self.prior[rows],
        )

    def drawn(self, epoch: int) -> TokenDataset:
        """Return the samples as they are: nothing is drawn among them."""
        return self

    def tokens(self, rows: np.ndarray) -> Tokens:
        """Return the packed tokens of these rows."""
        if isinstance(self.prepared, StoredRows):
            tokens = self.tokenizer.encode(self.prepared[rows].read(), np.arange(len(rows)), self.state)
        else:
            tokens = self.tokenizer.encode(self.prepared, rows, self.state)
        if self.phenotype_codes is not None:
            tokens = add_phenotypes(tokens, self.phenotype_codes[rows], self.layout)
        return tokens

    def batch(self, rows: np.ndarray) -> Batch:
        """Return the packed tokens of these rows as a batch without targets."""
        batch = Batch.from_tokens(self.tokens(rows), rows)
        return batch if self.prior is None else replace(batch, prior=torch.from_numpy(self.prior[rows]))

    def training_batch(self, rows: np.ndarray, *, token_dropout: float, seed: int, epoch: int) -> Batch:
        """Return the batch of a training step, with some tokens hidden from the encoder when ``token_dropout`` is above 0."""
        batch = self.batch(rows)
        if token_dropout <= 0:
            return batch
        offsets = batch.offsets.numpy().astype(np.int64)
        visible = visible_tokens(offsets, np.asarray(rows), token_dropout, seed, epoch)
        lengths = np.diff(np.searchsorted(visible, offsets))
        return replace(batch, visible=torch.from_numpy(visible), visible_lengths=tuple(lengths.tolist()))


def _rows_of(prepared: sp.csr_matrix | StoredRows | Calls, rows: np.ndarray) -> sp.csr_matrix | StoredRows | Calls:
    """Return rows of a matrix; SciPy copies all of them, which is only needed where they do not follow each other."""
    first = int(rows[0]) if len(rows) else -1
    stop = first + len(rows)
    is_in_a_row = first >= 0 and np.array_equal(rows, np.arange(first, stop))
    if isinstance(prepared, StoredRows | Calls) or not is_in_a_row:
        return prepared[slice(first, stop) if is_in_a_row else rows]
    begin, end = prepared.indptr[[first, stop]]
    arrays = prepared.data[begin:end], prepared.indices[begin:end], prepared.indptr[first : stop + 1] - begin
    return sp.csr_matrix(arrays, shape=(len(rows), prepared.shape[1]))


def collate(items: Sequence[Batch]) -> Batch:
    """Put samples, items of one data set of samples or of pairs, into one batch: the ``collate_fn`` of a torch ``DataLoader``.

    The batch is the one that the data set's ``batch`` makes of the same rows. Items are as the data set gives them, nothing is
    hidden in them yet: objectives hide in batches.

    Parameters
    ----------
    items
        At least one.
    """
    lengths = tuple(length for item in items for length in item.lengths)
    return Batch(
        channels={name: torch.cat([item.channels[name] for item in items]) for name in items[0].channels},
        lengths=lengths,
        offsets=torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32),
        rows=torch.cat([item.rows for item in items]),
        context_lengths=tuple(length for item in items for length in item.context_lengths),
        pattern=items[0].pattern,
        prior=None if items[0].prior is None else torch.cat([item.prior for item in items if item.prior is not None]),
    )
