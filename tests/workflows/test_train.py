"""A whole run: what it leaves behind, that it can be repeated, and where its samples, classes and splits come from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open

from genoken.core.config import RunConfig, build, read_yaml
from genoken.core.errors import ConfigError, DataError
from genoken.core.files import read_json, sha256_of_file
from genoken.workflows.background import BACKGROUND_FILES
from genoken.workflows.run import load_run
from genoken.workflows.train import train

PAGE = Path(__file__).resolve().parents[2] / "docs" / "run-folder.md"
NUMBER = (int, float)
CLASSIFICATION = {
    "accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "mcc", "brier", "log_loss", "ece",
}  # fmt: skip
SPEED = {
    "train_samples_per_second", "train_tokens_per_second", "predict_samples_per_second", "fill", "loader_wait", "seconds",
    "peak_memory_mb", "mfu",
}  # fmt: skip
NOT_OF_THIS_RUN = (*BACKGROUND_FILES, "batch_size.json", "join.tsv", "quality.tsv")
"""It is on one file of cells, has no covariates, and its batch size is given."""
BASELINES = {"majority", "linear", "pca_linear", "nearest_neighbors"}


def without_speed(run):
    return {name: value for name, value in run.metrics.items() if name != "speed"}


def weights(run):
    return (run.folder / "model.safetensors").read_bytes()


def words_of(run):
    return pd.read_parquet(run.folder / "split.parquet").set_index("sample_id")["fold_0"]


# --- the folder ---


def documented_files():
    of_trained_runs = PAGE.read_text(encoding="utf-8").split("## Folders of pretraining runs")[0]
    rows = re.findall(r"^\| (`[^|]+`) \|", of_trained_runs, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_every_documented_file_is_there(run, folds):
    names = documented_files()
    assert len(names) >= 17
    for name in names:
        if "K" in name:
            assert [path.name for path in sorted((folds.folder / "folds").iterdir())] == ["0", "1", "2"]
        elif name in NOT_OF_THIS_RUN:
            assert not (run.folder / name).exists(), name
        elif "NAME" in name:
            assert {path.stem for path in (run.folder / "baselines").glob(f"*{Path(name).suffix}")} >= BASELINES
        else:
            assert (run.folder / name).exists(), name
            assert (folds.folder / name).exists(), name
    assert list(run.folder.rglob(".*")) == []


def test_nothing_in_the_folder_is_pickled(folds):
    endings = {path.suffix for path in folds.folder.rglob("*") if path.is_file()}
    assert endings == {".yaml", ".json", ".safetensors", ".parquet", ".csv", ".tsv", ".rnk", ".html"}
    for path in folds.folder.rglob("*.safetensors"):
        with safe_open(path, framework="np") as handle:
            assert list(handle.keys())


def assert_metrics(scores, names):
    for name in names:
        assert isinstance(scores[name], NUMBER), name
        interval = scores[f"{name}_interval"]
        assert interval is None or interval[0] <= interval[1], name
    assert set(scores) == {*names, *(f"{name}_interval" for name in names)}


@pytest.mark.parametrize("made", ["run", "folds"])
def test_metrics_have_the_documented_keys(made, request):
    run = request.getfixturevalue(made)
    found = read_json(run.folder / "metrics.json")
    assert (found["task"], found["label"], found["positive"]) == ("classification", "cell_type", None)
    assert found["classes"] == ["type_0", "type_1", "type_2"]
    split = found["split"]
    assert set(split) == {"kind", "group", "folds", "leaky", "note", "samples", "groups"}
    assert (split["kind"], split["folds"]) == (("group", 1) if made == "run" else ("folds", 3))
    assert (split["group"], split["leaky"]) == ("donor_id", False)
    assert sum(split["samples"].values()) == 90
    assert split["groups"] == ({"train": 7, "val": 1, "test": 1} if made == "run" else {"train": 6, "val": 4, "test": 3})
    test = found["test"]
    assert set(test) == {
        "samples", "groups", "model", "baselines", "difference", "per_class", "confusion", "calibration", "curves",
        "increment", "within", "plausibility",
    }  # fmt: skip
    assert (test["increment"], test["within"], test["plausibility"]) == (None, None, "")
    assert (test["samples"], test["groups"]) == (
        (90, 9) if made == "folds" else (split["samples"]["test"], split["groups"]["test"])
    )
    assert_metrics(test["model"], CLASSIFICATION)
    assert set(test["baselines"]) == BASELINES
    for scores in test["baselines"].values():
        assert_metrics(scores, CLASSIFICATION)
    assert set(test["difference"]) == {"baseline", "metric", "value", "interval", "unit", "draws"}
    assert (test["difference"]["unit"], test["difference"]["draws"]) == ("groups", 50)
    best = max(test["baselines"], key=lambda name: test["baselines"][name]["macro_f1"])
    assert test["difference"]["baseline"] == best
    assert test["difference"]["value"] == pytest.approx(test["model"]["macro_f1"] - test["baselines"][best]["macro_f1"])
    assert found["verdict"] == run.verdict
    assert found["verdict"].endswith(".")
    assert set(found["speed"]) >= SPEED
    assert {finding["level"] for finding in found["leakage"]["findings"]} <= {"ok", "warning", "error"}
    assert "contrast" not in found
    assert set(found["ablation"]) == {"without_linear_path", "linear_path_alone"}
    for scores in found["ablation"].values():
        assert_metrics(scores, CLASSIFICATION)
    gap, path = found["ablation_difference"], found["ablation"]["linear_path_alone"]
    assert set(gap) == {"part", "metric", "value", "interval", "unit", "draws"}
    assert (gap["part"], gap["metric"], gap["draws"]) == ("linear_path_alone", "macro_f1", 50)
    assert gap["value"] == pytest.approx(test["model"]["macro_f1"] - path["macro_f1"])
    assert (gap["interval"] is not None) == (path["macro_f1_interval"] is not None) == (made == "folds")
    assert "its own linear path alone: macro-F1" in found["verdict"] or "the model's own linear path" in found["verdict"]


def test_the_tables_of_the_test_have_the_documented_shape(run):
    test = run.metrics["test"]
    for name in ("model", *BASELINES):
        matrix = np.array(test["confusion"][name])
        assert matrix.shape == (3, 3)
        assert matrix.sum() == test["samples"]
        table = test["per_class"][name]
        assert list(table) == run.metrics["classes"]
        wanted = {"precision", "recall", "f1", "average_precision", "roc_auc", "support", "predicted_rate"}
        assert all(set(row) == wanted for row in table.values())
        assert [row["support"] for row in table.values()] == matrix.sum(axis=1).tolist()
        calibration = test["calibration"][name]
        assert set(calibration) == {"bins", "ece"}
        assert sum(part["samples"] for part in calibration["bins"]) == test["samples"]
        assert set(calibration["bins"][0]) == {"low", "high", "samples", "confidence", "accuracy"}
    curves = test["curves"]["model"]["type_1"]
    assert set(curves["roc"]) == {"false_positive_rate", "true_positive_rate"}
    assert set(curves["pr"]) == {"recall", "precision"}


def test_accuracy_is_that_of_the_written_predictions(run):
    table = pd.read_parquet(run.folder / "predictions.parquet")
    assert (table["label"] == table["predicted"]).mean() == pytest.approx(run.metrics["test"]["model"]["accuracy"])
    assert list(table) == [
        "sample_id", "group", "fold", "label", "predicted", "probability_type_0", "probability_type_1", "probability_type_2",
    ]  # fmt: skip
    assert len(table) == run.metrics["test"]["samples"]


def test_written_predictions_are_what_the_run_predicts(run, cells):
    written = pd.read_parquet(run.folder / "predictions.parquet").set_index("sample_id")
    found = run.predict(cells[written.index])
    assert list(found.index) == list(written.index)
    assert (found["predicted"] == written["predicted"]).all()
    columns = [f"probability_{name}" for name in run.metrics["classes"]]
    np.testing.assert_allclose(found[columns].to_numpy(), written[columns].to_numpy(), atol=1e-6)
    np.testing.assert_allclose(found[columns].sum(axis=1), 1, atol=1e-5)
    assert found[columns].to_numpy().std(axis=0).min() > 0.01


def test_the_manifest_tells_what_is_there(run, cells_file):
    found = read_json(run.folder / "manifest.json")
    model_files = {"config.yaml", "model.safetensors", "tokenizer.json", "target.json", "vocabulary.parquet"}
    written = {*model_files, "trained_on.parquet"}
    assert set(found["files"]) == written | {f"baselines/{name}.safetensors" for name in BASELINES}
    assert {name: sha256_of_file(run.folder / name) for name in found["files"]} == found["files"]
    assert found["data"] == [
        {"path": str(cells_file.resolve()), "sha256": sha256_of_file(cells_file), "samples": 90, "features": 40}
    ]
    assert {"genoken", "created", "command", "seed", "python", "libraries", "hardware", "model", "speed"} <= set(found)
    assert {"device", "cpu", "cores", "memory_gb", "gpu"} <= set(found["hardware"])
    assert {"torch", "anndata", "numpy"} <= set(found["libraries"])
    assert found["speed"] == run.metrics["speed"]
    assert len(found["peak_memory_mb_by_epoch"]) == 2
    model = found["model"]
    with safe_open(run.folder / "model.safetensors", framework="np") as handle:
        sizes = [handle.get_tensor(name).size for name in handle.keys()]  # noqa: SIM118 - not a dictionary
    assert model["parameters"] == sum(model["parameters_by_part"].values())
    assert model["parameters"] <= sum(sizes)
    assert set(model["attention"]) == {"backend", "reason"}
    assert set(model["precision"]) == {"used", "reason"}


def test_history_check_and_split_are_as_documented(run):
    history = pd.read_csv(run.folder / "history.csv")
    assert list(history)[:5] == ["fold", "epoch", "step", "train_loss", "val_loss"]
    wanted = {
        "learning_rate",
        "seconds",
        "samples_per_second",
        "tokens_per_second",
        "flops_per_second",
        "fill",
        "loader_wait",
        "peak_memory_mb",
    }
    assert wanted <= set(history)
    assert history["epoch"].tolist() == [0, 1]
    check = read_json(run.folder / "check.json")
    assert set(check) == {
        "file", "samples", "features", "matrices", "identifiers", "label", "group", "confounding", "memory_mb", "suggestion",
        "findings", "training_memory_mb",
    }  # fmt: skip
    assert check["training_memory_mb"] > 600 > check["memory_mb"]
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert f"Memory: training about {check['training_memory_mb']:,.0f} MB (estimated before it began)" in page
    assert check["group"] == {"name": "donor_id", "count": 9}
    split = pd.read_parquet(run.folder / "split.parquet")
    assert list(split) == ["sample_id", "group", "label", "fold_0"]
    sides = split.groupby("group")["fold_0"].agg(lambda words: (words == "test").mean())
    assert set(sides) == {0.0, 1.0}


def test_embeddings_and_genes_are_as_documented(run, cells):
    table = pd.read_parquet(run.folder / "embeddings.parquet").set_index("sample_id")
    written = pd.read_parquet(run.folder / "predictions.parquet").set_index("sample_id")
    assert list(table.index) == list(written.index)
    assert (table[["label", "predicted", "group", "fold"]] == written[["label", "predicted", "group", "fold"]]).all().all()
    states = table[[f"model_{index}" for index in range(8)]].to_numpy()
    np.testing.assert_allclose(states, run.embed(cells[table.index]).to_numpy(), atol=1e-5)
    assert "pca_0" in table
    genes = pd.read_parquet(run.folder / "gene_embeddings.parquet")
    assert list(genes) == ["feature_id", "symbol", *[f"width_{index}" for index in range(8)]]
    assert genes["feature_id"].tolist() == list(run.model.state.feature_ids)
    explained = pd.read_csv(run.folder / "explanations" / "genes.tsv", sep="\t")
    assert list(explained) == ["class", "feature_id", "symbol", "rank", "importance", "stability", "method", "correlation"]
    assert {path.stem for path in (run.folder / "explanations").glob("*.rnk")} == {"type_0", "type_1", "type_2"}
    controls = read_json(run.folder / "explanations" / "controls.json")
    assert set(controls) == {
        "method",
        "completeness_error",
        "deletion",
        "randomized_weights_correlation",
        "fold_agreement",
        "attention",
        "notes",
    }


def test_every_json_file_is_strict(folds):
    for path in folds.folder.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda word, path=path: pytest.fail(f"{path}: {word}"))


# --- the same again ---


def test_an_object_in_memory_gives_the_same_run_as_its_file(run, cells, tiny, tmp_path):
    again = tiny(cells, tmp_path / "again", full=True)
    assert weights(again) == weights(run)
    assert without_speed(again) == without_speed(run)


def test_config_yaml_repeats_the_run(run, cells_file, tmp_path):
    again = train(cells_file, config=run.folder / "config.yaml", output=tmp_path / "again")
    assert weights(again) == weights(run)
    assert without_speed(again) == without_speed(run)
    for name in ("config.yaml", "predictions.parquet", "split.parquet", "vocabulary.parquet", "baselines/linear.parquet"):
        assert (again.folder / name).read_bytes() == (run.folder / name).read_bytes(), name
    for name in ("explanations/genes.tsv", "explanations/controls.json"):
        assert (again.folder / name).read_text() == (run.folder / name).read_text(), name


def test_config_yaml_says_what_the_data_decided(run):
    found = build(RunConfig, read_yaml(run.folder / "config.yaml"))
    assert (found.data.label, found.data.group) == ("cell_type", "donor_id")


def test_the_default_folder_is_named_after_file_and_label(tiny, cells_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tiny(cells_file, None).folder == Path("runs/cells-cell_type")


# --- splits ---


def with_split(cells):
    """Return the cells with a split of their own, sorted by it."""
    donors = cells.obs["donor_id"]
    words = np.select([donors.isin(["donor_00", "donor_01"]), donors == "donor_02"], ["test", "Validation"], "train")
    adata = cells[np.argsort([["train", "Validation", "test"].index(word) for word in words], kind="stable")].copy()
    adata.obs["split"] = pd.Series(words, index=cells.obs_names).loc[adata.obs_names]
    return adata


@pytest.fixture(scope="module")
def split_run(cells, tiny, tmp_path_factory):
    return tiny(with_split(cells), tmp_path_factory.mktemp("own") / "split", {"split.kind": "auto"})


def test_a_split_column_is_taken_as_it_is(split_run, cells):
    words = words_of(split_run)
    expected = with_split(cells).obs["split"].replace({"Validation": "val"})
    assert (words == expected.loc[words.index]).all()
    assert (split_run.metrics["split"]["kind"], split_run.metrics["split"]["folds"]) == ("column", 1)
    assert split_run.metrics["split"]["note"] == "as the column 'split' says"


def test_a_split_column_may_leave_samples_out_and_validation_to_us(cells, tiny, tmp_path):
    adata = with_split(cells)
    adata.obs["split"] = adata.obs["split"].replace({"Validation": "unused"})
    words = words_of(tiny(adata, tmp_path / "run", {"split.kind": "auto"}))
    given = adata.obs["split"].loc[words.index]
    assert (words[given == "unused"] == "unused").all()
    assert (words[given == "test"] == "test").all()
    assert set(words[given == "train"]) == {"train", "val"}


def test_another_split_than_the_column_must_be_asked_for(cells, tiny, tmp_path):
    run = tiny(with_split(cells), tmp_path / "run", {"split.kind": "group"}, group="donor_id")
    assert run.metrics["split"]["kind"] == "group"


@pytest.fixture(scope="module")
def parts(cells, tmp_path_factory):
    """Three files; validation and test have their genes in other orders."""
    folder, adata = tmp_path_factory.mktemp("parts"), with_split(cells)
    order = np.random.default_rng(0).permutation(adata.n_vars)
    for name, word in (("train", "train"), ("val", "Validation"), ("test", "test")):
        part = adata[adata.obs["split"] == word].copy()
        del part.obs["split"]
        (part if name == "train" else part[:, order].copy()).write_h5ad(folder / f"{name}.h5ad")
    return {name: folder / f"{name}.h5ad" for name in ("train", "val", "test")}


@pytest.fixture(scope="module")
def parts_run(parts, tiny, tmp_path_factory):
    return tiny(None, tmp_path_factory.mktemp("own") / "parts", {"split.kind": "auto"}, full=True, **parts)


def test_three_files_are_one_file_with_a_split_column(parts_run, split_run):
    assert [entry["samples"] for entry in read_json(parts_run.folder / "manifest.json")["data"]] == [54, 12, 24]
    assert weights(parts_run) == weights(split_run)
    for name in ("split.parquet", "predictions.parquet"):
        one, other = (pd.read_parquet(run.folder / name) for run in (parts_run, split_run))
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_three_files_explain_their_own_test_samples(parts_run):
    assert set(parts_run.explain(method="gradient", top=3)["class"]) == {"type_0", "type_1", "type_2"}


def test_genes_that_the_test_file_lacks_count_as_zero(parts, tiny, tmp_path):
    test = anndata.read_h5ad(parts["test"])
    short, zero = test[:, 1:].copy(), test.copy()
    zero.X = zero.X.toarray()
    zero.X[:, 0] = 0
    runs = [
        tiny(None, tmp_path / name, {"split.kind": "auto"}, train=parts["train"], val=parts["val"], test=adata)
        for name, adata in (("short", short), ("zero", zero))
    ]
    assert weights(runs[0]) == weights(runs[1])
    assert without_speed(runs[0]) == without_speed(runs[1])


def test_two_files_are_enough_and_equal_sample_ids_are_told_apart(parts, tiny, tmp_path):
    test = anndata.read_h5ad(parts["test"])
    test.obs_names = list(anndata.read_h5ad(parts["train"]).obs_names[: test.n_obs])
    words = words_of(tiny(None, tmp_path / "run", {"split.kind": "auto"}, train=parts["train"], test=test))
    assert words.groupby(words).size().to_dict() == {"test": 24, "train": 46, "val": 8}
    assert words[f"test:{test.obs_names[0]}"] == "test"
    assert words[f"train:{test.obs_names[0]}"] in ("train", "val")


@pytest.mark.parametrize("kind", ["random", "group", "folds"])
def test_three_files_with_another_split_are_refused(kind, parts, tiny, tmp_path):
    with pytest.raises(ConfigError, match="three files are a split already — leave --split and --folds away"):
        tiny(None, tmp_path / "run", {"split.kind": kind}, **parts)


def test_a_label_that_one_file_lacks_is_named_with_the_file(parts, tiny, tmp_path):
    test = anndata.read_h5ad(parts["test"])
    test.obs = test.obs.rename(columns={"cell_type": "cell_types"})
    test.write_h5ad(tmp_path / "held_out.h5ad")
    with pytest.raises(DataError, match=r"^held_out\.h5ad.*no column 'cell_type'.*did you mean 'cell_types'"):
        tiny(None, tmp_path / "run", {"split.kind": "auto"}, train=parts["train"], test=tmp_path / "held_out.h5ad")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "no file to train on is named"),
        ({"test": "b.h5ad"}, "three files need at least --train and --test"),
        ({"data": "a.h5ad", "test": "b.h5ad"}, "give either one file, or --train, --val and --test"),
    ],
)
def test_too_few_or_too_many_files_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        train(**given, label="cell_type")


def test_a_random_split_of_grouped_data_is_marked_everywhere(cells_file, tiny, said, tmp_path):
    run = tiny(cells_file, tmp_path / "run", {"split.kind": "random"}, full=True, show=said)
    assert run.metrics["split"]["leaky"] is True
    assert {"level": "error", "title": "The split is leaky"}.items() <= run.metrics["leakage"]["findings"][0].items()
    assert "warning: groups of 'donor_id' are on both sides of the split: scores will be too optimistic" in said.lines
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "The split is leaky" in page
    assert re.search(r"\d of 9 values of &#39;donor_id&#39; are in train and in test", page)


def test_a_contrast_scores_random_samples_beside_whole_groups(cells_file, tiny, said, tmp_path):
    run = tiny(cells_file, tmp_path / "run", {"evaluation.contrast": "random_split"}, show=said)
    contrast = run.metrics["contrast"]["random_split"]
    assert set(contrast) == set(run.metrics["test"])
    numbers = f"is {contrast['model']['macro_f1']:.3f}, not {run.metrics['test']['model']['macro_f1']:.3f}"
    start = "Contrast: On random samples instead of whole groups"
    assert [numbers in line for line in said.lines if line.startswith(start)] == [True]
    assert contrast["samples"] == run.metrics["test"]["samples"] < 90
    assert run.metrics["split"]["leaky"] is False
    # As many cells to learn from, so that the split is all that differs: 90 cells leave out test and validation on either side.
    sizes = run.metrics["split"]["samples"]
    history = pd.read_csv(run.folder / "contrast" / "history.csv")
    assert not (run.folder / "contrast" / "folds").exists()
    assert history["step"].max() == pd.read_csv(run.folder / "history.csv")["step"].max()
    assert sum(sizes.values()) == 90


def test_a_contrast_of_a_random_split_says_nothing_and_is_left_out(cells_file, tiny, tmp_path):
    run = tiny(cells_file, tmp_path / "run", {"evaluation.contrast": "random_split", "split.kind": "random"})
    assert "contrast" not in run.metrics


# --- what is predicted, by what ---


def test_one_class_against_the_others(binary, cells):
    found = binary.metrics
    assert (found["positive"], found["classes"]) == ("type_1", ["not type_1", "type_1"])
    assert "predicted_positive_rate" in found["test"]["model"]
    split = pd.read_parquet(binary.folder / "split.parquet").set_index("sample_id")["label"]
    assert ((split == "type_1") == (cells.obs["cell_type"] == "type_1").loc[split.index]).all()


def test_the_threshold_decides_in_every_file(binary, cells):
    for name in ("predictions.parquet", "baselines/majority.parquet"):
        table = pd.read_parquet(binary.folder / name)
        assert ((table["probability_type_1"] >= 0.2) == (table["predicted"] == "type_1")).all(), name
    written = pd.read_parquet(binary.folder / "predictions.parquet").set_index("sample_id")
    assert written["probability_type_1"].between(0.2, 0.5).any()
    assert (pd.read_parquet(binary.folder / "embeddings.parquet")["predicted"].to_numpy() == written["predicted"].to_numpy()).all()
    assert (binary.predict(cells[written.index])["predicted"] == written["predicted"]).all()
    rate = binary.metrics["test"]["model"]["predicted_positive_rate"]
    assert (written["predicted"] == "type_1").mean() == pytest.approx(rate)


def test_fewer_samples_keep_the_shares_of_the_classes(cells_file, tiny, said, tmp_path):
    run = tiny(cells_file, tmp_path / "run", {"data.limit_samples": 45, "split.kind": "random"}, show=said)
    table = pd.read_parquet(run.folder / "split.parquet")
    assert table["label"].value_counts().to_dict() == {"type_0": 15, "type_1": 15, "type_2": 15}
    assert "  45 of 90 samples are used, as asked (data.limit_samples)." in said.lines


def test_rivals_are_trained_by_the_same_machinery(cells_file, tiny, tmp_path):
    run = tiny(cells_file, tmp_path / "run", {"evaluation.rivals": ["mlp", "linear"]})
    assert set(run.metrics["test"]["baselines"]) == {"majority", "mlp", "linear_network"}
    assert (run.folder / "baselines" / "linear_network.parquet").is_file()
    assert run.metrics["test"]["baselines"]["mlp"]["log_loss"] != run.metrics["test"]["model"]["log_loss"]


@pytest.mark.parametrize(("preset", "kind"), [("mlp", "mlp"), ("gene_transformer_small", "transformer")])
def test_presets_can_be_trained(preset, kind, cells, tmp_path):
    small = {"tokenizer.hvgs": 0, "model.width": 8, "training.epochs": 1, "training.logger": "none", "split.kind": "group"}
    run = train(
        cells, label="cell_type", preset=preset, settings=small | {"evaluation.baselines": ["majority"]}, output=tmp_path / "run"
    )
    assert read_yaml(run.folder / "config.yaml")["model"]["encoder"]["kind"] == kind
    assert load_run(run.folder).predict(cells[:4])["predicted"].isin(run.metrics["classes"]).all()


def test_whole_numbers_are_the_same_classes_whether_or_not_some_are_missing(cells, tiny, tmp_path):
    adata = cells.copy()
    adata.obs["code"] = [int(name[-1]) for name in adata.obs["cell_type"]]
    whole = tiny(adata, tmp_path / "whole", label="code")
    adata.obs["code"] = adata.obs["code"].where(np.arange(90) > 0)
    some = tiny(adata, tmp_path / "some", label="code")
    assert whole.metrics["classes"] == some.metrics["classes"] == ["0", "1", "2"]
