r"""A Gaussian vector over all features, and what it says about those of a sample that are hidden.

Of standardized values with the train correlation :math:`R`, the correlation used is :math:`(1 - a) R + a I`. With its inverse
:math:`P`, the hidden features :math:`m` given the visible ones :math:`v` have the mean :math:`-P_{mm}^{-1} P_{mv} x_v` (the ridge
regression of each hidden feature on all the visible ones) and the variances :math:`n_m (P_{mm}^{-1})_{mm}`. Each feature's noise
factor :math:`n_m` compares what is left unexplained in a part of train that was left out to what the matrix promises; it and
:math:`a` are tuned there. The shrinkage target is that of Ledoit and Wolf (2004), doi:10.1016/S0047-259X(03)00096-4, the weight is
not: theirs is best for the matrix as a whole, here what counts is the prediction of hidden features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from genoken.core.gaussian import GaussianMoments
from genoken.core.random import generator
from genoken.evaluation._packed import held_out

_SHRINKAGES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8)
_MOST_FITTED = 20_000
_MOST_TUNED_ON = 200
_FOLDS = 5
_NOISE_PRIOR = 20.0
"""A feature's own noise factor weighs as much as that of all when it comes from this many samples."""
_LEAST_DEVIATION = 0.05
"""Deviations below this share of the median one are raised to it."""

Score = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
"""From the truth, conditional means and deviations of a sample's hidden features to a loss."""


