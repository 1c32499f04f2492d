"""Seeded data with planted truth: it is known which features matter, for what, and which kind of model can find them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.random import generator

if TYPE_CHECKING:
    from anndata import AnnData

SCORE_WEIGHTS = (1.0, -1.0, 0.8, -0.8, 0.6)
"""Weights of the features that drive ``score``."""
SCORE_NOISE = 0.6
"""Standard deviation of what no feature explains of ``score``; the weights alone give a variance of about 3.6."""
PROGRAM_FEATURES = 6
"""Features in each of the two programs that decide ``interaction``."""
PROGRAM_STRENGTH = 0.8
"""Log fold change of a program's features between neutral and on (or off)."""
DISPERSION = 4.0
"""Shape of the negative binomial: its variance is mean + mean² / DISPERSION."""


def planted_markers(
    samples: int = 600,
    features: int = 200,
    classes: int = 3,
    groups: int = 12,
    markers_per_class: int = 5,
    depth: int = 2000,
    seed: int = 0,
    *,
    signal: float = 1.5,
    group_effect: float = 0.3,
) -> AnnData:
    r"""Draw count data in which three questions have known answers.

    The counts of sample :math:`i` and feature :math:`j` are negative binomial with mean

    .. math:: \mu_{ij} = d_i \frac{e^{\eta_{ij}}}{\sum_k e^{\eta_{ik}}}, \qquad
              \eta_{ij} = b_j + g_{u(i) j} + s [j \text{ marks the class of } i] + p (a_i [j \in A] + c_i [j \in C])

    where :math:`d_i` is the depth, :math:`b_j` the level of the feature, :math:`g` the effect of the sample's group, :math:`s`
    the ``signal``, :math:`p` = ``PROGRAM_STRENGTH``, and :math:`a_i, c_i \in \{-1, 1\}` the states of two programs (features A, C).

    Parameters
    ----------
    samples
        Number of samples.
    features
        Number of features; must hold all planted ones.
    classes
        Number of classes of ``cell_type``, equally frequent within each group.
    groups
        Number of groups (donors).
    markers_per_class
        Features that are raised in one class alone.
    depth
        Expected total count of a sample.
    seed
        Everything is a function of it.
    signal
        Log fold change of a marker in its class; 0 plants nothing.
    group_effect
        Standard deviation of the groups' effects on the log mean.

    Returns
    -------
    AnnData
        Counts in ``X`` (CSR, float32). ``obs``: ``cell_type``, ``donor_id``; ``score``, a real number that is linear in the
        standardized log values of five features, plus noise; ``interaction``, ``concordant`` when both programs have the same state
        and ``discordant`` otherwise, so that neither program alone, nor any linear model, tells anything about it. ``var``, indexed
        by symbols such as ``GENE0001``: ``marker_of`` (a class or empty), ``score_weight`` (0 for most) and ``program`` (``first``,
        ``second`` or empty). No feature plays two roles.

    Raises
    ------
    DataError
        When the planted features do not fit into ``features``.
    """
    from anndata import AnnData

    class_codes, group_codes, states = _sample_codes(samples, classes, groups, seed)
    cell_types = np.array([f"type_{code}" for code in class_codes], dtype=object)
    roles = _feature_table(features, classes, markers_per_class, seed)
    effects = group_effect * generator(seed, "synthetic", "groups").standard_normal((groups, features))
    marks = cell_types[:, None] == roles["marker_of"]
    programs = np.stack([roles["program"] == "first", roles["program"] == "second"])
    log_mean = _levels(roles, seed) + effects[group_codes] + signal * marks + PROGRAM_STRENGTH * (states @ programs)
    counts = _draw_counts(log_mean, depth, seed)
    adata = AnnData(sp.csr_matrix(counts.astype(np.float32)))
    adata.obs_names = [f"CELL{row:05d}" for row in range(1, samples + 1)]
    adata.var_names = [f"GENE{column:04d}" for column in range(1, features + 1)]
    adata.obs["cell_type"] = cell_types
    adata.obs["donor_id"] = [f"donor_{code:02d}" for code in group_codes]
    adata.obs["interaction"] = np.where(states.prod(axis=1) > 0, "concordant", "discordant").astype(object)
    adata.obs["score"] = _scores(counts, roles["score_weight"], seed)
    for name, values in roles.items():
        adata.var[name] = values
    return adata


def _sample_codes(samples: int, classes: int, groups: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return class and group codes, balanced against each other, and the states of the two programs (samples, 2)."""
    shuffled = generator(seed, "synthetic", "samples").permutation(samples)
    states = generator(seed, "synthetic", "programs").choice([-1.0, 1.0], size=(samples, 2))
    return shuffled % classes, (shuffled // classes) % groups, states


def _feature_table(features: int, classes: int, markers_per_class: int, seed: int) -> dict[str, np.ndarray]:
    num_markers = classes * markers_per_class
    num_planted = num_markers + len(SCORE_WEIGHTS) + 2 * PROGRAM_FEATURES
    if num_planted > features:
        raise DataError(
            f"{num_planted} planted features do not fit into {features}", remedy=f"ask for at least {num_planted} features"
        )
    chosen = generator(seed, "synthetic", "features").permutation(features)[:num_planted]
    markers, drivers, first, second = np.split(chosen, np.cumsum([num_markers, len(SCORE_WEIGHTS), PROGRAM_FEATURES]))
    marker_of = np.full(features, "", dtype=object)
    marker_of[markers] = [f"type_{index % classes}" for index in range(num_markers)]
    score_weight = np.zeros(features)
    score_weight[drivers] = SCORE_WEIGHTS
    program = np.full(features, "", dtype=object)
    program[first], program[second] = "first", "second"
    return {"marker_of": marker_of, "score_weight": score_weight, "program": program}


def _levels(roles: dict[str, np.ndarray], seed: int) -> np.ndarray:
    """Return the log level of each feature; planted ones share a level at which they are seen in most samples."""
    planted = (roles["marker_of"] != "") | (roles["score_weight"] != 0) | (roles["program"] != "")
    return np.where(planted, 0.5, generator(seed, "synthetic", "levels").standard_normal(len(planted)))


def _draw_counts(log_mean: np.ndarray, depth: int, seed: int) -> np.ndarray:
    draws = generator(seed, "synthetic", "counts")
    rates = np.exp(log_mean)
    depths = depth * draws.lognormal(-0.02, 0.2, size=(len(rates), 1))
    means = depths * rates / rates.sum(axis=1, keepdims=True)
    return draws.poisson(means * draws.standard_gamma(DISPERSION, size=means.shape) / DISPERSION)


def _scores(counts: np.ndarray, weights: np.ndarray, seed: int) -> np.ndarray:
    drivers = np.flatnonzero(weights)
    values = np.log1p(counts[:, drivers] / np.maximum(counts.sum(axis=1, keepdims=True), 1) * 1e4)
    standardized = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-12)
    noise = generator(seed, "synthetic", "score").standard_normal(len(counts))
    return standardized @ weights[drivers] + SCORE_NOISE * noise
