"""Whether probabilities mean what they say."""

from __future__ import annotations

from typing import Any

import numpy as np

NUM_BINS = 10
"""Bins of equal width between 0 and 1."""


def confidences(probabilities: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the probability that each sample's predicted class was given, of shape (samples,)."""
    return probabilities[np.arange(len(predicted)), predicted]


def confidence_bins(confidence: np.ndarray) -> np.ndarray:
    """Return the bin of each confidence: bin b holds [b / 10, (b + 1) / 10), the last one 1 as well."""
    return np.minimum((confidence * NUM_BINS).astype(np.int64), NUM_BINS - 1)


def calibration_error(codes: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray) -> float:
    r"""Return the expected calibration error of the predicted classes.

    .. math::

        \mathrm{ECE} = \sum_b \frac{n_b}{n} \left| \mathrm{accuracy}_b - \mathrm{confidence}_b \right|

    over 10 bins of equal width of the predicted class's probability. It is biased upwards with few samples per bin, and says
    nothing about the probabilities of the other classes.

    Parameters
    ----------
    codes
        True classes of shape (samples,).
    probabilities
        Of shape (samples, classes).
    predicted
        Predicted classes of shape (samples,).

    Returns
    -------
    float
        Between 0 and 1.

    References
    ----------
    Guo et al., On calibration of modern neural networks, ICML 2017.
    """
    confidence = confidences(probabilities, predicted)
    gaps = np.bincount(confidence_bins(confidence), weights=(codes == predicted) - confidence, minlength=NUM_BINS)
    return float(np.abs(gaps).sum() / len(codes))


def reliability(codes: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Return the calibration curve of the predicted classes and its ECE.

    Parameters
    ----------
    codes, probabilities, predicted
        As for :func:`calibration_error`.

    Returns
    -------
    dict
        ``{"bins": [{"low", "high", "samples", "confidence", "accuracy"}], "ece"}``; bins without samples are left out.
    """
    confidence = confidences(probabilities, predicted)
    member = confidence_bins(confidence)
    bins = []
    for index in np.unique(member):
        inside = member == index
        bins.append(
            {
                "low": float(index / NUM_BINS),
                "high": float((index + 1) / NUM_BINS),
                "samples": int(inside.sum()),
                "confidence": float(confidence[inside].mean()),
                "accuracy": float((codes == predicted)[inside].mean()),
            }
        )
    return {"bins": bins, "ece": calibration_error(codes, probabilities, predicted)}
