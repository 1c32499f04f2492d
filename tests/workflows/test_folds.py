"""Cross-validation: every sample is tested once by a model that never saw its donor, and one final model remains."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from genoken.core.components import kind_of
from genoken.core.config import read_yaml
from genoken.core.contracts import BaselineProblem
from genoken.core.files import read_json
from genoken.interpretation.attributions.gradient import GradientTimesInput
from genoken.interpretation.subject import Subject
from genoken.training.module import TrainingModule
from genoken.training.progress import MEASURED
from genoken.workflows import fold
from genoken.workflows.baselines import read_baselines
from genoken.workflows.explain import explain
from genoken.workflows.predict import align_samples
from genoken.workflows.show import Show
from genoken.workflows.source import read_source
from genoken.workflows.store import read_model
from genoken.workflows.train import train

FOLDS = {"split.kind": "folds", "split.folds": 3}


class Interrupted(Exception):
    """Stands for a kill: nothing in the code knows it."""


def without_speed(run):
    return {name: value for name, value in run.metrics.items() if name != "speed"}


def count_fits(monkeypatch):
    """Return a list that grows with every network that is trained."""
    trained, plain = [], fold.fit

    def fit(*arguments, **named):
        trained.append(named["folder"])
        return plain(*arguments, **named)

    monkeypatch.setattr(fold, "fit", fit)
    return trained


def test_every_sample_is_tested_once_and_pooled(folds, cells):
    table = pd.read_parquet(folds.folder / "predictions.parquet")
    assert table["sample_id"].tolist() == list(cells.obs_names)
    split = pd.read_parquet(folds.folder / "split.parquet").set_index("sample_id")
    for name, number in zip(table["sample_id"], table["fold"], strict=True):
        words = split.loc[name, ["fold_0", "fold_1", "fold_2"]].tolist()
        assert [word == "test" for word in words] == [index == number for index in range(3)]
    assert (table["label"] == table["predicted"]).mean() == pytest.approx(folds.metrics["test"]["model"]["accuracy"])
    assert folds.metrics["split"]["note"] == (
        "3-fold cross-validation over whole 'donor_id' groups (9 groups); every sample is tested once. Validation samples come "
        "from train groups, so stopping and the weights of the model's summands rest on groups that the model has seen; the "
        "test groups are new"
    )


def test_no_donor_is_on_both_sides_of_a_fold(folds):
    split = pd.read_parquet(folds.folder / "split.parquet")
    for index in range(3):
        by_donor = split.groupby("group")[f"fold_{index}"].agg(lambda words: (words == "test").mean())
        assert set(by_donor) == {0.0, 1.0}
        assert (by_donor == 1).sum() == 3


def test_each_fold_predicted_its_own_test_samples(folds, cells):
    written = pd.read_parquet(folds.folder / "predictions.parquet").set_index("sample_id")
    columns = [f"probability_{name}" for name in folds.metrics["classes"]]
    for index in range(3):
        tested = written[written["fold"] == index]
        kept = pd.read_parquet(folds.folder / "folds" / str(index) / "outputs.parquet")
        np.testing.assert_array_equal(kept[[f"model|{code}" for code in range(3)]].to_numpy(), tested[columns].to_numpy())
        assert read_model(folds.folder / "folds" / str(index)).state.facts["train_samples"] < 61


def test_the_final_model_learned_from_all_samples(folds, cells):
    assert folds.model.state.facts["train_samples"] == 90
    epochs = [read_json(folds.folder / "folds" / str(index) / "fit.json")["best_epoch"] + 1 for index in range(3)]
    history = pd.read_csv(folds.folder / "history.csv")
    assert history.groupby("fold")["epoch"].apply(list).to_dict() == {0: [0, 1], 1: [0, 1], 2: [0, 1]}
    assert sorted((folds.folder / "checkpoints").glob("*"))[-1].name == f"step-{int(np.median(epochs)) * 6:09d}.safetensors"
    assert (folds.predict(cells)["predicted"] == cells.obs["cell_type"]).mean() > 0.6


def test_saved_baselines_have_seen_what_the_final_model_has(folds, cells):
    values = align_samples(folds.model, read_source(cells, "auto").samples, None, Show(quiet=True)).dataset.prepared
    codes = np.searchsorted(folds.metrics["classes"], cells.obs["cell_type"].astype(str))
    words = pd.read_parquet(folds.folder / "split.parquet")["fold_0"].to_numpy()
    train, val = np.flatnonzero(words != "val"), np.flatnonzero(words == "val")
    saved = read_baselines(folds.folder, folds.config)
    assert saved["majority"]["answer"].tolist() == (np.bincount(codes) / 90).tolist()
    assert len(saved["nearest_neighbors"]["labels"]) == 90
    problem = BaselineProblem(values[train], values[val], codes[train], codes[val], 3, folds.config.training.seed, refit=True)
    for baseline in folds.config.evaluation.baselines:
        expected, found = baseline.fit(problem), saved[kind_of(baseline)]
        assert set(found) == set(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)
    assert list((folds.folder / "folds").rglob("*/baselines")) == []


def test_embeddings_are_of_all_samples(folds, cells):
    table = pd.read_parquet(folds.folder / "embeddings.parquet")
    assert table["sample_id"].tolist() == list(cells.obs_names)


@pytest.fixture(scope="module")
def varied(cells_file, tiny, tmp_path_factory):
    """Folds that each choose 15 of 40 genes on their own train split."""
    return tiny(cells_file, tmp_path_factory.mktemp("folds") / "varied", FOLDS | {"tokenizer.hvgs": 15})


def test_each_sample_is_explained_by_the_model_that_never_saw_it(varied, cells):
    split = pd.read_parquet(varied.folder / "split.parquet")
    given: dict[tuple[str, str], list[float]] = {}
    for index in range(3):
        model = read_model(varied.folder / "folds" / str(index))
        tested = np.flatnonzero(split[f"fold_{index}"] == "test")
        dataset = align_samples(model, read_source(cells[tested].copy(), "auto").samples, None, Show(quiet=True)).dataset
        subject = Subject(model.network, dataset, model.config.objective, model.target)
        codes = np.array([model.target.classes.index(name) for name in cells.obs["cell_type"].iloc[tested]])
        scores = GradientTimesInput().attribute(subject, np.arange(len(tested)), codes).scores.toarray()
        for row, name in zip(scores, cells.obs["cell_type"].iloc[tested], strict=True):
            for feature, score in zip(model.state.feature_ids, row, strict=True):
                given.setdefault((name, feature), []).append(score)
    found = explain(varied, method="gradient", top=0)
    assert {(row["class"], row["feature_id"]) for _, row in found.iterrows()} == set(given)
    expected = [np.mean(given[row["class"], row["feature_id"]]) for _, row in found.iterrows()]
    np.testing.assert_allclose(found["importance"], expected, atol=1e-5)
    assert {len(scores) for scores in given.values()} == {10, 20, 30}  # some genes are known to one or two of the three models only


def test_controls_of_folds(varied, cells, tmp_path):
    explain(varied, method="gradient", top=0, output=tmp_path / "genes.tsv")
    controls = read_json(tmp_path / "genes-explanations" / "controls.json")
    assert -1 <= controls["fold_agreement"] <= 1
    assert np.isfinite(controls["randomized_weights_correlation"])
    assert "Each sample is explained by the model of the fold that tested it, which never saw it (3 models)." in controls["notes"]
    genes = pd.concat([pd.read_parquet(varied.folder / "folds" / str(index) / "vocabulary.parquet") for index in range(3)])
    counts = genes["feature_id"].value_counts()
    note = f"{(counts < 3).sum()} of {len(counts)} genes are in the vocabularies of some folds only; "
    assert any(line.startswith(note) for line in controls["notes"])
    assert "The deletion curve and the randomized weights rest on 30 of them." in controls["notes"]


def test_few_groups_are_cross_validated_without_being_asked(cells, tiny, said, tmp_path):
    settings = {"split.kind": "auto", "training.limit_batches": 1, "training.epochs": 0, "training.patience": 1}
    run = tiny(cells, tmp_path / "run", settings, show=said)
    assert (run.metrics["split"]["kind"], run.metrics["split"]["folds"]) == ("auto", 5)
    assert any(line.startswith("  'donor_id' is taken for the column of groups") for line in said.lines)
    assert any(line.startswith("Fold 5 of 5: done, best epoch ") for line in said.lines)
    assert read_yaml(run.folder / "config.yaml")["training"]["epochs"] == 0


@pytest.fixture(scope="module")
def uninterrupted(cells_file, tiny, tmp_path_factory):
    return tiny(cells_file, tmp_path_factory.mktemp("folds") / "whole", FOLDS)


def test_a_run_that_stopped_in_the_middle_of_a_fold_goes_on_as_if_nothing_had_been(
    cells_file, tiny, resume, uninterrupted, tmp_path, monkeypatch
):
    steps, plain = [], TrainingModule.training_step

    def training_step(module, batch, batch_index):
        steps.append(batch_index)
        if len(steps) == 14:
            raise Interrupted
        return plain(module, batch, batch_index)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "training_step", training_step)
        with pytest.raises(Interrupted):
            tiny(cells_file, tmp_path / "run", FOLDS | {"training.checkpoint_every": 2})
    assert (tmp_path / "run" / "folds" / "0" / "fit.json").is_file()
    assert not (tmp_path / "run" / "folds" / "1" / "fit.json").exists()
    assert list((tmp_path / "run" / "folds" / "1" / "checkpoints").iterdir()) != []
    trained = count_fits(monkeypatch)
    run = resume(tmp_path / "run")
    assert [folder.name for folder in trained] == ["1", "2", "run"]
    for name in ("", "folds/0", "folds/1", "folds/2"):
        one, other = (made.folder / name / "model.safetensors" for made in (run, uninterrupted))
        assert one.read_bytes() == other.read_bytes(), name
    assert without_speed(run) == without_speed(uninterrupted)
    one, other = (pd.read_parquet(made.folder / "predictions.parquet") for made in (run, uninterrupted))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    one, other = (pd.read_csv(made.folder / "history.csv", dtype=str).drop(columns=list(MEASURED)) for made in (run, uninterrupted))
    pd.testing.assert_frame_equal(one, other)


def test_finished_folds_are_read_and_not_trained_again(uninterrupted, resume, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(uninterrupted.folder, folder)
    state = (folder / "state.json").read_text(encoding="utf-8").replace('"finished"', '"running"')
    (folder / "state.json").write_text(state, encoding="utf-8")
    shutil.rmtree(folder / "folds" / "2")
    trained = count_fits(monkeypatch)
    run = resume(folder)
    assert [path.name for path in trained] == ["2", "run"]
    assert without_speed(run) == without_speed(uninterrupted)
    assert (folder / "model.safetensors").read_bytes() == (uninterrupted.folder / "model.safetensors").read_bytes()


def test_a_finished_run_is_not_touched(uninterrupted, said, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in uninterrupted.folder.rglob("*")}
    trained = count_fits(monkeypatch)
    found = train(resume=uninterrupted.folder, show=said)
    assert trained == []
    assert said.lines == [f"The run in {uninterrupted.folder} is finished already."]
    assert found.metrics == uninterrupted.metrics
    assert {path: path.stat().st_mtime_ns for path in uninterrupted.folder.rglob("*")} == before
