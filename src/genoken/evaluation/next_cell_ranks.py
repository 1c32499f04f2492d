r"""From predicted profiles to probabilities of the gene at a rank of the next cell, and back.

Genes of a rank encoding stand by descending :math:`x_g / m_g`, with :math:`x` the normalized value and :math:`m_g` the gene's
median. A predicted profile of log values orders the genes too; :math:`\rho_g` is the place of gene g in that order (ties share
their mean place), and :math:`e_g` its value before the logarithm. The probability of gene g at rank r of the next cell is

.. math:: P(g | r) = a \frac{K_h(\rho_g - r)}{\sum_k K_h(\rho_k - r)}
          + (1 - a) \frac{f(g | r)\, t_g^b}{\sum_k f(k | r)\, t_k^b}, \qquad t_g = \frac{e_g + c}{u_g + c}

with a Gaussian kernel :math:`K_h`, the smoothed train frequencies :math:`f(g | r)` of genes at the ranks of successors, the train
mean :math:`u` of successors, before the logarithm, and its median c over genes. The first part says that a gene stands about
where the profile has it; the second tilts what is usual at this rank toward the genes that the profile has above their train mean.
For each floor, width h, tilt b and mixture a are those with the least cross-entropy at validation targets.
``position_frequency``, with :math:`a = b = 0`, is among the floors. *Limit*: these probabilities do not use the tokens of the next
cell that a model with full attention sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from genoken.core.random import generator
from genoken.evaluation import _chances
from genoken.evaluation._profiles import Points, Profile, fit_profile
from genoken.evaluation.next_cell_floors import Profiles
from genoken.evaluation.phenotype_floors import Floors

_WIDTHS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
"""Kernel's standard deviations, as shares of all features."""
_TILTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
_MIXTURES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
_VALUES_AT_ONCE = 2_000_000
_MOST_TUNED_ON = 8_000_000
"""Entries (targets, features) of the tables on which a floor is tuned."""
_MOST_TARGETS_TUNED_ON = 4_000
_LEAST_PROBABILITY = 1e-12
_SHRINKAGES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""How many mean variances draw a gene's slope to that of all."""


@dataclass(frozen=True)
class RankTargets:
    """Which feature stands at which rank of a cell's successor.

    Parameters
    ----------
    cells
        int64 (targets,): row of the current cell in its part.
    ranks
        int64 (targets,): features before it in the next cell.
    features
        int64 (targets,): the feature that stands there.
    """

    cells: np.ndarray
    ranks: np.ndarray
    features: np.ndarray

    def take(self, positions: np.ndarray) -> RankTargets:
        """Return some of the targets."""
        return RankTargets(self.cells[positions], self.ranks[positions], self.features[positions])


@dataclass(frozen=True)
class RankRule:
    """How a floor's profiles are turned into probabilities.

    Parameters
    ----------
    width
        Standard deviation of the kernel, as a share of all features.
    tilt
        Power of a feature's value over its train mean.
    mixture
        Weight of the kernel's part.
    """

    width: float = _WIDTHS[-1]
    tilt: float = 0.0
    mixture: float = 0.0


