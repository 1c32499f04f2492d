"""Scores of a rule that gives each candidate a probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

MEASURES = ("cross_entropy", "correct", "top5")
_TOP = 5


def from_ranks(cross_entropy: np.ndarray, num_above: np.ndarray, num_equal: np.ndarray) -> dict[str, np.ndarray]:
    """Return the measures of each target; among equal candidates, the chance of a hit is what counts.

    Parameters
    ----------
    cross_entropy
        ``-ln p`` of the truth.
    num_above
        Candidates with a higher probability than the truth.
    num_equal
        Candidates with the same one, the truth included.
    """
    return {
        "cross_entropy": np.asarray(cross_entropy, dtype=np.float64),
        "correct": np.where(num_above == 0, 1 / num_equal, 0.0),
        "top5": np.clip((_TOP - num_above) / num_equal, 0.0, 1.0),
    }


def uniform(num_candidates: np.ndarray) -> dict[str, np.ndarray]:
    """Return the measures of guessing among this many candidates at each target."""
    return from_ranks(np.log(num_candidates), np.zeros(len(num_candidates)), num_candidates)


def among(log_weights: np.ndarray, own: np.ndarray) -> dict[str, np.ndarray]:
    """Return the measures where candidates are listed for each target.

    Parameters
    ----------
    log_weights
        Shape (targets, candidates), up to a constant per target.
    own
        int64 (targets,): which candidate is the truth.
    """
    from scipy.special import logsumexp

    truth = np.take_along_axis(log_weights, own[:, None], axis=1)
    above = (log_weights > truth).sum(axis=1)
    return from_ranks(logsumexp(log_weights, axis=1) - truth[:, 0], above, (log_weights == truth).sum(axis=1))


def from_table(log_probabilities: np.ndarray, rows: np.ndarray, own: np.ndarray) -> dict[str, np.ndarray]:
    """Return the measures where each target's candidates are a row of one table.

    Parameters
    ----------
    log_probabilities
        Shape (rows, candidates).
    rows, own
        int64 (targets,): the row, and which candidate is the truth.
    """
    truth = log_probabilities[rows, own]
    above, equal = np.empty(len(rows)), np.empty(len(rows))
    order = np.argsort(rows, kind="stable")
    for positions in np.split(order, np.flatnonzero(np.diff(rows[order])) + 1) if len(rows) else []:
        ascending = np.sort(log_probabilities[rows[positions[0]]])
        low, high = (np.searchsorted(ascending, truth[positions], side=side) for side in ("left", "right"))
        above[positions], equal[positions] = len(ascending) - high, high - low
    return from_ranks(-truth, above, equal)


def joined(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the measures of several runs of targets as one."""
    return {name: np.concatenate([part[name] for part in parts]) if parts else np.zeros(0) for name in MEASURES}
