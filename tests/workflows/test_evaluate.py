"""Scoring a run on samples of another file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError, RunError
from genoken.core.files import read_json
from genoken.synthetic import planted_markers
from genoken.workflows.evaluate import evaluate


@pytest.fixture(scope="module")
def others():
    """Cells of the same making, from donors that the run has not seen."""
    adata = planted_markers(samples=60, features=40, groups=6, seed=3, group_effect=0.4)
    adata.obs["donor_id"] = [f"new_{name}" for name in adata.obs["donor_id"]]
    return adata


def test_scores_are_those_of_the_predictions(run, others, said, tmp_path):
    found = evaluate(run, others, output=tmp_path / "scored", show=said)
    predicted = run.predict(others)
    accuracy = (predicted["predicted"] == others.obs["cell_type"]).mean()
    assert found["test"]["model"]["accuracy"] == pytest.approx(accuracy)
    assert (found["test"]["samples"], found["test"]["groups"]) == (60, 6)
    assert found["split"] == {
        "kind": "external",
        "group": "donor_id",
        "folds": 1,
        "leaky": False,
        "note": "all samples of AnnData:X",
    }
    assert found["test"]["model"]["accuracy_interval"] is not None
    assert found["verdict"] in said.lines
    assert "AnnData:X: 40 of 40 genes found (100.0%), matched by index." in said.lines
    assert read_json(tmp_path / "scored" / "metrics.json") == found
    written = pd.read_parquet(tmp_path / "scored" / "predictions.parquet").set_index("sample_id")
    assert (written["predicted"] == predicted["predicted"]).all()
    assert (written["group"] == others.obs["donor_id"]).all()


def test_the_floor_is_the_share_of_classes_in_train(run, others):
    counts = np.array(run.model.target.class_counts)
    majority = run.metrics["classes"][int(counts.argmax())]
    found = evaluate(run, others)["test"]["baselines"]
    assert list(found) == ["majority"]
    assert found["majority"]["accuracy"] == pytest.approx((others.obs["cell_type"] == majority).mean())


def test_another_column_may_hold_the_labels_and_groups(run, others):
    adata = others.copy()
    adata.obs["truth"] = adata.obs.pop("cell_type")
    adata.obs["plate"] = ["p1", "p2", "p3"] * 20
    found = evaluate(run, adata, label="truth", group="plate")
    assert found["test"]["model"]["accuracy"] == evaluate(run, others)["test"]["model"]["accuracy"]
    assert (found["label"], found["split"]["group"], found["test"]["groups"]) == ("truth", "plate", 3)
    assert found["test"]["model"]["accuracy_interval"] is None


def test_without_groups_samples_are_resampled(run, others):
    adata = others.copy()
    del adata.obs["donor_id"]
    found = evaluate(run, adata)
    assert (found["test"]["groups"], found["test"]["difference"]["unit"]) == (None, "samples")


def test_one_class_against_the_others(binary, others):
    found = evaluate(binary, others)
    assert (found["classes"], found["positive"]) == (["not type_1", "type_1"], "type_1")
    truth = others.obs["cell_type"] == "type_1"
    predicted = binary.predict(others)["predicted"] == "type_1"
    assert found["test"]["model"]["accuracy"] == pytest.approx((truth == predicted).mean())
    assert found["test"]["model"]["predicted_positive_rate"] == pytest.approx(predicted.mean())


def test_samples_without_a_label_are_left_out_with_a_count(run, others, said):
    adata = others.copy()
    adata.obs["cell_type"] = adata.obs["cell_type"].where(np.arange(60) >= 7)
    found = evaluate(run, adata, show=said)
    assert found["test"]["samples"] == 53
    assert "  7 samples have no value in 'cell_type' and are left out." in said.lines


def test_unknown_labels_are_refused(run, others, tmp_path):
    adata = others.copy()
    adata.obs["cell_type"] = adata.obs["cell_type"].replace({"type_1": "typ_1"})
    with pytest.raises(
        DataError,
        match=r"^AnnData:X: 20 samples have labels that the run does not know, for example 'typ_1' — did you mean 'type_1'",
    ):
        evaluate(run, adata, output=tmp_path / "scored")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("named", "error", "message"),
    [
        ({"label": "celltype"}, DataError, "no column 'celltype' in the sample table .obs. — did you mean 'cell_type'"),
        ({"group": "donor"}, DataError, "no column 'donor' in the sample table .obs. — did you mean 'donor_id'"),
        ({"group": "cell_type"}, ConfigError, "'cell_type' is both label and group"),
    ],
)
def test_columns_that_are_not_there_are_refused(named, error, message, run, others):
    with pytest.raises(error, match=message):
        evaluate(run, others, **named)


def test_an_occupied_output_is_refused_and_kept(run, others, tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="exists and is not empty"):
        evaluate(run, others, output=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_too_few_genes_are_refused_unless_fewer_are_asked_for(run, others):
    few = others[:, :12].copy()
    with pytest.raises(DataError, match=r"too few genes in common: 12 of 40 genes found \(30\.0%\)"):
        evaluate(run, few)
    assert evaluate(run, few, min_coverage=0.25)["test"]["samples"] == 60


def test_the_file_that_the_run_was_trained_on_is_no_test(run, others, cells_file, said):
    found = evaluate(run, cells_file, show=said)
    assert found["split"]["leaky"] is True
    assert "warning: the run was trained on this very file, so these scores are no test" in said.lines
    assert evaluate(run, others)["split"]["leaky"] is False
