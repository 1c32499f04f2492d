"""Embeddings against types: separated, mixed, and cells without a type."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.evaluation.embedding_comparison import compare_embeddings, embedding_sentence


def cells():
    rng = np.random.default_rng(0)
    types = np.repeat(["a", "b", "c"], 30)
    centers = np.repeat(np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]), 30, axis=0)
    return centers + 0.1 * rng.standard_normal((90, 2)), rng.standard_normal((90, 2)), types


def test_separated_types_are_found_and_mixed_ones_are_not():
    good, bad, types = cells()
    found = compare_embeddings({"model": good, "base": bad}, types, seed=0)
    assert found["model"]["ari"] == 1.0
    assert found["model"]["silhouette"] > 0.97
    assert abs(found["base"]["ari"]) < 0.1
    assert found["base"]["silhouette"] < 0.05
    assert compare_embeddings({"model": good, "base": bad}, types, seed=0) == found


def test_a_silhouette_by_hand():
    # cells at 0 and 1 against one at 3: (3 - 1) / 3, (2 - 1) / 2, and 0 for a type of one cell
    found = compare_embeddings({"line": np.array([[0.0], [1.0], [3.0]])}, np.array(["a", "a", "b"]), seed=0)
    assert found["line"]["silhouette"] == pytest.approx((2 / 3 + 1 / 2) / 3)


def test_cells_without_a_type_are_left_out():
    good, _, types = cells()
    more = np.vstack([good, np.full((3, 2), 1000.0)])
    named = np.concatenate([types.astype(object), [np.nan, "", None]])
    assert compare_embeddings({"model": more}, named, seed=0)["model"]["ari"] == 1.0


@pytest.mark.parametrize("types", [["a", "a", "a"], ["a", "b", "c"], ["", "", ""]])
def test_too_few_types_are_not_scored(types):
    found = compare_embeddings({"model": np.eye(3)}, np.array(types), seed=0)
    assert found == {"model": {"silhouette": None, "ari": None}}
    assert embedding_sentence(found, "model", "base") == ""


def test_what_the_sentence_says():
    one, other = {"silhouette": 0.5, "ari": 0.8}, {"silhouette": 0.4, "ari": 0.9}
    assert embedding_sentence({"model": one, "base": one}, "model", "base") == (
        "The embedding 'model' keeps cell types about as well as 'base': silhouette 0.500 against 0.500, adjusted Rand index "
        "0.800 against 0.800."
    )
    assert "types better by one of two measures and worse by the other than 'base'" in embedding_sentence(
        {"model": one, "base": other}, "model", "base"
    )
    nearly = {"silhouette": 0.491, "ari": 0.6}
    assert "types better than 'base'" in embedding_sentence({"model": one, "base": nearly}, "model", "base")
    worse = {"silhouette": 0.3, "ari": 0.7}
    assert "types not as well as 'base'" in embedding_sentence({"model": worse, "base": one}, "model", "base")
