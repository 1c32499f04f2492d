from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.interpretation.pool import PooledMatrix
from genoken.interpretation.variant_ensemble import rank_ensemble, variant_importance


def test_importance_is_the_mean_magnitude_within_a_class_then_over_classes():
    scores = sp.csr_matrix(np.array([[1.0, -3.0], [-1.0, 1.0], [2.0, 0.0], [5.0, 0.0]]))
    pooled = PooledMatrix(scores, np.zeros(4, dtype=np.int64), np.ones((1, 2), dtype=bool))
    # Class 0: (1 + 1 + 2) / 3 and (3 + 1 + 0) / 3; class 1: 5 and 0.
    np.testing.assert_allclose(variant_importance(pooled, np.array([0, 0, 0, 1])), [(4 / 3 + 5) / 2, (4 / 3 + 0) / 2])


def test_a_variant_counts_in_the_samples_whose_model_knows_it():
    scores = sp.csr_matrix(np.array([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0]]))
    known = np.array([[True, True, False], [True, False, False]])
    pooled = PooledMatrix(scores, np.array([0, 1]), known)
    np.testing.assert_allclose(variant_importance(pooled, np.array([0, 0])), [2.0, 2.0, np.nan])
    np.testing.assert_allclose(variant_importance(pooled, np.array([0, 1])), [2.0, 2.0, np.nan])


def test_ranks_are_averaged_over_methods_and_models():
    # Ranks of 3 variants: 0, 1/2, 1 (ties share).
    importance = np.array([[[1.0, 2.0, 3.0], [9.0, 9.0, 0.0]], [[3.0, 2.0, 1.0], [0.0, 5.0, 6.0]]])
    found = rank_ensemble(importance, top=1)
    np.testing.assert_allclose(found.score, np.array([0 + 0.75 + 1 + 0, 0.5 + 0.75 + 0.5 + 0.5, 1 + 0 + 0 + 1]) / 4)
    np.testing.assert_allclose(found.stability, [0.5, 0.0, 0.5])
    assert found.top == 1
    by_model = (-1 + np.corrcoef([2.5, 2.5, 1], [1, 2, 3])[0, 1]) / 2
    by_method = (np.corrcoef([1, 2, 3], [2.5, 2.5, 1])[0, 1] - 1) / 2
    assert found.agreement_of_models == pytest.approx(by_model)
    assert found.agreement_of_methods == pytest.approx(by_method)


def test_what_a_model_does_not_know_has_no_rank_there_and_no_importance_is_never_first():
    importance = np.array([[[np.nan, 1.0, 0.0]], [[2.0, 1.0, np.nan]]])
    found = rank_ensemble(importance, top=2)
    np.testing.assert_allclose(found.score, [1.0, (1.0 + 0.0) / 2, 0.0])
    np.testing.assert_allclose(found.stability, [0.5, 1.0, 0.0])
    assert np.isnan(rank_ensemble(importance[:1], top=2).agreement_of_models)
    assert np.isnan(rank_ensemble(np.full((1, 1, 2), np.nan), top=2).score).all()