@dataclass(frozen=True)
class RankFloors:
    """Fitted rules.

    Parameters
    ----------
    frequencies
        Log frequencies of features at each rank in train.
    usual
        (features,): train mean of successors, log values.
    medians
        (features,): what values are divided by before they are ranked.
    rules
        Floor to its rule; empty before tuning.
    """

    frequencies: Profile
    usual: np.ndarray
    medians: np.ndarray
    rules: Mapping[str, RankRule]

    def score(self, targets: RankTargets, profiles: Profiles) -> Floors:
        """Return floor to ``cross_entropy``, ``correct`` and ``top5`` of each target.

        Parameters
        ----------
        targets
            What is asked.
        profiles
            Predicts the successors of rows of the targets' part.
        """
        table = self.frequencies.log_probabilities.T
        bins = self.frequencies.bins(targets.ranks)
        floors = {"position_frequency": _chances.from_table(table, bins, targets.features)}
        pieces: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in self.rules}
        order = np.argsort(targets.cells, kind="stable")
        for positions in _blocks(order, len(self.usual)):
            block = targets.take(positions)
            cells, own = np.unique(block.cells, return_inverse=True)
            predicted = profiles(cells)
            for name, rule in self.rules.items():
                probabilities = self.probabilities(predicted[name], own, block.ranks, rule)
                pieces[name].append(_chances.among(np.log(probabilities), block.features))
        back = np.argsort(order, kind="stable")
        for name, found in pieces.items():
            floors[name] = {measure: values[back] for measure, values in _chances.joined(found).items()}
        return floors

    def probabilities(self, profiles: np.ndarray, cells: np.ndarray, ranks: np.ndarray, rule: RankRule) -> np.ndarray:
        """Return the probability of each feature at each target, float32 (targets, features).

        Parameters
        ----------
        profiles
            (cells, features): predicted log values.
        cells, ranks
            int64 (targets,): row in ``profiles``, and rank.
        rule
            Width, tilt and mixture.
        """
        mixed = (1 - rule.mixture) * self.tilted(self.log_ratios(profiles), cells, ranks, rule.tilt)
        if rule.mixture:
            mixed += rule.mixture * near_places(self.places(profiles), cells, ranks, rule.width)
        return np.maximum(mixed, _LEAST_PROBABILITY)

    def places(self, profiles: np.ndarray) -> np.ndarray:
        """Return the place of each feature in the order of a profile (cells, features), from 0; ties share their mean place."""
        from scipy.stats import rankdata

        found = rankdata(-np.expm1(profiles.astype(np.float64)) / self.medians, method="average", axis=1) - 1
        return found.astype(np.float32)

    def log_ratios(self, profiles: np.ndarray) -> np.ndarray:
        """Return the logarithms of :math:`t_g` of each profile, (cells, features)."""
        usual, values = (np.maximum(np.expm1(logs.astype(np.float64)), 0.0) for logs in (self.usual, profiles))
        floor = max(float(np.median(usual)), np.finfo(np.float32).tiny)
        return np.log((values + floor) / (usual + floor)).astype(np.float32)

    def tilted(self, log_ratios: np.ndarray, cells: np.ndarray, ranks: np.ndarray, tilt: float) -> np.ndarray:
        """Return the frequencies' part, tilted toward what profiles have above the train mean, (targets, features)."""
        weights = self.frequencies.log_probabilities.T[self.frequencies.bins(ranks)]
        return _normalized(weights + np.float32(tilt) * log_ratios[cells] if tilt else weights)


def near_places(places: np.ndarray, cells: np.ndarray, ranks: np.ndarray, width: float) -> np.ndarray:
    """Return the kernel's part: how near to the rank each feature stands in the profile's own order, (targets, features).

    Parameters
    ----------
    places
        (cells, features): place of each feature in the order of the profile.
    cells, ranks
        int64 (targets,): row in ``places``, and rank.
    width
        Standard deviation of the kernel, as a share of all features.
    """
    distances = (places[cells] - ranks[:, None].astype(np.float32)) / np.float32(width * places.shape[1])
    return _normalized(np.float32(-0.5) * distances**2)


