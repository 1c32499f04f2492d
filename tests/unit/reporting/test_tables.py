from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.reporting import tables
from genoken.reporting.blocks import Table


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_scores_mark_the_best_of_each_column() -> None:
    table = tables.scores(
        {
            "model": {"macro_f1": 0.8, "macro_f1_interval": [0.7, 0.9], "brier": 0.3, "predicted_positive_rate": 0.5},
            "knn": {"macro_f1": 0.7, "macro_f1_interval": None, "brier": 0.2, "predicted_positive_rate": 0.4},
        }
    )
    assert [column.name for column in table.columns] == ["", "Macro F1", "Brier score", "Predicted positive"]
    assert texts(table) == [["Model", "0.800", "0.300", "0.500"], ["k-nearest neighbors", "0.700", "0.200", "0.400"]]
    assert [[cell.strong for cell in row] for row in table.rows] == [[True, True, False, False], [False, False, True, False]]
    assert table.rows[0][1].note == "0.700 to 0.900"


def test_scores_of_a_lone_model_have_no_best() -> None:
    table = tables.scores({"model": {"accuracy": 0.75, "roc_auc": None}})
    assert texts(table) == [["Model", "0.750", "–"]]
    assert not table.rows[0][1].strong


def test_per_class() -> None:
    table = tables.per_class({"a": {"f1": 0.5, "recall": None, "support": 3, "predicted_rate": 0.25}}, ["a", "absent"])
    assert [column.name for column in table.columns] == ["Class", "Samples", "F1", "Recall", "Predicted"]
    assert texts(table) == [["a", "3", "0.500", "–", "25.0 %"]]


def test_disagreement_counts_every_case() -> None:
    model = pd.DataFrame({"sample_id": list("abcde"), "label": list("xxyyy"), "predicted": list("xyyyx")})
    other = pd.DataFrame({"sample_id": list("edcb"), "label": list("yyyx"), "predicted": list("xxyx")})
    assert texts(tables.disagreement(model, other, "logistic")) == [
        ["Both right", "1", "25.0 %"],
        ["Only the model right", "1", "25.0 %"],
        ["Only logistic regression right", "1", "25.0 %"],
        ["Both wrong", "1", "25.0 %"],
    ]


def test_confident_mistakes_come_surest_first() -> None:
    table = tables.confident_mistakes(
        pd.DataFrame(
            {
                "sample_id": ["a", "b", "c"],
                "label": ["x", "x", "y"],
                "predicted": ["x", "y", "x"],
                "probability_x": [0.9, 0.25, 0.875],
                "probability_y": [0.1, 0.75, 0.125],
            }
        ),
        count=5,
    )
    assert table is not None
    assert texts(table) == [["c", "y", "x", "0.875"], ["b", "x", "y", "0.750"]]
    assert table.summary == "The 2 most confident mistakes"
    right = pd.DataFrame({"sample_id": ["a"], "label": ["x"], "predicted": ["x"], "probability_x": [1.0]})
    assert tables.confident_mistakes(right) is None
    assert tables.confident_mistakes(right.drop(columns="probability_x").assign(predicted="y")) is None


def test_genes_with_and_without_controls() -> None:
    rows = pd.DataFrame(
        {"feature_id": ["E1"], "symbol": ["S"], "importance": [0.5], "rank": [7], "stability": [0.25], "correlation": [-0.5]}
    )
    assert texts(tables.genes(rows)) == [["7", "S", "E1", "0.5000", "0.250", "−0.500"]]
    assert texts(tables.genes(rows[["feature_id", "importance"]])) == [["1", "E1", "E1", "0.5000", "–", "–"]]


def test_neighbors_point_the_same_way() -> None:
    table = pd.DataFrame({"feature_id": list("abcd"), "symbol": ["A", "B", "C", "D"]})
    values = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    near = tables.neighbors(table, values, ["a", "unknown"], count=2)
    assert near is not None
    assert texts(near) == [["A", "B (1.00), C (0.00)"]]
    assert [column.name for column in near.columns] == ["Gene", "Nearest genes"]
    blocks = tables.neighbors(table, values, ["a"], count=2, noun="block")
    assert blocks is not None
    assert [column.name for column in blocks.columns] == ["Block", "Nearest blocks"]
    assert blocks.summary == "Neighbors of the top blocks in the learned table"
    assert blocks.caption.startswith("Blocks whose learned vectors")
    assert tables.neighbors(table, values, ["unknown"]) is None
    assert tables.neighbors(table, values[:, :0], ["a"], count=2) is None


def test_matrices_parts_and_pairs() -> None:
    table = tables.matrices([{"name": "raw", "kind": "log", "evidence": "e", "density": 0.5, "used": True}, {"name": "X"}])
    assert texts(table) == [["raw", "log", "e", "50.0 %", "✓ yes"], ["X", "", "", "–", "no"]]
    assert texts(tables.parts({"train": 1200, "val": 3, "test": 4}, None))[0] == ["Training", "1,200"]
    assert texts(tables.parts({"train": 1, "val": 3, "test": 4}, {"train": 2, "val": None, "test": 1}))[1] == [
        "Validation",
        "3",
        "–",
    ]
    assert texts(tables.pairs({"a": 1, "b": "x"}, ("K", "V"))) == [["a", "1"], ["b", "x"]]
