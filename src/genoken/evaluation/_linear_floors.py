"""The floors that see the visible part of a sample: linear regression of what is hidden, on ranks and on values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from genoken.core.gaussian import MOST_FEATURES
from genoken.evaluation import _chances
from genoken.evaluation._gaussian import CrossFit, Fit, Gaussian, cross_fit, draw_hidden, fit_gaussian, squared_error
from genoken.evaluation._packed import PackedTokens, Targets

LEAST_SAMPLES = 10
_MOST_WORK = 2e12
"""Sum over samples of the cubes of their numbers of hidden features: minutes on one core."""
_TAILS = (2.0, 3.0, 5.0, 10.0)
"""Degrees of freedom of Student's t."""
_SCALES = (0.35, 0.5, 0.65, 0.8, 1.0)
_MOST_TUNED_ON = 60
_DRAWS = 5
"""How often tokens of each held-out sample are hidden to fit the lines."""
_LEAST_TOKENS = 5
_SLOPE_PRIOR = 20.0
"""A feature's own slope weighs as much as that of all when it comes from this many tokens."""


def linear_floor_note(train: PackedTokens, test: PackedTokens, targets: Targets, num_features: int) -> str:
    """Return why there is no linear floor, as a sentence, or an empty text when nothing is in its way."""
    if num_features > MOST_FEATURES:
        return f"The linear floor was left out: {num_features:,} features, more than {MOST_FEATURES:,}."
    if train.num_samples < LEAST_SAMPLES:
        return f"The linear floor was left out: {train.num_samples:,} train samples, fewer than {LEAST_SAMPLES}."
    lengths = np.diff(np.searchsorted(targets.places, test.offsets)).astype(np.float64)
    if (lengths**3).sum() > _MOST_WORK:
        return f"The linear floor was left out: {len(targets.places):,} targets are too many to solve for."
    return ""


def linear_ranks(
    known: np.ndarray,
    asked: np.ndarray,
    hidden: Sequence[np.ndarray],
    units: np.ndarray | None,
    *,
    asked_for: Literal["feature", "rank"],
) -> dict[str, dict[str, np.ndarray]]:
    """Return ``linear_gaussian`` and ``linear_student``, which choose among what is missing from each sample.

    Both have the same conditional means and deviations. The tails of Student's t, whose degrees of freedom and scale are tuned on
    held-out train samples, forgive the outliers that ranks are full of.

    Parameters
    ----------
    known, asked
        Rank of each feature in train and test, (samples, features).
    hidden
        Hidden features of each test sample.
    units
        Of each train sample, which ones are left out together in tuning.
    asked_for
        The feature at a rank, or the rank of a feature.
    """
    axis: Literal[0, 1] = 1 if asked_for == "feature" else 0
    loss = _rank_loss(axis)
    share = sum(map(len, hidden)) / max(asked.size, 1)
    known, asked = normal_scores(known), normal_scores(asked)
    fit = fit_gaussian(known, share, loss, units)
    tail, scale = _tail(fit, known, share, loss)
    parts: dict[str, list[dict[str, np.ndarray]]] = {"linear_gaussian": [], "linear_student": []}
    for row, features, (mean, deviation) in zip(asked, hidden, fit.gaussian.conditional(asked, hidden), strict=True):
        if not len(features):
            continue
        for name, weights in (
            ("linear_gaussian", _log_densities(row[features], mean, deviation)),
            ("linear_student", _log_densities(row[features], mean, scale * deviation, tail)),
        ):
            parts[name].append(_chances.among(weights if axis == 1 else weights.T, np.arange(len(features))))
    return {name: _chances.joined(found) for name, found in parts.items()}


def rank_gaussian(known: np.ndarray, share: float, units: np.ndarray | None, *, asked_for: Literal["feature", "rank"]) -> CrossFit:
    """Return the Gaussian of train ranks as normal scores; see :func:`linear_ranks`."""
    return cross_fit(normal_scores(known), share, _rank_loss(1 if asked_for == "feature" else 0), units)


def value_gaussian(known: np.ndarray, share: float, units: np.ndarray | None) -> CrossFit:
    """Return the Gaussian of train values; see :func:`ridge`."""
    return cross_fit(known, share, squared_error, units)


def _rank_loss(axis: Literal[0, 1]) -> Callable[..., float]:
    """Return the cross-entropy of choosing among hidden features for each place (axis 1), or among places for each feature."""
    from scipy.special import logsumexp

    def loss(truth: np.ndarray, mean: np.ndarray, deviation: np.ndarray, tail: float = np.inf) -> float:
        weights = _log_densities(truth, mean, deviation, tail)
        return float(np.mean(logsumexp(weights, axis=axis) - np.diag(weights)))

    return loss


