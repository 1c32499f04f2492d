from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.reporting.plots_linkage import locus_heatmaps

PAIRS = pd.DataFrame(
    {
        "locus": 2,
        "first": ["b", "b", "a", "a"],
        "second": ["b", "a", "b", "a"],
        "r2": [1.0, 0.25, 0.25, 1.0],
        "attention": [0.1, 0.2, 0.3, 0.4],
    }
)


def test_linkage_and_attention_in_the_order_of_the_genome():
    linkage, attention = locus_heatmaps(PAIRS, 2).plots
    np.testing.assert_allclose(linkage.figure.data[0].z, [[1.0, 0.25], [0.25, 1.0]])
    np.testing.assert_allclose(attention.figure.data[0].z, [[0.1, 0.2], [0.3, 0.4]], rtol=1e-6)
    assert linkage.figure.data[0].y == ("b", "a")
    assert attention.figure.data[0].hovertemplate.startswith("%{y} looks at %{x}")
    assert (linkage.key, attention.key) == ("locus-2-linkage", "locus-2-attention")


def test_without_attention_there_is_linkage_alone():
    assert len(locus_heatmaps(PAIRS.assign(attention=np.nan), 1).plots) == 1
