"""Fine-mapping by the sum of single effects: which variants of a locus could be the ones that act."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genoken.core.errors import DataError

_GRID = np.geomspace(1e-2, 1e7, 28)
"""Prior variances that are tried, as multiples of the squared standard error of a variant's effect."""
_STEPS = np.linspace(-1.0, 1.0, 7)
_FINER = (0.77, 0.26, 0.09)
"""How far, in logarithms, the finer grids reach that follow around the best."""
_DEFINITE = 1e-6
"""Largest departure of a correlation matrix from symmetry and from a diagonal of 1."""


@dataclass(frozen=True)
class SusieOptions:
    """How a locus is fine-mapped.

    Parameters
    ----------
    num_effects
        Most effects in the locus; those that are not needed shrink to nothing.
    coverage
        Probability that a credible set holds an acting variant, in (0, 1).
    min_purity
        Smallest absolute correlation between variants of a credible set; sets of less are left out.
    null_weight
        Prior probability that an effect is none at all, in [0, 1); the rest is shared equally by the variants.
    estimate_prior_variance
        Whether the size of each effect is learned; otherwise it stays at ``prior_variance``.
    prior_variance
        Variance of an effect, per standard deviation of the genotype, as a share of the target's variance.
    max_iterations, tolerance
        Passes over the effects; they end when the evidence bound rises by less than ``tolerance``.
    """

    num_effects: int = 10
    coverage: float = 0.95
    min_purity: float = 0.5
    null_weight: float = 0.0
    estimate_prior_variance: bool = True
    prior_variance: float = 0.2
    max_iterations: int = 100
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if self.num_effects < 1 or not 0 < self.coverage < 1 or not 0 <= self.null_weight < 1 or self.prior_variance <= 0:
            raise ValueError("num_effects >= 1, 0 < coverage < 1, 0 <= null_weight < 1 and prior_variance > 0")


@dataclass(frozen=True)
class CredibleSet:
    """Variants of which one acts, with at least the wanted probability.

    Parameters
    ----------
    effect
        Number of the single effect.
    variants
        int64: columns, the likeliest first.
    coverage
        Their probability under the model.
    purity
        Smallest absolute correlation between them; 1 for one variant.
    """

    effect: int
    variants: np.ndarray
    coverage: float
    purity: float


@dataclass(frozen=True)
class FineMapping:
    """What the sum of single effects says of a locus.

    Parameters
    ----------
    pip
        float64 (variants,): probability that the variant acts, over all effects that are not none.
    alpha
        float64 (effects, variants): probability that the effect is this variant's; a row adds up to 1 less that of no effect.
    mean
        float64 (effects, variants): the variant's effect, were it the acting one, per copy of the counted allele (for summary
        statistics: per standard deviation, in standard deviations of the target).
    prior_variance
        float64 (effects,): variance of each effect per standard deviation of the genotype; 0 where the effect is none.
    residual_variance
        Variance that the effects leave.
    elbo
        float64 (iterations,): the evidence bound after each pass; it never falls.
    converged
        Whether the bound stopped rising.
    sets
        Credible sets that are pure enough, none twice, in the order of effects.
    """

    pip: np.ndarray
    alpha: np.ndarray
    mean: np.ndarray
    prior_variance: np.ndarray
    residual_variance: float
    elbo: np.ndarray
    converged: bool
    sets: tuple[CredibleSet, ...]


def susie(values: np.ndarray, target: np.ndarray, options: SusieOptions = SusieOptions()) -> FineMapping:
    """Fine-map a locus from genotypes and a target.

    The model is ``y = X Σ_l γ_l b_l + e``, where each ``γ_l`` chooses one variant and ``b_l ~ N(0, V_l)``. Effects are fitted in
    turn to what the others leave (iterative Bayesian stepwise selection): with ``s²`` the squared standard error of a variant's
    effect and ``z`` its z-score, the Bayes factor is ``√(s² / (s² + V)) exp(z² V / (2 (s² + V)))`` and its share of the sum is
    the variant's probability. ``V_l`` has the greatest evidence, and is 0 where nothing is better; the residual variance is its
    expectation.

    Parameters
    ----------
    values
        float (samples, variants), imputed; a locus of up to some thousand variants, since the matrix of all their products is made.
        Project covariates out of the values and of the target first (see
        :func:`genoken.evaluation.association.covariates.without_covariates`).
    target
        float (samples,). A label of 0 and 1 is taken as a number.

    Raises
    ------
    DataError
        When numbers are not finite, or the target does not vary.

    Notes
    -----
    Probabilities hold where effects are few, additive and of typed variants. Relatives and population structure are not modeled.
    The residual variance is estimated without a loss of degrees of freedom, as in the original.

    References
    ----------
    Wang et al. 2020, doi:10.1111/rssb.12388.
    """
    values = np.asarray(values, dtype=np.float64)
    target = np.asarray(target, dtype=np.float64)
    if target.shape != (len(values),):
        raise ValueError(f"{target.shape} targets for {len(values)} samples")
    if not (np.isfinite(values).all() and np.isfinite(target).all()):
        raise DataError("fine-mapping needs finite numbers", remedy="impute missing calls and leave out samples without a target")
    target = target - target.mean()
    centered = values - values.mean(axis=0)
    deviations = np.sqrt((centered**2).sum(axis=0) / max(len(values) - 1, 1))
    varies = deviations > 1e-9
    if target @ target <= 0:
        raise DataError("the target does not vary")
    scale = np.where(varies, deviations, 1.0)
    centered = np.where(varies, centered / scale, 0.0)
    sums = _Sums(centered.T @ centered, centered.T @ target, float(target @ target), len(values))
    return _fit(sums, options, scale, learn_residual=True)


