"""Trivial floors of masked phenotypes: the most frequent category of train, and logistic regression on the prepared values.

The regression does not see the other phenotypes of a sample, which a model may see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genoken.core.contracts import BaselineProblem
from genoken.core.random import generator
from genoken.evaluation import _chances
from genoken.evaluation._packed import held_out
from genoken.evaluation.baselines.linear import LinearBaseline

if TYPE_CHECKING:
    import scipy.sparse as sp

Floors = dict[str, dict[str, np.ndarray]]
"""Floor to measure to array (targets,)."""
_MOST_LABELED = 10_000
"""Train samples that the logistic regression is fitted on at most, by a fixed draw."""
_UNSEEN = 1e-3
"""Share of the probability that is spread evenly, lest a category that train lacks costs infinitely much."""


def phenotype_floors(
    train_codes: np.ndarray,
    test_codes: np.ndarray,
    target_samples: np.ndarray,
    target_columns: np.ndarray,
    train_values: sp.csr_matrix,
    test_values: sp.csr_matrix,
) -> Floors:
    """Return what trivial rules score at "which cell type, sex or tissue has this sample".

    Parameters
    ----------
    train_codes, test_codes
        int64 (samples, phenotypes): code of each phenotype's category, -1 where it is unknown.
    target_samples, target_columns
        int64 (targets,): row and column of ``test_codes`` that is asked for.
    train_values, test_values
        Prepared values (samples, features).

    Returns
    -------
    dict
        ``most_frequent`` and ``linear`` to ``cross_entropy``, ``correct``, ``top5``, ``prediction`` and ``label`` of each target.
    """
    floors: Floors = {}
    for column in np.unique(target_columns):
        chosen = target_columns == column
        codes = train_codes[:, column]
        labels = test_codes[target_samples[chosen], column]
        known = np.unique(np.concatenate([codes, labels]))
        categories = known[known >= 0]
        num_categories = len(categories)
        labeled = np.flatnonzero(codes >= 0)
        codes, labels = np.searchsorted(categories, codes), np.searchsorted(categories, labels)
        counts = np.bincount(codes[labeled], minlength=num_categories).astype(np.float64)
        rules = {"most_frequent": np.tile(counts / max(counts.sum(), 1.0), (len(labels), 1))}
        if len(np.unique(codes[labeled])) > 1:
            rows, of_targets = np.unique(target_samples[chosen], return_inverse=True)
            predicted = _logistic(train_values, codes, labeled, num_categories, test_values[rows])
            rules["linear"] = predicted[of_targets]
        else:
            rules["linear"] = rules["most_frequent"]
        for name, probabilities in rules.items():
            log_probabilities = np.log((1 - _UNSEEN) * probabilities + _UNSEEN / num_categories)
            measures = _chances.among(log_probabilities, labels)
            measures |= {"prediction": categories[probabilities.argmax(axis=1)], "label": categories[labels]}
            floor = floors.setdefault(name, {})
            for measure, found in measures.items():
                floor.setdefault(measure, np.zeros(len(chosen), dtype=found.dtype))[chosen] = found
    return floors


def _logistic(
    values: sp.csr_matrix, codes: np.ndarray, labeled: np.ndarray, num_categories: int, asked: sp.csr_matrix
) -> np.ndarray:
    """Return the probabilities (asked, categories) of a logistic regression that was tuned on a fifth of the labeled samples."""
    if len(labeled) > _MOST_LABELED:
        labeled = np.sort(generator(0, "floors", "labeled").choice(labeled, _MOST_LABELED, replace=False))
    is_val = held_out(len(labeled), None)
    if len(np.unique(codes[labeled[~is_val]])) < 2:
        is_val[:] = False
    train, val = labeled[~is_val], labeled[is_val]
    baseline = LinearBaseline()
    problem = BaselineProblem(values[train], values[val], codes[train], codes[val], num_categories, seed=0, refit=True)
    return baseline.predict(baseline.fit(problem), asked)
