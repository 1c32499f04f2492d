"""The linear path that is fitted by restricted maximum likelihood before the network's steps, out of folds too."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genoken.core.config import component_from_dict
from genoken.core.contracts import BaselineProblem
from genoken.core.random import generator
from genoken.models.path_start import PathStart

_FOLDS = 5


def reml_path(values: sp.csr_matrix, targets: np.ndarray, groups: np.ndarray | None, seed: int) -> PathStart:
    """Return the regression that the baseline ``gblup`` fits, on all train samples and on all but one fold of their groups.

    Parameters
    ----------
    values
        CSR (train samples, features).
    targets
        float64 (train samples,): what is left to explain.
    groups
        What stays together, (train samples,); ``None`` when samples are independent.
    seed
        Seed of the run.
    """
    folds = _folds(len(targets), groups, seed)
    weights, intercept = _fit(values, targets, seed)
    others = [_fit(values[folds != fold], targets[folds != fold], seed) for fold in np.unique(folds)] if folds.any() else []
    return PathStart(
        weights,
        intercept,
        np.array([own for own, _ in others]).reshape(-1, *weights.shape),
        np.array([own for _, own in others]).reshape(-1, 1),
        folds,
    )


def _fit(values: sp.csr_matrix, targets: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    problem = BaselineProblem(values, values[:0], targets, targets[:0], num_classes=0, seed=seed)
    state = component_from_dict("baselines", "gblup").fit(problem)
    return state["weights"][:, None], np.atleast_1d(state["intercept"])


def _folds(count: int, groups: np.ndarray | None, seed: int) -> np.ndarray:
    """Return the fold of each sample, whole groups in one, int64 (samples,); all 0 where there is one group alone."""
    units = np.arange(count) if groups is None else np.unique(groups, return_inverse=True)[1]
    num_units = int(units.max(initial=-1)) + 1
    order = generator(seed, "linear path folds").permutation(num_units)
    return (order % max(min(_FOLDS, num_units), 1))[units]
