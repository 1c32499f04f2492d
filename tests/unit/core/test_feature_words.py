from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.contracts import MADE_OF, TokenizerState
from genoken.core.feature_words import noun_of_columns, noun_of_samples, noun_of_state
from genoken.core.samples import Samples


@pytest.mark.parametrize(("kind", "noun"), [("dosage", "variant"), ("counts", "gene"), ("unknown", "gene")])
def test_samples(kind, noun):
    samples = Samples(sp.csr_matrix(np.ones((1, 1), np.float32)), pd.DataFrame(index=["a"]), pd.DataFrame(index=["f"]), kind, "x")
    assert noun_of_samples(samples) == noun


@pytest.mark.parametrize(
    ("facts", "noun"),
    [({}, "gene"), ({"counted_allele": ["A"]}, "variant"), ({"counted_allele": ["A"], MADE_OF: ["rs1"]}, "block")],
)
def test_state(facts, noun):
    assert noun_of_state(TokenizerState(("f",), facts=facts)) == noun


@pytest.mark.parametrize(
    ("columns", "noun"),
    [
        (["class", "feature_id"], "gene"),
        (["feature_id", "chrom", "counted_allele"], "variant"),
        (["feature_id", "chrom", "num_variants"], "block"),
    ],
)
def test_columns(columns, noun):
    assert noun_of_columns(columns) == noun
