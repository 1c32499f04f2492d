"""Scoring a run on samples of another file."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save

from genoken.core.errors import ConfigError, DataError, RunError
from genoken.core.files import read_json, sha256_of_file, write_json
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


def held_out(run, cells):
    """Return the cells that the run was tested on, in the order of the file."""
    split = pd.read_parquet(run.folder / "split.parquet")
    return cells[split.loc[split["fold_0"] == "test", "sample_id"]].copy()


@pytest.mark.parametrize("made", ["run", "regression"])
def test_on_a_runs_own_test_samples_everything_is_as_in_the_run(made, cells, said, request):
    run = request.getfixturevalue(made)
    found = evaluate(run, held_out(run, cells), show=said)
    expected = run.metrics
    assert list(found["test"]["baselines"]) == list(expected["test"]["baselines"])
    for name, scores in expected["test"]["baselines"].items():
        assert found["test"]["baselines"][name] == pytest.approx(scores, abs=1e-6), name
    assert found["test"]["model"] == pytest.approx(expected["test"]["model"], abs=1e-5)
    for name, scores in expected["ablation"].items():
        assert found["ablation"][name] == pytest.approx(scores, abs=1e-5), name
    assert found["test"]["difference"] == pytest.approx(expected["test"]["difference"], abs=1e-5)
    assert found["ablation_difference"] == pytest.approx(expected["ablation_difference"], abs=1e-5)
    assert found["verdict"] == expected["verdict"]
    assert not any("compared" in line for line in said.lines if line.startswith("  "))


@pytest.mark.parametrize("made", ["run", "folds"])
def test_baselines_are_compared_with_paired_intervals(made, others, tmp_path, request):
    run = request.getfixturevalue(made)
    found = evaluate(run, others, output=tmp_path / "scored")
    baselines = found["test"]["baselines"]
    assert list(baselines) == ["majority", "linear", "pca_linear", "nearest_neighbors"]
    best = max(baselines, key=lambda name: baselines[name]["macro_f1"])
    assert found["test"]["difference"]["baseline"] == best
    assert found["test"]["difference"]["value"] == found["test"]["model"]["macro_f1"] - baselines[best]["macro_f1"]
    assert baselines["linear"]["accuracy"] > 0.6 > baselines["majority"]["accuracy"]
    for interval in (
        found["test"]["difference"]["interval"],
        baselines["linear"]["macro_f1_interval"],
        found["ablation"]["linear_path_alone"]["macro_f1_interval"],
        found["ablation_difference"]["interval"],
    ):
        assert interval[0] <= interval[1]
    assert "linear path" in found["verdict"].split("6 groups). ")[1]
    for name in (*baselines, "without_linear_path", "linear_path_alone"):
        table = pd.read_parquet(tmp_path / "scored" / "baselines" / f"{name}.parquet")
        scores = found["ablation"].get(name) or baselines[name]
        assert (table["label"] == table["predicted"]).mean() == pytest.approx(scores["accuracy"])
    assert (tmp_path / "scored" / "config.yaml").read_bytes() == (run.folder / "config.yaml").read_bytes()


@pytest.fixture
def copy(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_run_without_saved_baselines_is_compared_with_the_floor(run, copy, others, said):
    manifest = read_json(copy / "manifest.json")
    manifest["files"] = {name: value for name, value in manifest["files"].items() if not name.startswith("baselines/")}
    write_json(copy / "manifest.json", manifest)
    counts = np.array(run.model.target.class_counts)
    majority = run.metrics["classes"][int(counts.argmax())]
    found = evaluate(copy, others, show=said)["test"]["baselines"]
    assert list(found) == ["majority"]
    assert found["majority"]["accuracy"] == pytest.approx((others.obs["cell_type"] == majority).mean())
    assert "  The run holds no saved baselines, so only the most frequent class is compared." in said.lines


def test_a_baseline_that_cannot_be_saved_is_named(others, cells_file, tiny, said, tmp_path):
    settings = {"evaluation.baselines": [{"kind": "majority"}, {"kind": "boosting", "max_trees": 2}]}
    run = tiny(cells_file, tmp_path / "run", settings)
    assert set(run.metrics["test"]["baselines"]) == {"majority", "boosting"}
    assert [path.name for path in (run.folder / "baselines").glob("*.safetensors")] == ["majority.safetensors"]
    assert list(evaluate(run, others, show=said)["test"]["baselines"]) == ["majority"]
    assert "  Not compared here, because the run could not save them: gradient boosting." in said.lines


def assert_refused(folder, others, match):
    with pytest.raises(RunError, match=match) as caught:
        evaluate(folder, others)
    assert "\n" not in str(caught.value)
    assert caught.value.where == str(folder / "baselines" / "linear.safetensors")


def test_a_changed_baseline_is_refused_and_never_opened(copy, others):
    path = copy / "baselines" / "linear.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert_refused(copy, others, r"the file is not the one that the run wrote .*manifest\.json.* — restore it, or train again")


def test_a_missing_baseline_is_refused(copy, others):
    (copy / "baselines" / "linear.safetensors").unlink()
    assert_refused(copy, others, "a baseline that the run saved is missing — restore it, or train again")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"not safetensors", "the baseline cannot be read"),
        (save({"weights": np.zeros((40, 3))}), "the baseline does not fit the run"),
        (save({"weights": np.zeros((7, 3)), "intercept": np.zeros(3)}), "the baseline does not fit the run"),
        (save({"weights": np.zeros((40, 2)), "intercept": np.zeros(2)}), "the baseline does not fit the run"),
        (save({"weights": np.full((40, 3), np.nan), "intercept": np.zeros(3)}), "the baseline does not fit the run"),
    ],
)
def test_a_foreign_baseline_is_refused_even_when_signed(content, match, copy, others):
    path = copy / "baselines" / "linear.safetensors"
    path.write_bytes(content)
    manifest = read_json(copy / "manifest.json")
    manifest["files"]["baselines/linear.safetensors"] = sha256_of_file(path)
    write_json(copy / "manifest.json", manifest)
    assert_refused(copy, others, match)


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


def test_samples_with_unknown_labels_are_left_out_with_a_count(run, others, said, tmp_path):
    adata = others.copy()
    adata.obs["cell_type"] = adata.obs["cell_type"].astype(str).replace({"type_1": "typ_1"})
    found = evaluate(run, adata, show=said)
    note = (
        "20 samples have a label that the run does not know, for example 'typ_1' (did you mean 'type_1' or 'type_2' or 'type_0'?)"
    )
    assert f"  {note} and are left out." in said.lines
    assert found["test"]["samples"] == 40
    known = others[others.obs["cell_type"] != "type_1"].copy()
    assert found["test"] == evaluate(run, known)["test"]
    with pytest.raises(DataError) as caught:
        evaluate(run, adata, strict=True, output=tmp_path / "scored")
    assert str(caught.value) == f"AnnData:X: {note} — remove them, or run without --strict"
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_any_known_label_is_refused(run, others):
    adata = others.copy()
    adata.obs["cell_type"] = ["neuron", "glia"] * 30
    with pytest.raises(
        DataError, match=r"^AnnData:X: no sample is left — 60 samples have a label that the run does not know, .*'glia'"
    ):
        evaluate(run, adata)


def test_the_rest_of_one_class_may_be_anything_but_a_known_second_class_not(binary, others, cells, tiny, tmp_path):
    renamed = others.copy()
    renamed.obs["cell_type"] = renamed.obs["cell_type"].astype(str).replace({"type_0": "neuron"})
    assert evaluate(binary, renamed)["test"]["model"] == evaluate(binary, others)["test"]["model"]
    two = tiny(cells[cells.obs["cell_type"] != "type_0"].copy(), tmp_path / "two", positive="type_1")
    assert two.metrics["classes"] == ["type_2", "type_1"]
    assert evaluate(two, others)["test"]["samples"] == 40


@pytest.mark.parametrize("made", ["run", "binary"])
def test_a_file_of_one_class_is_scored(made, others, request):
    run = request.getfixturevalue(made)
    alone = others[others.obs["cell_type"] == "type_1"].copy()
    found = evaluate(run, alone)
    scores = found["test"]["model"]
    assert found["test"]["samples"] == 20
    assert scores["accuracy"] == pytest.approx((run.predict(alone)["predicted"] == "type_1").mean())
    assert [scores[name] for name in ("roc_auc", "average_precision", "mcc")] == [None] * 3
    assert scores["accuracy_interval"] is not None
    assert found["classes"] == run.metrics["classes"]


def test_a_number_that_does_not_vary_is_scored(regression, others):
    adata = others.copy()
    adata.obs["score"] = 1.5
    scores = evaluate(regression, adata)["test"]["model"]
    assert (scores["r2"], scores["pearson"]) == (None, None)
    assert scores["mae"] == pytest.approx((regression.predict(adata)["predicted"] - 1.5).abs().mean())


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


def test_samples_that_the_run_was_trained_on_are_counted(run, others, cells_file, said):
    found = evaluate(run, cells_file, show=said)
    assert found["split"]["leaky"] is True
    known = int((pd.read_parquet(run.folder / "split.parquet")["fold_0"] != "test").sum())
    assert 0 < known < 90
    line = f"{known} of 90 samples are ones that the model was trained on"
    assert found["split"]["note"] == f"all samples of cells.h5ad:X; {line}"
    assert f"warning: {line}, so these scores are too optimistic" in said.lines
    assert evaluate(run, others)["split"]["leaky"] is False


@pytest.mark.parametrize("made", ["run", "folds"])
def test_train_samples_are_known_again_in_any_file_and_test_samples_are_not(made, cells, said, request):
    run = request.getfixturevalue(made)
    words = pd.read_parquet(run.folder / "split.parquet").set_index("sample_id")["fold_0"]
    shuffled = np.random.default_rng(1).permutation(cells.n_vars)
    train = cells[words[words != "test"].index][:, shuffled].copy()
    train.obs_names = [f"renamed_{row}" for row in range(train.n_obs)]
    assert evaluate(run, train, show=said)["split"]["leaky"] is True
    line = f"{train.n_obs} of {train.n_obs} samples are ones that the model was trained on, so these scores are no test"
    assert f"warning: {line}" in said.lines
    # the final model of a cross-validation was trained on the samples that its folds were tested on
    assert evaluate(run, held_out(run, cells))["split"]["leaky"] is (made == "folds")


def test_a_changed_list_of_train_samples_is_refused_and_a_missing_one_is_said(copy, others, said):
    path = copy / "trained_on.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"trained_on\.parquet: the file is not the one that the run wrote"):
        evaluate(copy, others)
    path.unlink()
    assert evaluate(copy, others, show=said)["split"]["leaky"] is False
    assert "  The run does not say which samples it was trained on, so whether these are among them is not known." in said.lines