@dataclass(frozen=True)
class Gaussian(GaussianMoments):
    """Fitted on train values; see :class:`genoken.core.gaussian.GaussianMoments`."""

    def conditional(self, values: np.ndarray, hidden: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each sample's conditional means and standard deviations of its hidden features, in the units of the values.

        Parameters
        ----------
        values
            Shape (samples, features); what stands at hidden features is not looked at.
        hidden
            Hidden features of each sample.
        """
        visible = (values - self.mean) / self.deviation
        for row, features in zip(visible, hidden, strict=True):
            row[features] = 0.0
        for pull, features in zip(visible @ self.precision, hidden, strict=True):
            covariance = np.linalg.inv(self.precision[np.ix_(features, features)])
            scale = self.deviation[features]
            mean = self.mean[features] - scale * (covariance @ pull[features])
            yield mean, scale * np.sqrt(self.noise[features] * np.diag(covariance))


@dataclass(frozen=True)
class Fit:
    """A Gaussian of train values, and what is needed to tune what comes after it.

    Parameters
    ----------
    gaussian
        Fitted on all train samples.
    apart
        The same with the held-out train samples left out.
    held_out
        Rows of these.
    shrinkage
        The weight ``a`` that was best.
    """

    gaussian: Gaussian
    apart: Gaussian
    held_out: np.ndarray
    shrinkage: float


@dataclass(frozen=True)
class CrossFit:
    """A Gaussian of train values, and others that have each not seen a part of them.

    What the first says about a train sample is better than what it would say about a new one, since it has seen it; what the
    sample's own other Gaussian says is not.

    Parameters
    ----------
    whole
        Fitted on all train samples.
    folds
        Each fitted without the samples of one fold.
    fold_of_sample
        int64 (samples,): the one of ``folds`` that has not seen the sample.
    """

    whole: Gaussian
    folds: tuple[Gaussian, ...]
    fold_of_sample: np.ndarray


def fit_gaussian(
    values: np.ndarray, share: float, score: Score, units: np.ndarray | None = None, present: np.ndarray | None = None
) -> Fit:
    """Return the Gaussian of train values, with the shrinkage that is best on a part of train that was left out.

    Parameters
    ----------
    values
        Shape (samples, features); a fixed draw of 20,000 samples is used when there are more.
    share
        Share of the features that is hidden in the samples that it is tuned on.
    score
        The loss to make small.
    units
        Of each sample, which ones are left out together; ``None`` when they are independent.
    present
        bool (samples, features): what may be hidden; ``None`` for everything.
    """
    rows = np.arange(len(values))
    if len(rows) > _MOST_FITTED:
        rows = np.sort(generator(0, "floors", "fitted").choice(rows, _MOST_FITTED, replace=False))
    is_held_out = held_out(len(rows), None if units is None else np.asarray(units)[rows])
    fitted, left_out = _Spectrum.of(values[rows[~is_held_out]]), rows[is_held_out]
    tuned_on = left_out[:: max(1, len(left_out) // _MOST_TUNED_ON)]
    shown = values[tuned_on]
    hidden = draw_hidden(np.ones(shown.shape, dtype=bool) if present is None else present[tuned_on], share)
    best, best_loss = (_SHRINKAGES[-1], np.ones(values.shape[1])), np.inf
    for shrinkage in _SHRINKAGES:
        noise = _noise(fitted.gaussian(shrinkage, np.ones(values.shape[1])), values[left_out])
        answers = fitted.gaussian(shrinkage, noise).conditional(shown, hidden)
        losses = [
            score(row[features], *answer) for row, features, answer in zip(shown, hidden, answers, strict=True) if len(features)
        ]
        loss = float(np.mean(losses)) if losses else 0.0
        if loss < best_loss:
            best, best_loss = (shrinkage, noise), loss
    return Fit(_Spectrum.of(values[rows]).gaussian(*best), fitted.gaussian(*best), left_out, best[0])


def cross_fit(values: np.ndarray, share: float, score: Score, units: np.ndarray | None = None) -> CrossFit:
    """Return the Gaussian of :func:`fit_gaussian` and five more with the same shrinkage and noise; units stay in one fold."""
    fit = fit_gaussian(values, share, score, units)
    names = np.arange(len(values)) if units is None else np.unique(np.asarray(units).astype(str), return_inverse=True)[1]
    order = generator(0, "floors", "folds").permutation(int(names.max()) + 1)
    num_folds = min(_FOLDS, len(order))
    if num_folds < 2:
        return CrossFit(fit.gaussian, (fit.gaussian,), np.zeros(len(values), dtype=np.int64))
    fold_of_sample = np.argsort(order)[names] % num_folds
    drawn = np.zeros(len(values), dtype=bool)
    drawn[generator(0, "floors", "fitted").permutation(len(values))[:_MOST_FITTED]] = True
    folds = [
        _Spectrum.of(values[drawn & (fold_of_sample != fold)]).gaussian(fit.shrinkage, fit.gaussian.noise)
        for fold in range(num_folds)
    ]
    return CrossFit(fit.gaussian, tuple(folds), fold_of_sample)


def draw_hidden(present: np.ndarray, share: float) -> list[np.ndarray]:
    """Return a fixed draw of this share of what is present, at least one, as features of each sample, ascending."""
    rng = generator(0, "floors", "hidden")
    drawn = []
    for row in present:
        candidates = np.flatnonzero(row)
        size = min(len(candidates), max(1, round(share * len(candidates))))
        drawn.append(np.sort(rng.choice(candidates, size, replace=False)))
    return drawn


def squared_error(truth: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> float:
    """Return the mean squared error; the deviations do not matter."""
    return float(np.mean((truth - mean) ** 2))


@dataclass(frozen=True)
class _Spectrum:
    """Moments of values, and the eigenvalues and eigenvectors of their correlation."""

    mean: np.ndarray
    deviation: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> _Spectrum:
        from scipy.linalg import eigh

        mean, deviation = values.mean(axis=0), values.std(axis=0)
        deviation = np.maximum(deviation, max(_LEAST_DEVIATION * float(np.median(deviation)), 1e-9))
        standardized = (values - mean) / deviation
        eigenvalues, eigenvectors = eigh(standardized.T @ standardized / len(values))
        return cls(mean, deviation, np.maximum(eigenvalues, 0.0), eigenvectors)

    def gaussian(self, shrinkage: float, noise: np.ndarray) -> Gaussian:
        inverse = 1 / ((1 - shrinkage) * self.eigenvalues + shrinkage)
        return Gaussian(self.mean, self.deviation, (self.eigenvectors * inverse) @ self.eigenvectors.T, noise)


def _noise(gaussian: Gaussian, values: np.ndarray) -> np.ndarray:
    """Return each feature's mean squared error given all others over the variance promised, drawn to that of all features."""
    standardized = (values - gaussian.mean) / gaussian.deviation
    ratio = (standardized @ gaussian.precision) ** 2 / np.diag(gaussian.precision)
    return (ratio.sum(axis=0) + _NOISE_PRIOR * ratio.mean()) / (len(values) + _NOISE_PRIOR)
