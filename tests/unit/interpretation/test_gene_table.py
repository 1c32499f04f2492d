from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.interpretation.gene_table import COLUMNS, gene_table, leading_genes, shared_scores, top_rows
from genoken.interpretation.pool import GeneUnion, PooledMatrix

SCORES = sp.csr_matrix(
    np.array(
        [
            [2.0, -1.0, 0.0, 0.0],
            [4.0, -5.0, 0.0, 3.0],
            [0.0, 2.0, 0.0, -3.0],
        ]
    )
)
GENES = GeneUnion.of([(("g0", "g1", "g2", "g3"), ("S0", "S1", "S2", "S3"))])


@pytest.fixture
def table() -> pd.DataFrame:
    return gene_table(
        PooledMatrix(SCORES, np.zeros(3, dtype=int), GENES.known),
        np.array([1, 1, 0]),
        ("A", "B", "C"),
        np.array([[0.1, 0.5, np.nan], [0.2, 0.6, np.nan], [0.3, 0.7, np.nan], [0.4, 0.8, np.nan]]),
        GENES,
        aggregate="mean",
        method="gradient",
        seed=0,
    )


def test_table_by_hand(table):
    assert tuple(table.columns) == COLUMNS
    assert table["class"].tolist() == ["A"] * 4 + ["B"] * 4
    assert table["feature_id"].tolist() == ["g3", "g1", "g0", "g2", "g0", "g1", "g3", "g2"]
    assert table["symbol"].tolist() == ["S3", "S1", "S0", "S2", "S0", "S1", "S3", "S2"]
    assert table["rank"].tolist() == [1, 2, 3, 4] * 2
    assert table["importance"].tolist() == [-3.0, 2.0, 0.0, 0.0, 3.0, -3.0, 1.5, 0.0]
    assert table["correlation"].tolist() == [0.4, 0.2, 0.1, 0.3, 0.5, 0.6, 0.8, 0.7]
    assert table["stability"][:4].isna().all()
    assert table["stability"][4:].nunique() == 1
    assert set(table["method"]) == {"gradient"}


def test_top_and_leading_genes(table):
    assert top_rows(table, 2)["feature_id"].tolist() == ["g3", "g1", "g0", "g1"]
    assert len(top_rows(table, 0)) == 8
    # In turn by rank: A's g3, B's g0, then g1 of both (once); g2 has no importance anywhere.
    assert leading_genes(table, 10) == ["g3", "g0", "g1"]
    assert leading_genes(table, 2) == ["g3", "g0"]


def test_table_without_samples_has_its_columns():
    nothing = PooledMatrix(SCORES[:0], np.zeros(0, dtype=int), GENES.known), np.zeros(0, int), ("A",), np.zeros((4, 1))
    empty = gene_table(*nothing, GENES, aggregate="mean", method="m", seed=0)
    assert tuple(empty.columns) == COLUMNS
    assert empty.empty


def test_a_gene_that_some_models_do_not_know_ranks_by_the_samples_of_the_others():
    # Model 0 knows a and b, model 1 knows a and c; one sample of each.
    genes = GeneUnion.of([(("a", "b"), ("A", "B")), (("a", "c"), ("A", "C"))])
    scores = PooledMatrix(sp.csr_matrix([[1.0, 3.0, 0.0], [3.0, 0.0, -5.0]]), np.array([0, 1]), genes.known)
    found = gene_table(scores, np.zeros(2, int), ("x",), np.zeros((3, 1)), genes, aggregate="mean", method="m", seed=0)
    assert found["feature_id"].tolist() == ["c", "b", "a"]
    assert found["symbol"].tolist() == ["C", "B", "A"]
    assert found["importance"].tolist() == [-5.0, 3.0, 2.0]


def test_what_does_not_vary_comes_last():
    scores = PooledMatrix(SCORES[:2], np.zeros(2, dtype=int), GENES.known)
    varies = np.array([False, True, True, False])
    nothing = np.zeros((4, 1))
    found = gene_table(scores, np.zeros(2, int), ("A",), nothing, GENES, aggregate="mean", method="m", seed=0, varies=varies)
    assert found["feature_id"].tolist() == ["g1", "g2", "g0", "g3"]
    assert found["rank"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("importance", "sentence"),
    [
        ([3.0, 2.0, 1.0], ""),
        ([0.0, 0.0, 1.0], ""),
        ([], ""),
        ([np.nan, 2.0], ""),
        ([0.5, 0.5, -0.5, 0.2, 0.1, 0.1], "5 of these 6 variants share their score with others: 3 different scores in all."),
        ([1 / 3, 1 / 3 + 1e-12, 0.1], "2 of these 3 variants share their score with others: 2 different scores in all."),
    ],
)
def test_shared_scores_are_counted(importance, sentence):
    assert shared_scores(np.array(importance), "variant") == sentence
