"""Scores of packed tokens as a matrix, typed by hand."""

from __future__ import annotations

import numpy as np
import torch

from genoken.core.batch import Batch
from genoken.core.layout import CLS_ID, NUM_SPECIALS, Channel, Layout
from genoken.interpretation.attributions._scores import ScoreMatrix


def test_scores_of_several_tokens_of_a_feature_are_added_and_zeros_stay():
    channel = Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + 3)
    layout = Layout(channels=(channel,), num_features=3, has_cls=True, emits_every_feature=False, max_tokens=5)
    identities = torch.tensor([CLS_ID, NUM_SPECIALS + 2, NUM_SPECIALS + 2, NUM_SPECIALS, CLS_ID, NUM_SPECIALS + 1])
    batch = Batch({"feature": identities}, (4, 2), torch.tensor([0, 4, 6], dtype=torch.int32), torch.arange(2))
    matrix = ScoreMatrix(3, layout)
    matrix.put(np.array([2, 0]), batch, np.array([9.0, 1.0, 2.5, 0.0, 9.0, -4.0]))
    found = matrix.to_csr()
    np.testing.assert_array_equal(found.toarray(), [[0, -4, 0], [0, 0, 0], [0, 0, 3.5]])
    assert found.indices.tolist() == [1, 0, 2]
