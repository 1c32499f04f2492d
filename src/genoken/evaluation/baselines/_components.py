"""Principal components, learned on train."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Components:
    """Principal components: a linear map of the features.

    Parameters
    ----------
    axes
        float64 of shape (components, features).
    offset
        Scores of a sample without any value, negated: the mean's; float64 of shape (components,).
    """

    axes: np.ndarray
    offset: np.ndarray

    def scores(self, values: sp.csr_matrix) -> np.ndarray:
        """Return float64 scores of shape (samples, components)."""
        return values.astype(np.float64) @ self.axes.T - self.offset


def principal_components(train: sp.csr_matrix, num_components: int, seed: int) -> Components:
    """Return the principal components of train.

    Features are centered implicitly (ARPACK on a linear operator), so a sparse matrix stays sparse; matrices with no more samples
    or features than components are small enough for a dense decomposition.

    Parameters
    ----------
    train
        CSR matrix of shape (samples, features).
    num_components
        Wanted number; fewer when train has fewer samples or features.
    seed
        Seed of ARPACK's start vector, in [0, 2**32).
    """
    from sklearn.decomposition import PCA
    from sklearn.utils.sparsefuncs import mean_variance_axis

    train = train.astype(np.float64)
    _, variance = mean_variance_axis(train, axis=0)
    if not (variance > 0).any():
        return Components(np.zeros((1, train.shape[1])), np.zeros(1))
    if min(train.shape) <= num_components:
        pca = PCA(n_components=min(train.shape), svd_solver="full").fit(train.toarray())
    else:
        pca = PCA(n_components=num_components, svd_solver="arpack", random_state=seed).fit(train)
    return Components(pca.components_, pca.components_ @ np.asarray(pca.mean_).ravel())
