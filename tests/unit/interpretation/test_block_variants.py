"""What of a block's importance each of its variants has, by hand."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genoken.interpretation.block_variants import shared_importance
from genoken.interpretation.pool import PooledMatrix

COPIES = np.array([[0, 2, 1, 0], [1, 1, 0, 1], [2, 0, 1, 2], [0, 2, 1, 1], [2, 0, 1, 1]], dtype=np.float64)
BLOCK_OF = np.array([0, 0, 0, 1])


def test_the_variant_that_tells_a_blocks_scores_has_its_importance_and_others_a_share():
    scores = np.array([[-1.0, 0.5], [0.0, 0.5], [1.0, 0.5], [3.0, -2.0], [-1.0, 0.0]])
    pooled = PooledMatrix(sp.csr_matrix(scores), np.zeros(5, dtype=np.int64), np.ones((1, 2), dtype=bool))
    found = shared_importance(pooled, np.array([0, 0, 0, 1, 1]), COPIES, BLOCK_OF)
    # Class 0: block 0 has (1 + 0 + 1) / 3, its variants correlate with its scores by 1, -1 and 0; block 1 has 0.5 and no spread.
    # Class 1: block 0 has (3 + 1) / 2, its variants correlate by -1, 1 and 0 (no spread); block 1 has 1, and its variant no spread.
    np.testing.assert_allclose(found, [(2 / 3 + 2) / 2, (2 / 3 + 2) / 2, 0.0, (0.5 + 1) / 2])