def susie_summary(
    statistic: np.ndarray,
    correlation: np.ndarray,
    num_samples: int,
    options: SusieOptions = SusieOptions(),
) -> FineMapping:
    """Fine-map a locus from z-scores of single-variant regressions and the correlations of the variants.

    The residual variance is kept at the target's, 1, which errs on the side of larger sets.

    Parameters
    ----------
    statistic
        float (variants,): z or t of each variant.
    correlation
        float (variants, variants), of the same samples and the same counted alleles: correlations of other people, or a flipped
        allele, make effects out of nothing.
    num_samples
        Samples of the regressions.

    Raises
    ------
    DataError
        When numbers are not finite, or the matrix is none of correlations.

    References
    ----------
    Zou et al. 2022, doi:10.1371/journal.pgen.1010299.
    """
    statistic = np.asarray(statistic, dtype=np.float64)
    correlation = np.asarray(correlation, dtype=np.float64)
    if correlation.shape != (len(statistic), len(statistic)):
        raise ValueError(f"correlations {correlation.shape} of {len(statistic)} variants")
    if not (np.isfinite(statistic).all() and np.isfinite(correlation).all()):
        raise DataError("fine-mapping needs finite numbers", remedy="leave out variants without a statistic")
    ones = np.abs(np.diag(correlation) - 1.0).max(initial=0.0)
    if max(ones, np.abs(correlation - correlation.T).max(initial=0.0)) > _DEFINITE:
        raise DataError("the matrix is none of correlations: it is not symmetric, or its diagonal is not 1")
    freedom = num_samples - 1.0
    marginal = statistic / np.sqrt(statistic**2 + num_samples - 2.0)
    sums = _Sums(freedom * correlation, freedom * marginal, freedom, num_samples)
    return _fit(sums, options, np.ones(len(statistic)), learn_residual=False)


@dataclass(frozen=True)
class _Sums:
    """Products of standardized genotypes among themselves, with the target, and of the target; and the number of samples.

    The squares of a variant add up to one less than the samples, or to 0 where it does not vary.
    """

    gram: np.ndarray
    inner: np.ndarray
    total: float
    samples: int

    @property
    def squares(self) -> np.ndarray:
        """Sum of squares of each variant."""
        return np.diag(self.gram)


class _Effects:
    """The posterior of all effects while they are fitted in turn."""

    def __init__(self, sums: _Sums, options: SusieOptions) -> None:
        effects, variants = options.num_effects, len(sums.inner)
        self.sums, self.options = sums, options
        self.residual = sums.total / (sums.samples - 1.0)
        self.prior = np.full(effects, options.prior_variance * self.residual)
        varies = sums.squares > 0
        shares = (1.0 - options.null_weight) * varies / max(int(varies.sum()), 1)
        self.weights = np.append(shares, 1.0 - shares.sum() if options.null_weight or not varies.any() else 0.0)
        self.alpha = np.tile(self.weights, (effects, 1))
        self.mean = np.zeros((effects, variants))
        self.second = np.zeros((effects, variants))
        self.products = np.zeros((effects, variants))
        self.divergence = np.zeros(effects)

    def update(self, effect: int) -> None:
        """Fit one effect to what the others leave."""
        left = self.sums.inner - (self.products.sum(axis=0) - self.products[effect])
        error = self.residual / (self.sums.samples - 1.0)
        z2 = left**2 / (self.residual * (self.sums.samples - 1.0))
        if self.options.estimate_prior_variance:
            self.prior[effect] = _best_prior(error, z2, self.weights, self.prior[effect])
        prior = self.prior[effect]
        logs = np.append(_log_bayes_factors(error, z2, prior), 0.0)
        shares = self.weights * np.exp(logs - logs.max())
        alpha = shares / shares.sum()
        variance = prior * error / (prior + error)
        mean = variance * left / self.residual
        self.alpha[effect], self.mean[effect], self.second[effect] = alpha, mean, mean**2 + variance
        self.products[effect] = self.sums.gram @ (alpha[:-1] * mean)
        self.divergence[effect] = _divergence(alpha, self.weights, self.second[effect], variance, prior)

    def expected_squares(self) -> float:
        """Return the expected residual sum of squares."""
        means = self.alpha[:, :-1] * self.mean
        whole = means.sum(axis=0)
        spread = (self.alpha[:, :-1] * self.second) @ self.sums.squares - (means * self.products).sum(axis=1)
        return float(self.sums.total - 2.0 * whole @ self.sums.inner + whole @ self.products.sum(axis=0) + spread.sum())

    def bound(self, squares: float) -> float:
        """Return the evidence lower bound, given the expected residual sum of squares."""
        fit = self.sums.samples * np.log(2.0 * np.pi * self.residual) + squares / self.residual
        return float(-0.5 * fit - self.divergence.sum())


