from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.evaluation.association.glm import linear_association, logistic_association
from genoken.evaluation.association.scan import association_scan, scan_target

RNG = np.random.default_rng(1)
DENSE = RNG.integers(0, 3, size=(150, 4)).astype(np.int8)
NOISE = RNG.normal(size=150)
COVARIATES = RNG.normal(size=(150, 2))


def test_a_number_is_regressed_linearly():
    target = DENSE[:, 2] + NOISE
    found = association_scan(DENSE, target, "regression", 0, COVARIATES)
    np.testing.assert_allclose(found["p"], linear_association(DENSE, target, COVARIATES)["p"])
    assert (found["class_code"] == -1).all()
    np.testing.assert_array_equal(scan_target(target, -1), target)


def test_two_classes_are_regressed_as_the_second():
    labels = (DENSE[:, 2] + NOISE > 1).astype(np.int64)
    found = association_scan(DENSE, labels, "classification", 2, None)
    np.testing.assert_allclose(found["beta"], logistic_association(DENSE, labels)["beta"])
    assert found["beta"][2] > 0
    assert (found["class_code"] == 1).all()


def test_of_several_classes_the_best_stands_with_a_corrected_p():
    labels = np.where(DENSE[:, 2] == 2, 2, (DENSE[:, 0] + NOISE > 1).astype(np.int64))
    found = association_scan(DENSE, labels, "classification", 3, None)
    targets = [(labels == code).astype(float) for code in range(3)]
    best = np.array([logistic_association(DENSE, target, refine_below=0)["p"] for target in targets]).argmin(axis=0)
    np.testing.assert_array_equal(found["class_code"], best)
    fitted = [logistic_association(DENSE, target) for target in targets]
    rows = pd.DataFrame([fitted[code].iloc[variant] for variant, code in enumerate(best)]).reset_index(drop=True)
    assert {"score"} < set(rows["test"])
    np.testing.assert_array_equal(found["test"], rows["test"])
    np.testing.assert_allclose(found["p"], np.minimum(3 * rows["p"].astype(float), 1.0))
    np.testing.assert_allclose(found["minus_log10_p"], np.maximum(rows["minus_log10_p"].astype(float) - np.log10(3), 0))
    assert found["class_code"][2] == 2
    np.testing.assert_array_equal(scan_target(np.array([0, 2, 1, 2]), 2), [0.0, 1.0, 0.0, 1.0])
