"""Principal components of genotypes: where samples come from, as numbers; learned on train, other samples are projected.

Axes follow the samples that they were learned from, by chance too, so that projections of others are drawn toward zero: the more,
the more variants there are for each train sample, and the later the component. How much is measured within train, and undone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.genotypes import dense_dosages
from genoken.core.random import generator
from genoken.data.genotypes.thinning import MOST_VARIANTS, autosomal, evenly_spaced, unlinked
from genoken.evaluation.baselines._components import principal_components
from genoken.evaluation.baselines._seed import sklearn_seed

LEAST_UNLINKED = 100
"""With fewer variants left than this, or too few for the components, linkage is left as it is."""
LEAST_PER_COMPONENT = 20
"""Variants, and samples, that stand behind each component at least: of fewer, a component is a few variants and no ancestry."""
PARTS = 5
"""Parts of train; each is projected on the axes of the others."""
_MOST_MEASURED = 4_000
"""Samples among which shrinkage is measured at most."""
_VARIANTS_AT_ONCE = 2048
_TOLERANCE = 1e-4
_VARIES = 1e-9
_CHANCE_DEVIATIONS = 3.0
"""Standard errors by which samples that axes were not learned from must vary more along one than along any direction."""


@dataclass(frozen=True)
class AncestryAxes:
    """A linear map from imputed genotypes to principal components of mean 0 and deviation 1 in train.

    Parameters
    ----------
    weights
        float64 (variants, components), zero for variants that were pruned.
    offset
        float64 (components,).
    shrinkage
        Deviation of the projections of samples that are not in train, float64 (components,), in (0, 1].
    """

    weights: np.ndarray
    offset: np.ndarray
    shrinkage: np.ndarray

    def train_scores(self, values: sp.csr_matrix) -> np.ndarray:
        """Return the components of train samples, float64 (samples, components), from imputed genotypes (samples, variants)."""
        return values.astype(np.float64) @ self.weights - self.offset

    def scores(self, values: sp.csr_matrix) -> np.ndarray:
        """Return the components of samples that are not in train, as large as if they were."""
        return self.train_scores(values) / self.shrinkage


def fit_axes(
    train: sp.csr_matrix, features: pd.DataFrame | None, num_components: int, seed: int, groups: np.ndarray | None = None
) -> AncestryAxes:
    """Learn principal components of the train split.

    Variants are centered and divided by ``sqrt(2 p (1 - p))``, with the frequency ``p`` in train; a missing call is the mean.
    Before that, variants that are not on autosomes are left out, and of each pair within 50 with a squared correlation above 0.2
    one, so that no component is a sex or a region of long linkage. Components along which samples that axes were not learned from
    vary no more than by chance are left out; the first stays, with their projections as small as they are.

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
    groups
        Group of each sample, such as a family, that is not divided when shrinkage is measured; ``None`` for none.

    References
    ----------
    Patterson et al. 2006, doi:10.1371/journal.pgen.0020190; shrinkage: Lee et al. 2010, doi:10.1214/10-AOS821.
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
    shrinkage, is_real = _shrinkage(scaled, len(components.axes), seed, groups)
    varies &= is_real
    weights = np.zeros((train.shape[1], int(varies.sum())))
    weights[kept] = (components.axes[varies] / deviation[varies][:, None]).T * per_unit[kept][:, None]
    return AncestryAxes(weights, components.offset[varies] / deviation[varies], shrinkage[varies])


def _shrinkage(scaled: sp.csr_matrix, count: int, seed: int, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the deviation of projections of new samples, that of train samples being 1, and which components hold for them.

    Each part of train, or of as many of its samples as are affordable, is projected on the axes of the others. An axis that stands
    for a true one has projections of deviation ``1 / (1 + c / n)`` with ``n`` samples to learn from (Lee et al. 2010), which takes
    what is measured with fewer samples to all of train. What the affordable samples do not show, all of train may.
    """
    chosen = np.sort(generator(seed, "ancestry", "measured").permutation(scaled.shape[0])[:_MOST_MEASURED])
    _, codes = np.unique(chosen if groups is None else groups[chosen], return_inverse=True)
    num_groups = int(codes.max(initial=-1)) + 1
    parts = generator(seed, "ancestry", "parts").permutation(num_groups)[codes] % PARTS
    num_parts = min(PARTS, num_groups)
    if num_parts < 2 or count >= (parts != 0).sum():
        return np.ones(count), np.ones(count, dtype=bool)
    products = _products(scaled[chosen])
    found = [_held_out_variances(products, np.flatnonzero(parts == part), count, seed) for part in range(num_parts)]
    of_others, of_all = np.average(found, axis=0, weights=np.bincount(parts))
    measured = np.sqrt(np.clip(of_others, _VARIES, 1.0))
    share = (1.0 - 1.0 / num_parts) * len(chosen) / scaled.shape[0]
    is_real = of_all * scaled.shape[1] > 1.0 + _CHANCE_DEVIATIONS * np.sqrt(2.0 / num_groups)
    is_real |= len(chosen) < scaled.shape[0]
    # What holds for no others stays as small in them as it is, which takes its weight from it.
    return np.where(is_real, 1.0 / (1.0 + (1.0 / measured - 1.0) * share), 1.0), is_real | (np.arange(count) == 0)


def _products(scaled: sp.csr_matrix) -> np.ndarray:
    """Return the products of all pairs of samples, float64 (samples, samples)."""
    columns, found = scaled.tocsc(), np.zeros((scaled.shape[0], scaled.shape[0]))
    for start in range(0, scaled.shape[1], _VARIANTS_AT_ONCE):
        block = columns[:, start : start + _VARIANTS_AT_ONCE].toarray()
        found += block @ block.T
    return found


def _held_out_variances(products: np.ndarray, own: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how much some samples vary along the axes of all others: as a share of what these do, and of all their variance.

    Parameters
    ----------
    products
        Of all pairs of samples, see :func:`_products`.
    own
        Rows of the samples that are projected.
    count
        Number of axes.
    """
    from scipy.sparse.linalg import eigsh

    others = np.setdiff1d(np.arange(len(products)), own)
    to_mean = products[:, others].mean(axis=1)
    centered = products - to_mean[:, None] - to_mean + to_mean[others].mean()
    start = generator(seed, "ancestry", "start").standard_normal(len(others))
    squares, vectors = eigsh(centered[np.ix_(others, others)], k=count, v0=start, tol=_TOLERANCE)
    squares, vectors = np.maximum(squares[::-1], _VARIES), vectors[:, ::-1]
    along = ((centered[np.ix_(own, others)] @ vectors) ** 2).mean(axis=0) / squares
    return along / (squares / len(others)), along / max(np.diag(centered)[own].mean(), _VARIES)


def _kept(train: sp.csr_matrix, features: pd.DataFrame | None, varying: np.ndarray, num_components: int) -> np.ndarray:
    """Return the columns that components are learned from: on autosomes, evenly spaced, without near pairs in linkage."""
    if features is not None:
        varying = varying[autosomal(features.iloc[varying])]
    varying = varying[evenly_spaced(len(varying), MOST_VARIANTS)]
    if features is None or not len(varying):
        return varying
    chosen = train[:, varying]
    # An imputed call as the nearest one is good enough to see linkage.
    calls = sp.csr_matrix((np.rint(chosen.data), chosen.indices, chosen.indptr), shape=chosen.shape)
    kept = varying[unlinked(dense_dosages(calls), features.iloc[varying])]
    return kept if len(kept) >= max(LEAST_UNLINKED, LEAST_PER_COMPONENT * num_components) else varying