def _fit(sums: _Sums, options: SusieOptions, scale: np.ndarray, *, learn_residual: bool) -> FineMapping:
    effects = _Effects(sums, options)
    elbo: list[float] = []
    converged = False
    for _ in range(options.max_iterations):
        for effect in range(options.num_effects):
            effects.update(effect)
        squares = effects.expected_squares()
        if learn_residual:
            effects.residual = max(squares, 1e-9 * sums.total) / sums.samples
        elbo.append(effects.bound(squares))
        if len(elbo) > 1 and elbo[-1] - elbo[-2] < options.tolerance:
            converged = True
            break
    alpha = effects.alpha[:, :-1]
    pip = 1.0 - np.prod(1.0 - alpha[effects.prior > 0], axis=0)
    sets = _credible_sets(effects, options)
    return FineMapping(pip, alpha, effects.mean / scale, effects.prior, effects.residual, np.array(elbo), converged, sets)


def _log_bayes_factors(error: float, z2: np.ndarray, prior: np.ndarray | float) -> np.ndarray:
    """Return the logarithm of each variant's Bayes factor for an effect of this prior variance against none."""
    share = prior / (error + prior)
    return 0.5 * (np.log1p(-share) + z2 * share)


def _best_prior(error: float, z2: np.ndarray, weights: np.ndarray, current: float) -> float:
    """Return the prior variance of greatest evidence among grids, the current one and 0, which wins where it is as good."""

    def best_of(priors: np.ndarray) -> tuple[float, float]:
        logs = _log_bayes_factors(error, z2, priors[:, None])
        top = np.maximum(logs.max(axis=1, initial=0.0), 0.0)
        evidence = top + np.log(np.exp(logs - top[:, None]) @ weights[:-1] + np.exp(-top) * weights[-1])
        place = int(np.argmax(evidence))
        return float(priors[place]), float(evidence[place])

    best, _ = best_of(np.append(_GRID * error, current))
    for distance in _FINER:
        best, _ = best_of(np.append(best * np.exp(distance * _STEPS), current))
    best, evidence = best_of(np.array([best, current]))
    return best if evidence > 1e-12 else 0.0


def _divergence(alpha: np.ndarray, weights: np.ndarray, second: np.ndarray, variance: np.ndarray, prior: float) -> float:
    """Return the Kullback-Leibler divergence of one effect's posterior from its prior."""
    from scipy.special import rel_entr

    choice = rel_entr(alpha, weights).sum()
    if prior <= 0:
        return float(choice)
    return float(choice + 0.5 * (alpha[:-1] @ (np.log(prior / variance) + second / prior - 1.0)))


def _credible_sets(effects: _Effects, options: SusieOptions) -> tuple[CredibleSet, ...]:
    lengths = np.sqrt(np.maximum(effects.sums.squares, 1e-300))
    found: list[CredibleSet] = []
    seen: set[frozenset[int]] = set()
    for effect in np.flatnonzero(effects.prior > 0):
        alpha = effects.alpha[effect]
        order = np.argsort(-alpha, kind="stable")
        reached = np.cumsum(alpha[order])
        chosen = order[: int(np.searchsorted(reached, options.coverage)) + 1]
        none = len(alpha) - 1
        if none in chosen or frozenset(chosen.tolist()) in seen:
            continue
        seen.add(frozenset(chosen.tolist()))
        between = effects.sums.gram[np.ix_(chosen, chosen)] / np.outer(lengths[chosen], lengths[chosen])
        np.fill_diagonal(between, 1.0)
        purity = float(np.abs(between).min())
        if purity >= options.min_purity:
            found.append(CredibleSet(int(effect), chosen, float(min(reached[len(chosen) - 1], 1.0)), purity))
    return tuple(found)
