"""Attention between genes over several models, and the table that it is written as."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError
from genoken.interpretation import gene_attention as module
from genoken.interpretation.attention_weights import GeneAttention, gene_attention
from genoken.interpretation.attributed import union_of
from genoken.interpretation.draw import draw_samples
from genoken.interpretation.explain import explain_parts, export_explanation
from genoken.interpretation.gene_attention import PooledAttention, find_genes, pool_attention
from genoken.interpretation.pool import GeneUnion


def test_the_table_has_a_row_per_layer_head_and_pair_and_then_the_rollout():
    by_head = np.array([[[[2.0, 4.0], [6.0, 0.0]], [[1.0, 3.0], [5.0, 0.0]]]])
    weights = GeneAttention(by_head, np.array([[8.0, 10.0], [12.0, 0.0]]), np.array([[2, 2], [4, 0]]))
    found = PooledAttention(("E1", "E2"), ("A", "B"), weights)
    table = found.table()
    assert list(table) == ["layer", "head", "query", "key", "query_symbol", "key_symbol", "weight", "samples"]
    assert table["layer"].tolist() == [0] * 8 + [pd.NA] * 4
    assert table["head"].tolist() == ["0"] * 4 + ["1"] * 4 + ["rollout"] * 4
    assert table["query"].tolist() == ["E1", "E1", "E2", "E2"] * 3
    assert table["key_symbol"].tolist() == ["A", "B", "A", "B"] * 3
    assert table["samples"].tolist() == [2, 2, 4, 0] * 3
    expected = [1, 2, 1.5, np.nan, 0.5, 1.5, 1.25, np.nan, 4, 5, 3, np.nan]
    np.testing.assert_array_equal(table["weight"].to_numpy(), expected)
    np.testing.assert_array_equal(found.mean_matrix(), [[0.75, 1.75], [1.375, np.nan]])


def test_models_are_put_together_by_the_identifiers_of_their_genes(two_folds):
    parts = two_folds()
    genes, draw = union_of(parts), draw_samples(parts, 0)
    found = pool_attention(parts, draw, genes, ["Z", "G0", "G6", "G5"], 0)
    assert found.symbols == ("Z", "A", "G", "F")
    first = gene_attention(parts[0].subject, parts[0].rows, np.array([0, 6, 5]))
    second = gene_attention(parts[1].subject, parts[1].rows, np.array([1, 2, 0]))
    expected = np.zeros((2, 3, 4, 4))
    expected[:, :, 1:, 1:] += first.by_head
    both = np.array([0, 1, 3])
    expected[:, :, both[:, None], both] += second.by_head
    np.testing.assert_allclose(found.weights.by_head, expected)
    assert found.weights.counts[0, 2] == 0  # no model knows both Z and G6
    assert found.weights.rollout[1, 3] == first.rollout[0, 2] + second.rollout[1, 2] > 0


def test_genes_are_found_by_identifier_or_symbol():
    genes = GeneUnion.of([(("E1", "E2", "E3", "TWIN"), ("A", "TWIN", "TWIN", "D"))])
    assert find_genes(genes, ["A", "E3", "E1", "D"]) == ["E1", "E3", "TWIN"]
    assert find_genes(genes, ["TWIN"]) == ["TWIN"]  # an identifier goes before a symbol
    assert find_genes(GeneUnion.of([(("E1", "E2"), ("TWIN", "TWIN"))]), ["TWIN"]) == ["E1"]
    with pytest.raises(ConfigError, match="the model knows no gene 'E9' — did you mean 'E3'"):
        find_genes(genes, ["A", "E9"])


def test_many_samples_are_drawn_from(two_folds, monkeypatch):
    parts = two_folds()
    monkeypatch.setattr(module, "ATTENTION_SAMPLES", 2)
    found = pool_attention(parts, draw_samples(parts, 0), union_of(parts), ["G0", "G3"], 0)
    again = pool_attention(parts, draw_samples(parts, 0), union_of(parts), ["G0", "G3"], 0)
    assert found.weights.counts.max() <= 2
    np.testing.assert_array_equal(found.weights.by_head, again.weights.by_head)


def test_encoders_without_attention_have_none(subject_of, explain_subject, tmp_path):
    rows, symbols = np.arange(6), tuple("ABCDEFG")
    without = explain_subject(subject_of(encoder="mlp"), rows=rows, symbols=symbols, seed=0)
    assert without.attention is None
    export_explanation(without, tmp_path / "without")
    assert not (tmp_path / "without" / "attention.parquet").exists()


def test_the_export_holds_the_table(two_folds, tmp_path):
    found = explain_parts(two_folds(), seed=0, method="attention")
    export_explanation(found, tmp_path)
    written = pd.read_parquet(tmp_path / "attention.parquet")
    pd.testing.assert_frame_equal(written, found.attention.table())
    assert len(written) == (2 * 3 + 1) * 8 * 8
    matrix = np.array(found.controls["attention"]["matrix"])
    mean = written[written["head"] != "rollout"].groupby(["query_symbol", "key_symbol"])["weight"].mean().unstack()
    names = found.controls["attention"]["genes"]
    np.testing.assert_allclose(mean.loc[names, names].to_numpy(), matrix)
