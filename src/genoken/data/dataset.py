"""Prepared samples of one part of a split, ready to be cut into batches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch

from genoken.core.batch import Batch
from genoken.core.contracts import Tokenizer, TokenizerState
from genoken.data.token_dropout import visible_tokens


@dataclass(frozen=True)
class TokenDataset:
    """Rows of a prepared matrix with their targets.

    Parameters
    ----------
    tokenizer, state
        What turns rows into tokens.
    prepared
        CSR matrix (samples, vocabulary) from :meth:`genoken.core.contracts.Tokenizer.prepare`.
    labels
        Class codes or real targets, shape (samples,); ``None`` when predicting.
    """

    tokenizer: Tokenizer
    state: TokenizerState
    prepared: sp.csr_matrix
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of samples."""
        return self.prepared.shape[0]

    def lengths(self) -> np.ndarray:
        """Return the number of tokens of each sample, CLS included, int64."""
        return self.tokenizer.lengths(self.prepared, self.state)

    def batch(self, rows: np.ndarray) -> Batch:
        """Return the packed tokens of these rows as a batch without targets."""
        return Batch.from_tokens(self.tokenizer.encode(self.prepared, rows, self.state), rows)

    def training_batch(self, rows: np.ndarray, *, token_dropout: float, seed: int, epoch: int) -> Batch:
        """Return the batch of a training step, with some tokens hidden from the encoder when ``token_dropout`` is above 0."""
        batch = self.batch(rows)
        if token_dropout <= 0:
            return batch
        offsets = batch.offsets.numpy().astype(np.int64)
        visible = visible_tokens(offsets, np.asarray(rows), token_dropout, seed, epoch)
        lengths = np.diff(np.searchsorted(visible, offsets))
        return replace(batch, visible=torch.from_numpy(visible), visible_lengths=tuple(lengths.tolist()))
