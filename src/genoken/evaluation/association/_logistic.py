"""Logistic regressions of a few columns: by maximum likelihood, and with Firth's penalty, which keeps every estimate finite."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MOST_STEPS, _MOST_PENALIZED_STEPS = 25, 200
_CLOSE = 1e-8
_LONGEST_STEP = 5.0


@dataclass(frozen=True)
class PenalizedFit:
    """A regression with Firth's penalty: its coefficients, and the penalized log likelihood that they reach."""

    coefficients: np.ndarray
    log_likelihood: float


def logistic_fit(design: np.ndarray, labels: np.ndarray, start: np.ndarray | None = None) -> np.ndarray | None:
    """Return the coefficients (columns,) of greatest likelihood by Newton's method; ``None`` where it finds no finite ones.

    Parameters
    ----------
    design
        float64 (samples, columns) with an intercept in their span.
    labels
        0.0 and 1.0 of shape (samples,).
    start
        Coefficients to begin with; zeros where there are none.
    """
    coefficients = np.zeros(design.shape[1]) if start is None else start.copy()
    for _ in range(_MOST_STEPS):
        chances = _chances(design, coefficients)
        information = _information(design, chances)
        try:
            step = np.linalg.solve(information, design.T @ (labels - chances))
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(step).all():
            return None
        coefficients = coefficients + step
        if np.abs(step).max() < _CLOSE * (1.0 + np.abs(coefficients).max()):
            return coefficients
    return None


def firth_fit(design: np.ndarray, labels: np.ndarray, free: int) -> PenalizedFit:
    """Maximize ``log likelihood + ½ log |information|`` over the first ``free`` coefficients; the others stay 0.

    The penalty is of all columns, whether free or not, so that two fits give a likelihood ratio.
    """
    coefficients = np.zeros(design.shape[1])
    value, chances, leverage = _penalized(design, labels, coefficients)
    for _ in range(_MOST_PENALIZED_STEPS):
        score = (design.T @ (labels - chances + leverage * (0.5 - chances)))[:free]
        step = np.linalg.solve(_information(design, chances)[:free, :free], score)
        step *= min(1.0, _LONGEST_STEP / max(np.abs(step).max(), 1e-300))
        size = 1.0
        while size > 1e-6:
            moved = coefficients.copy()
            moved[:free] += size * step
            new_value, new_chances, new_leverage = _penalized(design, labels, moved)
            if new_value >= value - 1e-12 * abs(value):
                break
            size /= 2.0
        else:
            break
        coefficients, value, chances, leverage = moved, new_value, new_chances, new_leverage
        if np.abs(step).max() < _CLOSE * (1.0 + np.abs(coefficients).max()):
            break
    return PenalizedFit(coefficients, value)


def refined(design: np.ndarray, labels: np.ndarray, null: np.ndarray) -> tuple[float, float, float, str]:
    """Return the last column's coefficient, standard error, statistic and test: ``wald`` or, where that fails, ``firth``.

    Parameters
    ----------
    design
        float64 (samples, columns): covariates with an intercept, then the variant.
    labels
        0.0 and 1.0 of shape (samples,).
    null
        Coefficients of greatest likelihood without the variant.
    """
    coefficients = logistic_fit(design, labels, np.append(null, 0.0))
    if coefficients is not None:
        error = _last_error(design, coefficients)
        return float(coefficients[-1]), error, float(coefficients[-1] / error), "wald"
    columns = design.shape[1]
    whole, without = firth_fit(design, labels, columns), firth_fit(design, labels, columns - 1)
    ratio = max(2.0 * (whole.log_likelihood - without.log_likelihood), 0.0)
    beta = float(whole.coefficients[-1])
    return beta, _last_error(design, whole.coefficients), float(np.sign(beta) * np.sqrt(ratio)), "firth"


def _chances(design: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return expit(design @ coefficients)


def _information(design: np.ndarray, chances: np.ndarray) -> np.ndarray:
    return design.T @ ((chances * (1.0 - chances))[:, None] * design)


def _last_error(design: np.ndarray, coefficients: np.ndarray) -> float:
    return float(np.sqrt(np.linalg.inv(_information(design, _chances(design, coefficients)))[-1, -1]))


def _penalized(design: np.ndarray, labels: np.ndarray, coefficients: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the penalized log likelihood, the chances, and the leverage of each sample."""
    linear = design @ coefficients
    chances = _chances(design, coefficients)
    basis, triangle = np.linalg.qr(np.sqrt(chances * (1.0 - chances))[:, None] * design)
    with np.errstate(divide="ignore"):
        half_determinant = np.log(np.abs(np.diag(triangle))).sum()
    likelihood = labels @ linear - np.logaddexp(0.0, linear).sum()
    return float(likelihood + half_determinant), chances, (basis**2).sum(axis=1)