def _tail(fit: Fit, known: np.ndarray, share: float, loss: Callable[..., float]) -> tuple[float, float]:
    """Return the degrees of freedom and the factor of the deviations that are best on held-out train samples."""
    rows = fit.held_out[:: max(1, len(fit.held_out) // _MOST_TUNED_ON)]
    shown = known[rows]
    hidden = draw_hidden(np.ones(shown.shape, dtype=bool), share)
    answers = list(fit.apart.conditional(shown, hidden))

    def total(tail: float, scale: float) -> float:
        return sum(
            loss(row[features], mean, scale * deviation, tail)
            for row, features, (mean, deviation) in zip(shown, hidden, answers, strict=True)
        )

    return min(((tail, scale) for tail in _TAILS for scale in _SCALES), key=lambda choice: total(*choice))


def normal_scores(ranks: np.ndarray) -> np.ndarray:
    """Return ranks from 0 on as quantiles of the normal distribution: toward the ends steps grow, as the noise of ranks shrinks."""
    from scipy.special import ndtri

    return ndtri((ranks + 0.5) / ranks.shape[1])


def _log_densities(places: np.ndarray, mean: np.ndarray, deviation: np.ndarray, tail: float = np.inf) -> np.ndarray:
    """Return the log-density of each place (row) under each feature's t distribution (column), up to a constant."""
    squares = ((places[:, None] - mean) / deviation) ** 2
    exponents = -0.5 * squares if np.isinf(tail) else -0.5 * (tail + 1) * np.log1p(squares / tail)
    return exponents - np.log(deviation)


def ridge(
    known: np.ndarray,
    asked: np.ndarray,
    hidden: Sequence[np.ndarray],
    share: float,
    means: np.ndarray,
    present: np.ndarray | None,
    units: np.ndarray | None,
) -> np.ndarray:
    """Return the prediction of each target by ridge regression on all visible values of the sample.

    Parameters
    ----------
    known, asked
        Values of train and test, (samples, features), 0 where a sample has no token of a feature.
    hidden
        Hidden features of each test sample, targets one after the other.
    share
        Share of the tokens that is hidden.
    means
        Mean of each feature over its train tokens.
    present
        Which train values are tokens, or ``None`` when all are. Else a prediction of "absent or how much" becomes one of "how much"
        by a line for each feature, fitted on train samples that the regression has not seen, if that is better on others of them.
    units
        Of each train sample, which ones are left out together in tuning.
    """
    fit = fit_gaussian(known, share, squared_error, units, present)
    predicted = _predicted(fit.gaussian, asked, hidden)
    if present is None:
        return predicted
    rows = np.tile(fit.held_out, _DRAWS)
    shown = known[rows]
    asked_in_train = draw_hidden(present[rows], share)
    truth = np.concatenate([row[features] for row, features in zip(shown, asked_in_train, strict=True)])
    guessed = _predicted(fit.apart, shown, asked_in_train)
    features = np.concatenate(asked_in_train)
    half = np.repeat(np.isin(rows, fit.held_out[::2]), [len(own) for own in asked_in_train])
    on_lines = _on_lines(_lines(features[half], guessed[half], truth[half], means), means, features[~half], guessed[~half])
    if ((guessed - truth)[~half] ** 2).sum() <= ((on_lines - truth[~half]) ** 2).sum():
        return predicted
    return _on_lines(_lines(features, guessed, truth, means), means, np.concatenate(hidden), predicted)


def _on_lines(lines: tuple[np.ndarray, np.ndarray], means: np.ndarray, features: np.ndarray, guessed: np.ndarray) -> np.ndarray:
    centers, slopes = lines
    return means[features] + slopes[features] * (guessed - centers[features])


def _predicted(gaussian: Gaussian, values: np.ndarray, hidden: Sequence[np.ndarray]) -> np.ndarray:
    means = [mean for mean, _ in gaussian.conditional(values, hidden)]
    return np.concatenate(means) if means else np.zeros(0)


def _lines(features: np.ndarray, guessed: np.ndarray, truth: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each feature's mean guess, and the slope of truth over guess; 0 where a feature has too few tokens for either."""
    counts = np.bincount(features, minlength=len(means))
    centers = np.bincount(features, guessed, minlength=len(means)) / np.maximum(counts, 1)
    across, up = guessed - centers[features], truth - means[features]
    products = np.bincount(features, across * up, minlength=len(means))
    squares = np.bincount(features, across**2, minlength=len(means))
    typical = squares.sum() / max(len(features), 1) + 1e-12
    overall = products.sum() / (squares.sum() + typical)
    slopes = (products + _SLOPE_PRIOR * typical * overall) / (squares + _SLOPE_PRIOR * typical)
    return centers, np.where(counts >= _LEAST_TOKENS, slopes, 0.0)
