"""Principal components, learned on train."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def principal_components(
    train: sp.csr_matrix, others: tuple[sp.csr_matrix, ...], num_components: int, seed: int
) -> tuple[np.ndarray, ...]:
    """Return the scores of train and of other samples on the train split's principal components.

    Features are centered implicitly (ARPACK on a linear operator), so a sparse matrix stays sparse; matrices with no more samples
    or features than components are small enough for a dense decomposition.

    Parameters
    ----------
    train
        CSR matrix of shape (samples, features).
    others
        Further matrices with the same features.
    num_components
        Wanted number; fewer when train has fewer samples or features.
    seed
        Seed of ARPACK's start vector, in [0, 2**32).

    Returns
    -------
    tuple of numpy.ndarray
        float64 scores of shape (samples, components), train first.
    """
    from sklearn.decomposition import PCA
    from sklearn.utils.sparsefuncs import mean_variance_axis

    train = train.astype(np.float64)
    _, variance = mean_variance_axis(train, axis=0)
    if not (variance > 0).any():
        return tuple(np.zeros((matrix.shape[0], 1)) for matrix in (train, *others))
    if min(train.shape) <= num_components:
        pca = PCA(n_components=min(train.shape), svd_solver="full").fit(train.toarray())
        return tuple(pca.transform(matrix.toarray()) for matrix in (train, *others))
    pca = PCA(n_components=num_components, svd_solver="arpack", random_state=seed).fit(train)
    return tuple(pca.transform(matrix) for matrix in (train, *others))
