"""Samples that different models explain, put together: genes are matched by their identifiers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import scipy.sparse as sp

from genoken.interpretation.aggregate import Aggregate, gene_importance, spearman, value_correlations, variances


@dataclass(frozen=True)
class GeneUnion:
    """The genes of several models, each once, in the order in which they first appear.

    Parameters
    ----------
    feature_ids, symbols
        Identifier and symbol of each gene.
    columns
        For each model, the place in the union of each feature of its vocabulary.
    """

    feature_ids: tuple[str, ...]
    symbols: tuple[str, ...]
    columns: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, vocabularies: Sequence[tuple[Sequence[str], Sequence[str]]]) -> GeneUnion:
        """Unite vocabularies, each given as its feature ids and their symbols."""
        symbols: dict[str, str] = {}
        for feature_ids, names in vocabularies:
            for feature_id, name in zip(feature_ids, names, strict=True):
                symbols.setdefault(feature_id, name)
        place = {feature_id: index for index, feature_id in enumerate(symbols)}
        columns = tuple(np.array([place[name] for name in feature_ids], dtype=np.int64) for feature_ids, _ in vocabularies)
        return cls(tuple(symbols), tuple(symbols.values()), columns)

    @property
    def known(self) -> np.ndarray:
        """Which genes are in the vocabulary of which model, bool of shape (models, features)."""
        known = np.zeros((len(self.columns), len(self.feature_ids)), dtype=bool)
        for model, columns in enumerate(self.columns):
            known[model, columns] = True
        return known

    def spread(self, matrix: sp.csr_matrix, model: int) -> sp.csr_matrix:
        """Return a matrix (samples, vocabulary of the model) as one over the union, stored zeros kept."""
        shape = (matrix.shape[0], len(self.feature_ids))
        columns = self.columns[model][matrix.indices]
        spread = sp.csr_matrix((matrix.data.copy(), columns, matrix.indptr.copy()), shape=shape)
        spread.sort_indices()  # in place, hence the copies
        return spread

    def gather(self, matrix: sp.csr_matrix, model: int) -> sp.csr_matrix:
        """Return a matrix (samples, union) as one over the vocabulary of the model: :meth:`spread` undone."""
        return matrix[:, self.columns[model]]


@dataclass(frozen=True)
class PooledMatrix:
    """Numbers of the genes in samples that different models see.

    A gene counts in the samples whose model knows it: in the others it has no number, which is not the same as a 0.

    Parameters
    ----------
    matrix
        CSR matrix (samples, features).
    models
        Index of each sample's model, shape (samples,).
    known
        Which model knows which gene, bool of shape (models, features).
    """

    matrix: sp.csr_matrix
    models: np.ndarray
    known: np.ndarray

    def __len__(self) -> int:
        """Return the number of samples."""
        return self.matrix.shape[0]

    def take(self, samples: np.ndarray) -> PooledMatrix:
        """Return the matrix of these samples, given by integer positions."""
        return replace(self, matrix=self.matrix[samples], models=self.models[samples])

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield samples and features without a gap: the features that the same models know, and the samples of these models."""
        patterns, of_feature = np.unique(self.known, axis=1, return_inverse=True)
        for code in range(patterns.shape[1]):
            yield np.flatnonzero(patterns[self.models, code]), np.flatnonzero(of_feature.ravel() == code)

    def importance(self, how: Aggregate) -> np.ndarray:
        """Return :func:`genoken.interpretation.aggregate.gene_importance` of each gene over the samples whose model knows it."""
        found = np.zeros(self.matrix.shape[1])
        for samples, features in self.blocks():
            found[features] = gene_importance(self.matrix[samples][:, features], how)
        return found

    def varies(self) -> np.ndarray:
        """Return which genes have more than one value in the samples whose model knows them, bool (features,)."""
        found = np.zeros(self.matrix.shape[1], dtype=bool)
        for samples, features in self.blocks():
            found[features] = variances(self.matrix[samples][:, features]) > 0
        return found

    def correlations(self, targets: np.ndarray) -> np.ndarray:
        """Return the correlation with targets (samples, targets) of each gene, shape (features, targets).

        See :func:`genoken.interpretation.aggregate.value_correlations`; only samples whose model knows the gene take part.
        """
        found = np.full((self.matrix.shape[1], targets.shape[1]), np.nan)
        for samples, features in self.blocks():
            if len(samples):
                found[features] = value_correlations(self.matrix[samples][:, features], targets[samples])
        return found


def split_half_stability(scores: PooledMatrix, how: Aggregate, rng: np.random.Generator) -> float:
    """Return the Spearman correlation between the magnitudes of importance in two random halves of the samples.

    Genes that are a token of no sample are left out, because their ties at 0 say nothing. NaN for fewer than 2 samples.
    """
    if len(scores) < 2:
        return float("nan")
    halves = np.array_split(rng.permutation(len(scores)), 2)
    seen = np.unique(scores.matrix.indices)
    first, second = (np.abs(scores.take(half).importance(how))[seen] for half in halves)
    return spearman(first, second)


def model_agreement(scores: PooledMatrix, classes: np.ndarray, how: Aggregate) -> float | None:
    """Return how alike the rankings of two models are that learned from different samples and explain different samples.

    The Spearman correlation between the magnitudes of the genes' importances in two models, over the genes that both know and that
    are a token in at least one of the samples; mean over all pairs of models and classes. ``None`` for a single model, NaN where no
    pair has samples of the same class.

    Parameters
    ----------
    scores
        Matrix (samples, features).
    classes
        Class of interest of each sample, shape (samples,).
    how
        How the samples of a class are put together.
    """
    if len(scores.known) < 2:
        return None
    found = []
    for code in np.unique(classes):
        own = scores.take(np.flatnonzero(classes == code))
        parts = {model: own.matrix[own.models == model] for model in np.unique(own.models)}
        for first, second in combinations(parts, 2):
            seen = np.zeros(own.matrix.shape[1], dtype=bool)
            seen[parts[first].indices] = seen[parts[second].indices] = True
            shared = seen & own.known[first] & own.known[second]
            found.append(spearman(*(np.abs(gene_importance(parts[model], how))[shared] for model in (first, second))))
    known = [value for value in found if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
