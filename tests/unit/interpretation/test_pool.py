from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.random import generator
from genoken.interpretation.pool import GeneUnion, PooledMatrix, model_agreement, split_half_stability

GENES = GeneUnion.of([(("a", "b", "c"), ("A", "B", "C")), (("d", "b", "a"), ("D", "B", "A"))])
"""Two models: one knows a, b and c, the other d, b and a."""
SCORES = PooledMatrix(
    sp.csr_matrix(
        np.array(
            [  # a, b, c, d
                [1.0, 2.0, 6.0, 0.0],
                [3.0, 0.0, -2.0, 0.0],
                [5.0, 1.0, 0.0, 4.0],
            ]
        )
    ),
    np.array([0, 0, 1]),
    GENES.known,
)


def alone(scores: np.ndarray) -> PooledMatrix:
    """Return the scores of a single model's samples."""
    return PooledMatrix(sp.csr_matrix(scores), np.zeros(len(scores), dtype=int), np.ones((1, scores.shape[1]), dtype=bool))


def test_genes_are_united_by_their_identifiers():
    assert GENES.feature_ids == ("a", "b", "c", "d")
    assert GENES.symbols == ("A", "B", "C", "D")
    assert [columns.tolist() for columns in GENES.columns] == [[0, 1, 2], [3, 1, 0]]
    assert GENES.known.tolist() == [[True, True, True, False], [True, True, False, True]]


def test_scores_are_spread_over_the_union_and_back_with_their_zeros():
    own = sp.csr_matrix((np.array([7.0, 0.0, 9.0]), np.array([0, 1, 2]), np.array([0, 2, 3])), shape=(2, 3))
    spread = GENES.spread(own, 1)
    assert spread.toarray().tolist() == [[0.0, 0.0, 0.0, 7.0], [9.0, 0.0, 0.0, 0.0]]
    assert spread.nnz == 3
    assert spread.has_sorted_indices
    back = GENES.gather(spread, 1)
    assert back.toarray().tolist() == own.toarray().tolist()
    assert back.nnz == 3


@pytest.mark.parametrize(
    ("how", "expected"),
    [("mean", [3.0, 1.0, 2.0, 4.0]), ("median", [3.0, 1.0, 2.0, 4.0]), ("max", [5.0, 2.0, 6.0, 4.0])],
)
def test_a_gene_counts_in_the_samples_whose_model_knows_it(how, expected):
    # c: 6 and -2 of the first model's two samples; d: 4 of the second's one.
    assert SCORES.importance(how).tolist() == expected


def test_a_gene_that_no_sample_could_show_has_no_importance():
    assert SCORES.take(np.array([2])).importance("mean").tolist() == [5.0, 1.0, 0.0, 4.0]


def test_correlations_are_over_the_samples_whose_model_knows_the_gene():
    target = np.array([[0.0], [1.0], [1.0]])
    found = SCORES.correlations(target)
    assert found[0, 0] == pytest.approx(np.corrcoef([1.0, 3.0, 5.0], [0, 1, 1])[0, 1])
    assert found[2, 0] == pytest.approx(-1.0)  # 6 and -2 against 0 and 1
    assert np.isnan(found[3, 0])  # a single sample
    assert np.isnan(SCORES.take(np.array([2])).correlations(target[:1])[2, 0])


def test_stability_is_high_for_a_shared_pattern_and_low_for_noise():
    rng = generator(0, "test")
    pattern, noise = np.linspace(-3, 3, 40), rng.standard_normal((60, 40))
    shared = split_half_stability(alone(pattern + 0.1 * noise), "mean", generator(1))
    unshared = split_half_stability(alone(noise), "mean", generator(1))
    assert shared > 0.9
    assert abs(unshared) < 0.4


def test_stability_by_hand():
    # Two samples: each is a half; magnitudes 1, 2, 3 against 2, 1, 3; the fourth gene is a token of neither.
    scores = alone(np.array([[1.0, -2.0, 3.0, 0.0], [2.0, 1.0, -3.0, 0.0]]))
    assert split_half_stability(scores, "mean", generator(0)) == pytest.approx(0.5)
    assert np.isnan(split_half_stability(scores.take(np.array([0])), "mean", generator(0)))


def test_agreement_by_hand():
    # Shared and seen: a, b and e; magnitudes 1, 2, 3 against 2, 1, 3. c and d are known to one model only, f is no token.
    known = np.array([[1, 1, 1, 0, 1, 1], [1, 1, 0, 1, 1, 1]], dtype=bool)
    scores = sp.csr_matrix(np.array([[1.0, -2.0, 9.0, 0.0, 3.0, 0.0], [2.0, 1.0, 0.0, 9.0, -3.0, 0.0]]))
    assert model_agreement(PooledMatrix(scores, np.array([0, 1]), known), np.zeros(2, int), "mean") == pytest.approx(0.5)


def test_agreement_is_the_mean_over_pairs_of_models_and_classes():
    rows = np.array([[1.0, 2.0, 3.0], [2.0, 1.0, 3.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [5.0, 5.0, 1.0]])
    # Class 0 in models 0, 1, 2: pairs 0.5, -1 and -0.5. Class 1 in models 0 and 1: 1. Class 2 in one model: no pair.
    models, classes = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 2])
    scores = PooledMatrix(sp.csr_matrix(rows), models, np.ones((3, 3), dtype=bool))
    assert model_agreement(scores, classes, "mean") == pytest.approx((0.5 - 1 - 0.5 + 1) / 4)


def test_there_is_no_agreement_of_one_model_or_without_a_shared_class():
    assert model_agreement(alone(np.ones((2, 3))), np.zeros(2, int), "mean") is None
    assert np.isnan(model_agreement(SCORES, np.array([0, 0, 1]), "mean"))