def fit_rank_floors(
    train: RankTargets, val: RankTargets, profiles: Profiles, *, usual: np.ndarray, medians: np.ndarray | None, num_ranks: int
) -> RankFloors:
    """Learn frequencies from train and tune the rule of each floor at validation targets.

    Parameters
    ----------
    train
        All tokens of the train cells that follow others, each cell once; ``cells`` are these cells themselves. (The same cell
        under several names would be held out and learned from at once when the frequencies are smoothed.)
    val
        What is asked about successors of validation cells; without any, ``position_frequency`` is the only floor.
    profiles
        Predicts the successors of rows of the validation part.
    usual
        (features,): train mean of successors, log values.
    medians
        (features,), or ``None`` when values are ranked as they are.
    num_ranks
        Ranks that a cell can have.
    """
    num_features = len(usual)
    if len(np.unique(train.cells * num_ranks + train.ranks)) < len(train.cells):
        raise ValueError("a train cell has two features at the same rank; give each cell once")
    points = Points(train.features, train.ranks, train.cells)
    frequencies = fit_profile(points, num_features, num_ranks, over="features")
    untuned = RankFloors(frequencies, usual, np.ones(num_features) if medians is None else medians, {})
    order = generator(0, "next_cell", "rank floors").permutation(len(val.cells))
    chosen = val.take(np.sort(order[: max(1, min(_MOST_TARGETS_TUNED_ON, _MOST_TUNED_ON // num_features))]))
    return replace(untuned, rules=_tuned(untuned, chosen, profiles))


def _tuned(floors: RankFloors, val: RankTargets, profiles: Profiles) -> dict[str, RankRule]:
    """Return the best rule of each floor, from the probabilities of the truth under each width and each tilt."""
    near: dict[str, list[np.ndarray]] = {}
    tilted: dict[str, list[np.ndarray]] = {}
    for positions in _blocks(np.argsort(val.cells, kind="stable"), len(floors.usual)):
        block = val.take(positions)
        cells, own = np.unique(block.cells, return_inverse=True)
        asked = np.arange(len(positions)), block.features
        for name, found in profiles(cells).items():
            places, ratios = floors.places(found), floors.log_ratios(found)
            kernels = [near_places(places, own, block.ranks, width)[asked] for width in _WIDTHS]
            tilts = [floors.tilted(ratios, own, block.ranks, tilt)[asked] for tilt in _TILTS]
            near.setdefault(name, []).append(np.stack(kernels))
            tilted.setdefault(name, []).append(np.stack(tilts))
    return {name: _best_rule(np.concatenate(near[name], axis=1), np.concatenate(tilted[name], axis=1)) for name in near}


def _best_rule(near: np.ndarray, tilted: np.ndarray) -> RankRule:
    """Return the rule with the least cross-entropy; both are probabilities of the truth, (settings, targets)."""
    best, rule = np.inf, RankRule()
    for mixture in _MIXTURES:
        for of_width, width in zip(near, _WIDTHS, strict=True):
            for of_tilt, tilt in zip(tilted, _TILTS, strict=True):
                mixed = np.maximum(mixture * of_width + (1 - mixture) * of_tilt, _LEAST_PROBABILITY)
                loss = -float(np.log(mixed).mean())
                if loss < best:
                    best, rule = loss, RankRule(width, tilt, mixture)
    return rule


def _normalized(log_weights: np.ndarray) -> np.ndarray:
    log_weights -= log_weights.max(axis=1, keepdims=True)
    weights = np.exp(log_weights, out=log_weights)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _blocks(positions: np.ndarray, num_features: int) -> Iterator[np.ndarray]:
    size = max(1, _VALUES_AT_ONCE // num_features)
    yield from (positions[start : start + size] for start in range(0, len(positions), size))


@dataclass(frozen=True)
class RankScale:
    r"""What stands at each rank, for the way back from ranks to expression.

    With :math:`v_r` the usual :math:`x_g / m_g` at rank r and :math:`s_r` the share of cells that have a rank r, both of train, the
    expected log value of gene g is

    .. math:: \sum_r s_r P(g | r) \ln(1 + v_r m_g) \,/\, \max\left(1, \sum_r s_r P(g | r)\right).

    The logarithm is inside the sum, because profiles are compared as means of log values: with it outside, a gene that is
    expressed in one cell of ten would be expected far too high. The denominator undoes that ranks, predicted each on its own, may
    place a gene more than once. Ranks beyond those that are asked for are missing from the sum, which a line for each gene makes
    up for, see :meth:`calibrated`. *Limit*: each rank has one value, so that values within a rank do not vary, nor between deep and
    shallow cells.

    Parameters
    ----------
    values
        :math:`v_r`, (ranks,).
    shares
        :math:`s_r`, (ranks,).
    medians
        :math:`m_g`, (features,).
    offset, slope
        (features,): the line that sums are brought to log values by; ``None`` before calibration.
    """

    values: np.ndarray
    shares: np.ndarray
    medians: np.ndarray
    offset: np.ndarray | None = None
    slope: np.ndarray | None = None

    def profiles(self, probabilities: np.ndarray, cells: np.ndarray, ranks: np.ndarray, num_cells: int) -> np.ndarray:
        """Return the expected log values, float32 (cells, features).

        Parameters
        ----------
        probabilities
            :math:`P(g | r)`, (slots, features): those of all ranks of some cells. Ranks that are not given add nothing.
        cells, ranks
            int64 (slots,): which cell and which rank each row is about. Ranks that no train cell has add nothing.
        num_cells
            Number of cells.
        """
        known = ranks < len(self.values)
        probabilities, cells, ranks = probabilities[known].astype(np.float64), cells[known], ranks[known]
        weights = self.shares[ranks][:, None] * probabilities
        presence, sums = np.zeros((num_cells, len(self.medians))), np.zeros((num_cells, len(self.medians)))
        np.add.at(presence, cells, weights)
        np.add.at(sums, cells, weights * np.log1p(self.values[ranks][:, None] * self.medians))
        found = sums / np.maximum(presence, 1.0)
        if self.offset is not None and self.slope is not None:
            found = self.offset + self.slope * found
        return found.astype(np.float32)

    def calibrated(self, train: tuple[np.ndarray, np.ndarray], val: tuple[np.ndarray, np.ndarray]) -> RankScale:
        r"""Return the scale with a line for each gene, by which predictions have the least squared error.

        With the variance :math:`v_g` of a gene's predictions and their covariance :math:`c_g` with the truth over train cells, the
        slope is :math:`(c_g + k \bar b \bar v) / (v_g + k \bar v)`, drawn to that of all genes together, :math:`\bar b = \sum c_g /
        \sum v_g`, by as many times the mean variance :math:`\bar v` as serves validation cells best; the line passes through both
        train means.

        Parameters
        ----------
        train, val
            Predictions of :meth:`profiles` without a line, and the truth: both (cells, features).
        """
        predicted, truth = (values.astype(np.float64) for values in train)
        centers = predicted.mean(axis=0), truth.mean(axis=0)
        variance, covariance = predicted.var(axis=0), ((predicted - centers[0]) * (truth - centers[1])).mean(axis=0)
        usual = float(variance.mean())
        if not usual > 0:
            return replace(self, offset=centers[1], slope=np.zeros(len(variance)))
        shared = float(covariance.sum() / variance.sum())
        slopes = [(covariance + weight * shared * usual) / (variance + weight * usual) for weight in _SHRINKAGES]
        errors = [np.square(centers[1] + slope * (val[0] - centers[0]) - val[1]).sum() for slope in slopes]
        slope = slopes[int(np.argmin(errors))]
        return replace(self, offset=centers[1] - slope * centers[0], slope=slope)


def fit_rank_scale(values: np.ndarray, ranks: np.ndarray, num_cells: int, medians: np.ndarray) -> RankScale:
    """Learn what stands at each rank of train cells.

    Parameters
    ----------
    values
        (tokens,): :math:`x_g / m_g` of the tokens of train cells.
    ranks
        int64 (tokens,): their ranks.
    num_cells
        Number of train cells.
    medians
        (features,): what values are divided by before they are ranked; ones where they are ranked as they are.
    """
    counts = np.bincount(ranks)
    logs = np.bincount(ranks, weights=np.log(np.maximum(values, np.finfo(np.float32).tiny)))
    return RankScale(np.exp(logs / np.maximum(counts, 1)), counts / num_cells, np.asarray(medians, dtype=np.float64))
