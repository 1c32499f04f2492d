"""A number as the label."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.evaluation.metrics.regression import regression_metrics
from genoken.workflows.evaluate import evaluate

METRICS = {"r2", "pearson", "spearman", "mae", "rmse"}


def test_metrics_are_those_of_the_written_predictions(regression):
    found = regression.metrics
    assert (found["task"], found["label"], found["classes"]) == ("regression", "score", [])
    table = pd.read_parquet(regression.folder / "predictions.parquet")
    assert list(table) == ["sample_id", "group", "fold", "label", "predicted"]
    expected = regression_metrics(table["label"].to_numpy(), table["predicted"].to_numpy())
    scores = {name: value for name, value in found["test"]["model"].items() if not name.endswith("_interval")}
    assert set(scores) == METRICS
    assert scores == pytest.approx(expected, rel=1e-5)
    assert set(found["test"]["baselines"]) == {"majority", "linear", "pca_linear", "nearest_neighbors"}
    assert found["test"]["difference"]["metric"] == "r2"
    assert "R²" in found["verdict"]


def test_labels_are_the_files_own_numbers(regression, cells):
    table = pd.read_parquet(regression.folder / "predictions.parquet").set_index("sample_id")
    np.testing.assert_allclose(table["label"], cells.obs["score"].loc[table.index], rtol=1e-12)


def test_predictions_are_what_the_run_predicts(regression, cells):
    written = pd.read_parquet(regression.folder / "predictions.parquet").set_index("sample_id")
    found = regression.predict(cells[written.index])
    assert list(found) == ["predicted"]
    np.testing.assert_allclose(found["predicted"], written["predicted"], atol=1e-5)
    assert found["predicted"].std() > 0.01


def test_report_and_explanation_are_written(regression):
    assert "R²" in (regression.folder / "report.html").read_text(encoding="utf-8")
    genes = pd.read_csv(regression.folder / "explanations" / "genes.tsv", sep="\t")
    assert set(genes["class"]) == {"score"}


def test_other_data_are_evaluated_with_the_same_metrics(regression, cells):
    found = evaluate(regression, cells)
    assert set(found["test"]["model"]) >= METRICS
    assert found["test"]["baselines"]["majority"]["mae"] == pytest.approx(
        np.abs(cells.obs["score"] - regression.model.target.center).mean(), rel=1e-5
    )


def test_folds_of_a_number_test_each_sample_once(cells, tiny, tmp_path):
    run = tiny(cells, tmp_path / "run", {"split.kind": "folds", "split.folds": 2}, label="score")
    table = pd.read_parquet(run.folder / "predictions.parquet")
    assert sorted(table["sample_id"]) == sorted(cells.obs_names)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full(90, 1.5), "'y' has the same value everywhere"),
        (np.where(np.arange(90) == 4, np.inf, np.linspace(0, 1, 90)), "1 of its values are not finite numbers"),
    ],
)
def test_numbers_that_cannot_be_regressed_on_are_refused(values, message, cells, tiny, tmp_path):
    adata = cells.copy()
    adata.obs["y"] = values
    with pytest.raises(DataError, match=message):
        tiny(adata, tmp_path / "run", {"data.task": "regression"}, label="y")
    assert list(tmp_path.iterdir()) == []


def test_words_cannot_be_regressed_on(cells, tiny, tmp_path):
    with pytest.raises(DataError, match="90 of its values are not finite numbers, for example 'type_"):
        tiny(cells, tmp_path / "run", {"data.task": "regression"})
