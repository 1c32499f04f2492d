"""Samples with a vocabulary for their features, typed by hand: genes are filled up with 0, variants stay as they are counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.contracts import MADE_OF, TokenizerState
from genoken.core.errors import DataError
from genoken.core.genotypes import dense_dosages, sparse_dosages
from genoken.core.samples import Samples
from genoken.workflows.restriction import restrict_to_vocabulary

TABLE = pd.DataFrame(index=["p0", "p1"])


def genotypes(dense, ids, first=None):
    variants = pd.DataFrame(
        {"chromosome": "1", "position_bp": np.arange(len(ids)), "counted_allele": "G", "other_allele": "A"}, index=list(ids)
    )
    calls, strand = (None if part is None else sparse_dosages(np.array(part, dtype=np.int8)) for part in (dense, first))
    return Samples(calls, TABLE, variants, "dosage", "new.bed:calls", first_strand=strand)


PEOPLE = genotypes([[0, 1, 2], [-1, 2, 1]], ["rs3", "rs1", "rs9"], [[0, 1, 1], [-1, 1, 0]])


def test_a_missing_gene_is_0_and_totals_are_those_of_the_file():
    cells = Samples(
        sp.csr_matrix(np.array([[1, 2], [3, 4]], dtype=np.float32)), TABLE, pd.DataFrame(index=["b", "c"]), "counts", "x"
    )
    found, line = restrict_to_vocabulary(cells, TokenizerState(("a", "b")), ("A", "B"), min_coverage=0.5)
    np.testing.assert_array_equal(found.values.toarray(), [[0, 1], [0, 3]])
    assert found.features.index.tolist() == ["a", "b"]
    assert found.totals.tolist() == [3, 7]
    assert line == "1 of 2 genes found (50.0%), matched by index; missing: a"


def test_variants_come_in_the_order_of_the_vocabulary_with_their_alleles_and_strands():
    found, line = restrict_to_vocabulary(PEOPLE, TokenizerState(("rs1", "rs2", "rs3")), (), min_coverage=0.5)
    assert found.features.equals(PEOPLE.features.loc[["rs1", "rs3"]])
    np.testing.assert_array_equal(dense_dosages(found.values), [[1, 0], [2, -1]])
    np.testing.assert_array_equal(dense_dosages(found.first_strand), [[1, 0], [1, -1]])
    assert line == "2 of 3 variants found (66.7%), matched by index; missing: rs2"


def test_of_blocks_the_variants_that_they_are_made_of_count():
    state = TokenizerState(("block 1",), facts={MADE_OF: ["rs9", "rs1"]})
    found, _ = restrict_to_vocabulary(PEOPLE, state, ("block 1",), min_coverage=1.0)
    assert found.features.index.tolist() == ["rs9", "rs1"]


def test_too_few_variants_are_refused():
    with pytest.raises(DataError, match=r"new\.bed:calls: too few variants in common: 1 of 3 variants found"):
        restrict_to_vocabulary(PEOPLE, TokenizerState(("rs1", "rs7", "rs8")), (), min_coverage=0.5)
