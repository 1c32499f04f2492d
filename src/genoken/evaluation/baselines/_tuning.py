"""What tuning on validation needs: something to validate on, scores, a column for every class; and what is fitted after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from genoken.core.contracts import BaselineProblem


def with_validation(problem: BaselineProblem) -> BaselineProblem:
    """Return the problem, with train in the place of validation when that is empty: nothing else is left to tune on."""
    if problem.val.shape[0]:
        return problem
    return replace(problem, val=problem.train, val_labels=problem.train_labels)


def final_part(problem: BaselineProblem) -> tuple[sp.csr_matrix, np.ndarray]:
    """Return the values and labels that the tuned baseline is fitted on: train, and validation too where a refit is asked for."""
    if not problem.refit or not problem.val.shape[0]:
        return problem.train, problem.train_labels
    return sp.vstack([problem.train, problem.val]).tocsr(), np.concatenate([problem.train_labels, problem.val_labels])


def all_columns(probabilities: np.ndarray, present: np.ndarray, num_classes: int) -> np.ndarray:
    """Return probabilities with a column for every class; classes that train lacks get 0.

    Parameters
    ----------
    probabilities
        Of shape (samples, classes in train).
    present
        Codes of the classes in train, in the order of the columns.
    num_classes
        Number of all classes.

    Returns
    -------
    numpy.ndarray
        float64 of shape (samples, num_classes).
    """
    full = np.zeros((len(probabilities), num_classes))
    full[:, present] = probabilities
    return full


def score_classes(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float, float]:
    """Return macro-F1 and, to decide between equal ones, the negative log-loss; higher is better in both.

    Parameters
    ----------
    labels
        Class codes of shape (samples,).
    probabilities
        Of shape (samples, classes).
    """
    from sklearn.metrics import f1_score

    chosen = np.clip(probabilities[np.arange(len(labels)), labels], np.finfo(np.float64).eps, 1)
    return float(f1_score(labels, probabilities.argmax(axis=1), average="macro", zero_division=0)), float(np.log(chosen).mean())


def score_values(labels: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Return the negative mean squared error (and 0, in place of a second score); higher is better."""
    return -float(np.mean((labels - values) ** 2)), 0.0
