"""Two runs on the same test samples."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from genoken.core.errors import DataError, GenokenError, RunError
from genoken.synthetic import planted_markers
from genoken.workflows.compare import compare
from genoken.workflows.evaluate import evaluate


def test_the_difference_is_that_of_the_two_runs(run, lean, said):
    other = lean
    found = compare(run, other.folder, draws=40, show=said)
    assert list(found["runs"]) == ["whole", "lean"]
    assert found["runs"]["whole"]["macro_f1"] == pytest.approx(run.metrics["test"]["model"]["macro_f1"])
    assert found["difference"]["value"] == 0
    assert (found["samples"], found["groups"]) == (run.metrics["test"]["samples"], 1)
    assert found["verdict"] in said.lines


@pytest.fixture(scope="module")
def untrained(cells_file, tiny, tmp_path_factory):
    """Three folds, hardly trained at all."""
    settings = {
        "split.kind": "folds",
        "split.folds": 3,
        "training.limit_batches": 1,
        "training.epochs": 1,
        "model.linear_path": False,
    }
    return tiny(cells_file, tmp_path_factory.mktemp("compare") / "untrained", settings | {"training.learning_rate": 1e-6})


def test_a_trained_run_beats_an_untrained_one_with_a_paired_interval(folds, untrained):
    found = compare(folds, untrained, draws=60)
    values = [run.metrics["test"]["model"]["macro_f1"] for run in (folds, untrained)]
    assert found["difference"]["value"] == pytest.approx(values[0] - values[1])
    low, high = found["difference"]["interval"]
    assert 0 < low <= found["difference"]["value"] <= high
    assert (found["difference"]["unit"], found["difference"]["draws"], found["groups"]) == ("groups", 60, 9)
    assert found["verdict"].startswith("'folds' beats 'untrained': ")
    mirrored = compare(untrained, folds, draws=60)
    assert mirrored["difference"]["value"] == pytest.approx(-found["difference"]["value"])


def test_numbers_are_compared_by_r2(regression, tmp_path):
    shutil.copytree(regression.folder, tmp_path / "copy")
    found = compare(regression, tmp_path / "copy")
    assert (found["task"], found["difference"]["metric"], found["difference"]["value"]) == ("regression", "r2", 0)


def test_runs_of_one_name_are_told_apart_by_their_folders(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "whole")
    assert list(compare(run, tmp_path / "whole", draws=20)["runs"]) == [str(run.folder), str(tmp_path / "whole")]


def test_threshold_and_seed_are_those_of_the_runs(binary, folds, cells_file, tiny, tmp_path):
    assert binary.config.evaluation.threshold == 0.2
    usual = tiny(cells_file, tmp_path / "usual", positive="type_1")
    found = compare(binary, usual)["runs"]
    for run, name in ((binary, "binary"), (usual, "usual")):
        for metric in ("accuracy", "macro_f1", "predicted_positive_rate"):
            assert found[name][metric] == pytest.approx(run.metrics["test"]["model"][metric]), (name, metric)
    assert found["binary"]["predicted_positive_rate"] != found["usual"]["predicted_positive_rate"]
    shutil.copytree(folds.folder, tmp_path / "copy")
    path = tmp_path / "copy" / "config.yaml"
    text = path.read_text(encoding="utf-8")
    assert "seed: 0" in text
    path.write_text(text.replace("seed: 0", "seed: 11"), encoding="utf-8")
    own = folds.metrics["test"]["model"]["macro_f1_interval"]
    assert compare(folds, tmp_path / "copy", draws=50)["runs"]["folds"]["macro_f1_interval"] == pytest.approx(own, abs=1e-9)
    assert compare(tmp_path / "copy", folds, draws=50)["runs"]["folds"]["macro_f1_interval"] != pytest.approx(own, abs=1e-9)


def test_two_runs_that_were_evaluated_on_one_file_are_compared(run, folds, tmp_path):
    others = planted_markers(samples=60, features=40, groups=6, seed=3, group_effect=0.4)
    scores = [evaluate(made, others, output=tmp_path / made.folder.name)["test"]["model"] for made in (run, folds)]
    found = compare(tmp_path / "whole", tmp_path / "folds", draws=20)
    assert (found["samples"], found["groups"]) == (60, 6)
    assert [found["runs"][name]["macro_f1"] for name in ("whole", "folds")] == pytest.approx([each["macro_f1"] for each in scores])


def test_equal_sample_ids_in_unrelated_data_are_refused(lean, cells, cells_file, tiny, tmp_path):
    """Cells of another experiment are often numbered alike; only the hashes of the files tell."""
    others = cells.copy()
    others.X = others.X[::-1].copy()
    others.write_h5ad(tmp_path / "others.h5ad")
    foreign = tiny(tmp_path / "others.h5ad", tmp_path / "foreign")
    with pytest.raises(
        DataError, match=r"^lean and foreign: the runs share no data \(cells\.h5ad; others\.h5ad\), so equal sample ids"
    ):
        compare(lean, foreign)
    for made, name in ((lean, "a"), (foreign, "b")):
        evaluate(made, cells_file, output=tmp_path / name)
    assert compare(tmp_path / "a", tmp_path / "b", draws=20)["samples"] == 90
    evaluate(lean, tmp_path / "others.h5ad", output=tmp_path / "c")
    with pytest.raises(DataError, match=r"^b and c: the runs share no data"):
        compare(tmp_path / "b", tmp_path / "c")
    evaluate(lean, others, output=tmp_path / "d")
    # The hash of an object in memory is not that of its file, and folders of older versions hold none.
    assert compare(tmp_path / "d", tmp_path / "c", draws=20)["difference"]["value"] == 0
    (tmp_path / "b" / "manifest.json").unlink()
    assert compare(tmp_path / "b", tmp_path / "a", draws=20)["samples"] == 90


def test_other_samples_other_classes_and_the_same_run_are_refused(run, folds, binary, regression):
    samples = run.metrics["test"]["samples"]
    with pytest.raises(
        DataError, match=f"^whole and folds: the runs were tested on different samples: {samples} and 90, of which {samples} are"
    ):
        compare(run, folds)
    with pytest.raises(DataError, match=r"whole and binary: .*(different classes|different labels)"):
        compare(run, binary)
    with pytest.raises(GenokenError, match="both runs have the same name"):
        compare(run, run)


def test_folders_without_predictions_are_refused(run, tmp_path):
    with pytest.raises(RunError, match="there are no predictions here — name the folder of a finished run"):
        compare(run, tmp_path)
    (tmp_path / "predictions.parquet").write_text("not Parquet", encoding="utf-8")
    with pytest.raises(RunError, match=r"predictions\.parquet: the file is not valid Parquet"):
        compare(run, tmp_path)
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "predictions.parquet")
    with pytest.raises(RunError, match=r"there is no config\.yaml here, so the run's threshold is not known — restore it, or"):
        compare(run, tmp_path)
    shutil.copy(run.folder / "config.yaml", tmp_path)
    with pytest.raises(DataError, match="the predictions have no column 'sample_id'"):
        compare(run, tmp_path)
