"""Seeded data with planted truth: it is known which features matter, for what, and which kind of model can find them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.random import generator

if TYPE_CHECKING:
    import pandas as pd
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
SWITCHES_PER_STEP = 6
"""Features that are switched at each time step of a trajectory (of each lineage, once they have parted), half of them up."""
TRIGGERS_PER_STEP = 2
"""Features that are raised during the one step before a time step's switches, and at no other time."""
MOST_SUCCESSORS = 5
"""Successors of a cell; fewer where its donor has fewer cells of the next time step and the same lineage."""
STAGES = 3
"""Cell types that follow each other along a lineage."""


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


def planted_trajectory(
    samples: int = 1200,
    features: int = 200,
    steps: int = 8,
    lineages: int = 1,
    donors: int = 10,
    depth: int = 2000,
    seed: int = 0,
    *,
    signal: float = 1.5,
    donor_effect: float = 0.2,
) -> AnnData:
    r"""Draw count data of cells along a trajectory on which it is known which feature is switched when, and who follows whom.

    Counts are drawn as in :func:`planted_markers`, with

    .. math:: \eta_{ij} = b_j + g_{u(i) j} + s \, x_j(t_i, l_i)

    where :math:`x_j \in \{0, 1\}` is the state of the feature at time :math:`t` in lineage :math:`l`. At each step but the first,
    ``SWITCHES_PER_STEP`` features are switched, half of them up (0 before, 1 from then on) and half of them down. One step before,
    and at that time alone, ``TRIGGERS_PER_STEP`` features are raised. So what a cell's successor expresses cannot be read from the
    same features of the cell, only from its triggers, and the successors of a step differ from its predecessors. Lineages are the
    same until half of the steps are over; from then on each has switches of its own. Their first triggers, one step before, are
    all that tells then which lineage a cell belongs to.

    Parameters
    ----------
    samples
        Number of cells, spread evenly over steps, lineages and donors.
    features
        Number of features; must hold all planted ones.
    steps
        Number of time steps, at least 2.
    lineages
        Number of branches.
    donors
        Number of donors; successors are of the same donor, so that whole donors can be held out.
    depth
        Expected total count of a cell.
    seed
        Everything is a function of it.
    signal
        Log fold change of a switch; 0 plants nothing.
    donor_effect
        Standard deviation of the donors' effects on the log mean.

    Returns
    -------
    AnnData
        Counts in ``X`` (CSR, float32). ``obs``: ``time`` (0 to ``steps`` - 1), ``pseudotime`` in [0, 1), which orders cells
        by time and says nothing within a step, ``lineage``, ``cell_type`` (a stage, and the lineage once they have parted) and
        ``donor_id``. ``var``: ``switch_time`` (the first step of the new state, for triggers the one at which they are raised; NaN
        for most), ``direction`` (``up``, ``down``, ``trigger`` or empty) and ``lineage`` in which it is switched (``all``, the only
        one, or empty). ``obsp["next_cell_ids"]``: up to ``MOST_SUCCESSORS`` cells of the next step, of the same lineage and donor,
        with weight 1.

    Raises
    ------
    DataError
        When the planted features do not fit into ``features``, or there are fewer than 2 steps.
    """
    from anndata import AnnData

    order = generator(seed, "synthetic", "trajectory").permutation(samples)
    time, lineage, donor = order % steps, (order // steps) % lineages, (order // (steps * lineages)) % donors
    switches = _switch_table(features, steps, lineages, seed)
    state = _switch_states(switches, time, np.array([f"lineage_{code}" for code in lineage], dtype=object))
    is_planted = switches["direction"] != ""
    levels = np.where(is_planted, 0.0, generator(seed, "synthetic", "levels").standard_normal(features))
    effects = donor_effect * generator(seed, "synthetic", "donors").standard_normal((donors, features))
    counts = _draw_counts(levels + effects[donor] + signal * state, depth, seed)
    adata = AnnData(sp.csr_matrix(counts.astype(np.float32)))
    adata.obs_names = [f"CELL{row:05d}" for row in range(1, samples + 1)]
    adata.var_names = [f"GENE{column:04d}" for column in range(1, features + 1)]
    adata.obs["time"] = time
    adata.obs["pseudotime"] = (time + generator(seed, "synthetic", "pseudotime").random(samples)) / steps
    adata.obs["lineage"] = [f"lineage_{code}" for code in lineage]
    has_parted = (time >= _parting(steps)) & (lineages > 1)
    stages = zip(time * STAGES // steps, lineage, has_parted, strict=True)
    adata.obs["cell_type"] = [f"stage_{stage}" + (f"_lineage_{code}" if parted else "") for stage, code, parted in stages]
    adata.obs["donor_id"] = [f"donor_{code:02d}" for code in donor]
    for name, values in switches.items():
        adata.var[name] = values
    adata.obsp["next_cell_ids"] = _next_cells(time, lineage, donor, seed)
    return adata


def planted_changes(features: pd.DataFrame, time: int, lineage: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which features rise and which fall from one time step of a planted trajectory to the next, bool (features,) each.

    Parameters
    ----------
    features
        ``var`` of :func:`planted_trajectory`.
    time
        The earlier of the two steps.
    lineage
        Lineage of the cells.
    """
    switch_time, direction = features["switch_time"].to_numpy(), features["direction"].to_numpy()
    applies = np.isin(features["lineage"].to_numpy(), ["all", lineage])
    is_trigger, is_next = direction == "trigger", switch_time == time + 1
    rising = ((direction == "up") | is_trigger) & is_next
    falling = ((direction == "down") & is_next) | (is_trigger & (switch_time == time))
    return rising & applies, falling & applies


def _parting(steps: int) -> int:
    """Return the first time step at which lineages have switches of their own."""
    return (steps + 1) // 2


def _switch_table(features: int, steps: int, lineages: int, seed: int) -> dict[str, np.ndarray]:
    """Return ``switch_time``, ``direction`` and ``lineage`` of each feature."""
    if steps < 2:
        raise DataError(f"a trajectory of {steps} steps has no next step", remedy="ask for at least 2 steps")
    events = [
        (time, name)
        for time in range(1, steps)
        for name in (["all"] if time < _parting(steps) or lineages == 1 else [f"lineage_{code}" for code in range(lineages)])
    ]
    size = SWITCHES_PER_STEP + TRIGGERS_PER_STEP
    num_planted = size * len(events)
    if num_planted > features:
        raise DataError(
            f"{num_planted} planted features do not fit into {features}", remedy=f"ask for at least {num_planted} features"
        )
    chosen = generator(seed, "synthetic", "switches").permutation(features)[:num_planted].reshape(len(events), size)
    switch_time = np.full(features, np.nan)
    direction, lineage = np.full(features, "", dtype=object), np.full(features, "", dtype=object)
    for (time, name), own in zip(events, chosen, strict=True):
        up, down, triggers = np.split(own, [SWITCHES_PER_STEP // 2, SWITCHES_PER_STEP])
        switch_time[own], lineage[own] = time, name
        switch_time[triggers] = time - 1
        direction[up], direction[down], direction[triggers] = "up", "down", "trigger"
    return {"switch_time": switch_time, "direction": direction, "lineage": lineage}


def _switch_states(switches: dict[str, np.ndarray], time: np.ndarray, lineage: np.ndarray) -> np.ndarray:
    """Return whether each feature is raised in each cell, bool (samples, features)."""
    since = time[:, None] - switches["switch_time"]  # NaN, for which all comparisons are false, without a switch
    applies = (switches["lineage"] == "all") | (switches["lineage"] == lineage[:, None])
    direction = switches["direction"]
    raised = ((direction == "up") & (since >= 0)) | ((direction == "trigger") & (since == 0))
    lowered = (direction == "down") & (since >= 0)
    return np.where(direction == "down", ~(lowered & applies), raised & applies)


def _next_cells(time: np.ndarray, lineage: np.ndarray, donor: np.ndarray, seed: int) -> sp.csr_matrix:
    draws = generator(seed, "synthetic", "successors")
    starts, ends = [], []
    for row in range(len(time)):
        later = np.flatnonzero((time == time[row] + 1) & (lineage == lineage[row]) & (donor == donor[row]))
        found = np.sort(draws.permutation(later)[:MOST_SUCCESSORS])
        starts.append(np.full(len(found), row))
        ends.append(found)
    rows, columns = np.concatenate(starts), np.concatenate(ends)
    return sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(len(time), len(time)))


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
