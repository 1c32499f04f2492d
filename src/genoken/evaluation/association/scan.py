"""Single-variant regressions for whatever is predicted: a number, two classes, or several."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.core.contracts import Task
from genoken.evaluation.association.glm import linear_association, logistic_association, refined_association, to_refine


def association_scan(
    dense: np.ndarray, labels: np.ndarray, task: Task, num_classes: int, covariates: np.ndarray | None
) -> pd.DataFrame:
    """Return one regression per variant.

    Numbers are regressed linearly, two classes by logistic regression of the second. Of several classes each is set against all
    others by a score test. A variant has the row of its smallest p, with the regression fitted where that matters; p is multiplied
    by the number of classes (Bonferroni).

    Parameters
    ----------
    dense
        int8 (samples, variants) of 0, 1, 2 and ``MISSING``.
    labels
        Class codes or numbers, shape (samples,).
    task, num_classes
        What the labels are.
    covariates
        float (samples, covariates); ``None`` for an intercept alone.

    Returns
    -------
    pandas.DataFrame
        The columns of :mod:`genoken.evaluation.association.glm`, and ``class_code``: the class that is set against the others,
        -1 in a regression.
    """
    if task == "regression":
        return linear_association(dense, labels, covariates).assign(class_code=-1)
    if num_classes == 2:
        return logistic_association(dense, labels, covariates).assign(class_code=1)
    present = np.unique(labels)
    tables = [logistic_association(dense, scan_target(labels, code), covariates, refine_below=0.0) for code in present]
    best = np.argmax([table["minus_log10_p"].fillna(-1.0) for table in tables], axis=0)
    joined = pd.concat(tables, ignore_index=True)
    found = joined.iloc[best * dense.shape[1] + np.arange(dense.shape[1])].reset_index(drop=True)
    worth = to_refine(found)
    for place, code in enumerate(present):
        variants = worth[best[worth] == place]
        found = refined_association(found, dense, scan_target(labels, code), covariates, variants)
    found["p"] = np.minimum(found["p"] * len(present), 1.0)
    found["minus_log10_p"] = np.maximum(found["minus_log10_p"] - np.log10(len(present)), 0.0)
    return found.assign(class_code=present[best])


def scan_target(labels: np.ndarray, class_code: int) -> np.ndarray:
    """Return what a row of a scan regressed, float64 (samples,): the numbers, or 1 in the class and 0 in all others."""
    return labels.astype(np.float64) if class_code < 0 else (labels == class_code).astype(np.float64)
