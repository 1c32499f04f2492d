"""Principal components of genotypes: where samples come from, as numbers; learned on train, other samples are projected.

Components of new samples are drawn toward zero where variants are many more than train samples, the more the later the component.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.genotypes import dense_dosages
from genoken.data.genotypes.thinning import MOST_VARIANTS, evenly_spaced, unlinked
from genoken.evaluation.baselines._components import principal_components
from genoken.evaluation.baselines._seed import sklearn_seed

LEAST_UNLINKED = 100
"""With fewer variants left than this, or too few for the components, linkage is left as it is."""
LEAST_PER_COMPONENT = 20
"""Variants, and samples, that stand behind each component at least: of fewer, a component is a few variants and no ancestry."""
_VARIES = 1e-9


@dataclass(frozen=True)
class AncestryAxes:
    """A linear map from imputed genotypes to principal components of mean 0 and deviation 1 in train.

    Parameters
    ----------
    weights
        float64 (variants, components), zero for variants that were pruned.
    offset
        float64 (components,).
    """

    weights: np.ndarray
    offset: np.ndarray

    def scores(self, values: sp.csr_matrix) -> np.ndarray:
        """Return the components of samples, float64 (samples, components), from imputed genotypes (samples, variants)."""
        return values.astype(np.float64) @ self.weights - self.offset


def fit_axes(train: sp.csr_matrix, features: pd.DataFrame | None, num_components: int, seed: int) -> AncestryAxes:
    """Learn principal components of the train split.

    Variants are centered and divided by ``sqrt(2 p (1 - p))``, with the frequency ``p`` in train; a missing call is the mean.
    Before that, of each pair of variants within 50 with a squared correlation above 0.2 one is left out, so that no component is
    a region of long linkage alone.

    Parameters
    ----------
    train
        CSR (samples, variants), missing calls at the train mean.
    features
        Chromosome and position of each variant. Nothing is pruned without them, or where a chromosome does not stand together by
        position.
    num_components
        Wanted number; fewer, but at least one, where train has fewer than 20 samples or variants for each.
    seed
        Seed of the run.

    References
    ----------
    Patterson et al. 2006, doi:10.1371/journal.pgen.0020190.
    """
    frequency = np.asarray(train.mean(axis=0), dtype=np.float64).ravel() / 2
    unit = np.sqrt(np.maximum(2 * frequency * (1 - frequency), 0.0))
    kept = _kept(train, features, np.flatnonzero(unit > _VARIES), num_components)
    per_unit = np.zeros_like(unit)
    per_unit[kept] = 1.0 / unit[kept]
    scaled = sp.csr_matrix(train[:, kept].astype(np.float64) @ sp.diags(per_unit[kept]))
    count = max(1, min(num_components, min(scaled.shape) // LEAST_PER_COMPONENT))
    components = principal_components(scaled, count, sklearn_seed(seed, "ancestry"))
    deviation = components.scores(scaled).std(axis=0)
    varies = deviation > _VARIES * max(deviation.max(initial=0.0), 1.0)
    weights = np.zeros((train.shape[1], int(varies.sum())))
    weights[kept] = (components.axes[varies] / deviation[varies][:, None]).T * per_unit[kept][:, None]
    return AncestryAxes(weights, components.offset[varies] / deviation[varies])


def _kept(train: sp.csr_matrix, features: pd.DataFrame | None, varying: np.ndarray, num_components: int) -> np.ndarray:
    """Return the columns that components are learned from: evenly spaced, then without near pairs in linkage."""
    varying = varying[evenly_spaced(len(varying), MOST_VARIANTS)]
    if features is None or not len(varying):
        return varying
    chosen = train[:, varying]
    # An imputed call as the nearest one is good enough to see linkage.
    calls = sp.csr_matrix((np.rint(chosen.data), chosen.indices, chosen.indptr), shape=chosen.shape)
    kept = varying[unlinked(dense_dosages(calls), features.iloc[varying])]
    return kept if len(kept) >= max(LEAST_UNLINKED, LEAST_PER_COMPONENT * num_components) else varying
