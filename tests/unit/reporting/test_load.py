from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from genoken.core.errors import RunError
from genoken.reporting.load import load_run_folder, section


def test_minimal_folder(minimal_run: Path) -> None:
    run = load_run_folder(minimal_run)
    assert run.classes == ["control", "drug"]
    assert not run.is_regression
    assert not run.predicts_next_cells
    assert run.predictors == {"model": {"accuracy": 0.75, "roc_auc": None}}
    assert run.reference is None
    assert run.primary_metric == "accuracy"
    assert run.manifest is run.check is run.predictions is run.history is run.genes is run.config is None
    assert run.baselines == {}


@pytest.mark.parametrize(
    ("manifest", "identifiers", "nouns"),
    [
        ({}, {}, ("gene", "gene")),
        ({}, {"type": "variant"}, ("variant", "variant")),
        ({"model": {"feature": "block"}}, {"type": "variant"}, ("block", "variant")),
        ({"model": {"feature": "gene"}}, {"type": "symbol"}, ("gene", "gene")),
    ],
)
def test_features_have_the_name_that_the_run_gives_them(minimal_run: Path, manifest, identifiers, nouns) -> None:
    (minimal_run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (minimal_run / "check.json").write_text(json.dumps({"identifiers": identifiers}), encoding="utf-8")
    run = load_run_folder(minimal_run)
    assert (run.feature_noun, run.feature_noun_of_file) == nouns


def test_complete_folder(evil_run: Path) -> None:
    run = load_run_folder(evil_run)
    assert list(run.predictors) == ["model", "majority", "logistic", "pca_logistic", "knn"]
    assert (run.reference, run.primary_metric) == ("logistic", "macro_f1")
    assert list(run.baselines) == ["logistic"]
    assert run.predictions is not None
    assert len(run.predictions) == 12
    assert run.history is not None
    assert sorted(run.history["fold"].unique()) == ["0", "1", "2"]
    assert run.config is not None
    assert run.config.startswith("label: cell_type")


def test_tables_of_next_cells(next_cell_run: Path, tmp_path: Path) -> None:
    run = load_run_folder(next_cell_run)
    assert run.predicts_next_cells
    assert run.next_cells is not None
    assert run.cell_map is not None
    assert run.transitions is not None
    assert (len(run.next_cells), len(run.cell_map)) == (12, 12)
    # a type or a gene may be called NA
    assert run.transitions[["to", "gene"]].iloc[1].tolist() == ["NA", "NA"]
    assert run.transitions["predicted_change"].tolist() == [0.3, -0.1, 0.5, 0.25, -0.5]
    copy = shutil.copytree(next_cell_run, tmp_path / "copy")
    for name in ("next_cells.parquet", "map.parquet", "transitions.tsv"):
        (copy / name).unlink()
    without = load_run_folder(copy)
    assert without.next_cells is without.cell_map is without.transitions is None
    pd.DataFrame({"x": [0.0]}).to_parquet(copy / "map.parquet")
    with pytest.raises(RunError, match="the column 'y' is missing"):
        load_run_folder(copy)


def test_baselines_of_a_regression_have_one_name_under_both_splits(regression_run: Path) -> None:
    path = regression_run / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    metrics["contrast"] = {"random_split": {"model": {"r2": 0.5}, "baselines": {"linear": {"r2": 0.4}, "majority": {"r2": 0.0}}}}
    path.write_text(json.dumps(metrics), encoding="utf-8")
    found = load_run_folder(regression_run).metrics["contrast"]["random_split"]
    assert found == {"model": {"r2": 0.5}, "baselines": {"ridge": {"r2": 0.4}, "mean": {"r2": 0.0}}}


def test_regression_prefers_the_metric_of_the_difference(regression_run: Path) -> None:
    run = load_run_folder(regression_run)
    assert run.is_regression
    assert (run.reference, run.primary_metric) == ("ridge", "r2")


def test_names_that_look_like_missing_values_stay_names(minimal_run: Path) -> None:
    folder = minimal_run / "explanations"
    folder.mkdir()
    lines = ["class\tfeature_id\tsymbol\trank\timportance\tcorrelation", "NA\tnan\tNULL\t1\t0.5\t", "1\t2\t3\t2\t0.25\t-0.5"]
    (folder / "genes.tsv").write_text("\n".join(lines) + "\n")
    genes = load_run_folder(minimal_run).genes
    assert genes is not None
    assert genes["class"].tolist() == ["NA", "1"]
    assert genes["feature_id"].tolist() == ["nan", "2"]
    assert genes["symbol"].tolist() == ["NULL", "3"]
    assert genes["importance"].tolist() == [0.5, 0.25]
    assert pd.isna(genes["correlation"][0])
    assert genes["correlation"][1] == -0.5


def test_history_of_folds_joins_the_final_model(minimal_run: Path) -> None:
    (minimal_run / "history.csv").write_text("epoch,train_loss\n0,1.5\n")
    for fold in (0, 1, 10):
        (minimal_run / "folds" / str(fold)).mkdir(parents=True)
        (minimal_run / "folds" / str(fold) / "history.csv").write_text(f"epoch,train_loss\n0,{fold}\n")
    history = load_run_folder(minimal_run).history
    assert history is not None
    assert history["fold"].tolist() == ["0", "1", "10", "final"]
    assert history["train_loss"].tolist() == [0.0, 1.0, 10.0, 1.5]


def test_history_that_lists_folds_itself_is_taken_alone(minimal_run: Path) -> None:
    (minimal_run / "history.csv").write_text("fold,epoch,train_loss\n0,0,1.5\n1,0,2.5\n")
    (minimal_run / "folds" / "0").mkdir(parents=True)
    (minimal_run / "folds" / "0" / "history.csv").write_text("epoch,train_loss\n0,9\n")
    history = load_run_folder(minimal_run).history
    assert history is not None
    assert history["train_loss"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metrics.json", "[1]", "JSON object"),
        ("metrics.json", "{", "not valid JSON"),
        ("metrics.json", json.dumps({"test": {}}), "test.model"),
        ("check.json", "[]", "JSON object"),
        ("predictions.parquet", "not parquet", "not valid Parquet"),
        ("explanations/genes.tsv", "class\tsymbol\n", "'feature_id' is missing"),
        ("history.csv", "", "cannot be read"),
    ],
)
def test_damaged_files_are_named(minimal_run: Path, name: str, content: str, message: str) -> None:
    path = minimal_run / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    with pytest.raises(RunError, match=message) as caught:
        load_run_folder(minimal_run)
    assert caught.value.where == str(path)


def test_predictions_without_a_label(minimal_run: Path) -> None:
    pd.DataFrame({"sample_id": ["a"], "predicted": ["x"]}).to_parquet(minimal_run / "predictions.parquet")
    with pytest.raises(RunError, match="'label' is missing"):
        load_run_folder(minimal_run)


def test_folder_without_metrics_or_without_existence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"metrics\.json is missing"):
        load_run_folder(tmp_path)
    with pytest.raises(RunError, match="no such folder"):
        load_run_folder(tmp_path / "absent")


def test_nothing_in_the_folder_is_needed_but_metrics(evil_run: Path, tmp_path: Path) -> None:
    for path in sorted(evil_run.iterdir()):
        if path.name == "metrics.json":
            continue
        copy = tmp_path / path.name
        shutil.copytree(evil_run, copy)
        target = copy / path.name
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink()
        assert load_run_folder(copy).metrics["task"] == "classification"


def test_section_of_null_is_empty() -> None:
    assert section({"a": None}, "a") == {}
    assert section(None, "a") == {}
    assert section({"a": {"b": 1}}, "a") == {"b": 1}
