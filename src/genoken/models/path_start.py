"""A linear path that was fitted before the network's steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PathStart:
    """Weights on values as they are, and those of fits that have each not seen a part of the train samples.

    In training the encoder is to learn what the path leaves over on new samples; the whole fit would leave too little, having seen
    the sample.

    Parameters
    ----------
    weights
        (features, outputs).
    intercept
        (outputs,).
    fold_weights
        (folds, features, outputs); no folds where the samples cannot be divided.
    fold_intercepts
        (folds, outputs).
    fold_of_sample
        int64 (train samples,): which of the folds' fits has not seen each sample.
    """

    weights: np.ndarray
    intercept: np.ndarray
    fold_weights: np.ndarray
    fold_intercepts: np.ndarray
    fold_of_sample: np.ndarray
