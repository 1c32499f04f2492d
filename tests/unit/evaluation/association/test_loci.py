from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.evaluation.association.covariates import covariate_basis, without_covariates
from genoken.evaluation.association.loci import Locus, fine_map_loci, loci_around
from genoken.evaluation.association.susie import susie

FEATURES = pd.DataFrame({"chromosome": ["1"] * 6 + ["2"] * 4, "position_bp": [10, 20, 30, 500, 510, 900, 5, 15, 25, 400]})


def test_loci_reach_so_far_on_their_own_chromosome():
    found = loci_around(FEATURES, [7, 1], window_bp=20, most_variants=100)
    assert found == (Locus(0, 3, 1), Locus(6, 9, 7))
    assert loci_around(FEATURES, [5], window_bp=20, most_variants=100) == (Locus(5, 6, 5),)
    assert loci_around(FEATURES, [], window_bp=20, most_variants=100) == ()


def test_overlapping_loci_are_one_and_keep_the_first_lead():
    assert loci_around(FEATURES, [3, 1, 0], window_bp=10, most_variants=100) == (Locus(0, 3, 1), Locus(3, 5, 3))
    assert loci_around(FEATURES, [0, 2, 1], window_bp=5, most_variants=100) == (Locus(0, 1, 0), Locus(1, 2, 1), Locus(2, 3, 2))
    # The third joins what were two.
    assert loci_around(FEATURES, [2, 0, 1], window_bp=10, most_variants=100) == (Locus(0, 3, 2),)


def test_dense_loci_are_cut():
    assert loci_around(FEATURES, [2], window_bp=1000, most_variants=1) == (Locus(1, 4, 2),)


def test_loci_are_fine_mapped_without_covariates():
    rng = np.random.default_rng(0)
    dense = rng.integers(0, 3, size=(300, 10)).astype(np.int8)
    covariates = rng.normal(size=(300, 1))
    target = 1.5 * dense[:, 8] + 3 * covariates[:, 0] + rng.normal(size=300)
    found = fine_map_loci(dense, [target], covariates, [Locus(6, 10, 7)])
    basis = covariate_basis(covariates, 300)
    wanted = susie(without_covariates(dense[:, 6:].astype(float), basis), without_covariates(target, basis))
    np.testing.assert_allclose(found.pip[6:], wanted.pip)
    assert np.isnan(found.pip[:6]).all()
    np.testing.assert_array_equal(found.credible_set, [0] * 8 + [1, 0])
    assert found.pip[8] > 0.99
    assert found.coverage[8] >= 0.95
    assert found.purity[8] == 1.0
    assert np.isnan(found.coverage[7])
