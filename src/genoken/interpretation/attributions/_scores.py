"""From scores of packed tokens to a matrix of samples by features."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genoken.core.batch import Batch
from genoken.core.layout import Layout
from genoken.interpretation.subject import feature_tokens


class ScoreMatrix:
    """Collects the scores of packed tokens, batch by batch, in any order; a sample that comes twice keeps its last scores.

    Parameters
    ----------
    num_samples
        Rows of the result.
    layout
        What the tokenizer emits.
    """

    def __init__(self, num_samples: int, layout: Layout) -> None:
        self._layout = layout
        self._features = [np.zeros(0, dtype=np.int64)] * num_samples
        self._scores = [np.zeros(0)] * num_samples

    def put(self, positions: np.ndarray, batch: Batch, scores: np.ndarray) -> None:
        """Store the scores (tokens,) of a batch whose samples are these rows of the result; those of specials are dropped."""
        tokens, samples, features = feature_tokens(batch, self._layout)
        bounds = np.searchsorted(samples, np.arange(len(positions) + 1))
        for place, position in enumerate(positions):
            part = slice(bounds[place], bounds[place + 1])
            self._features[position] = features[part]
            self._scores[position] = scores[tokens[part]]

    def to_csr(self) -> sp.csr_matrix:
        """Return float64 scores (samples, features), zeros of tokens stored; those of several tokens of a feature are added."""
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in self._features])]).astype(np.int64)
        features = np.concatenate([*self._features, np.zeros(0, dtype=np.int64)])
        scores = np.concatenate([*self._scores, np.zeros(0)]).astype(np.float64)
        matrix = sp.csr_matrix((scores, features, offsets), shape=(len(self._features), self._layout.num_features))
        matrix.sum_duplicates()
        return matrix
