"""Going on with a run that was stopped, from whatever it had reached, and only with what it was begun with."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from genoken.core.errors import DataError, RunError
from genoken.training.module import TrainingModule
from genoken.workflows import fold, results
from genoken.workflows.run import Run, load_run
from genoken.workflows.train import train


class Interrupted(Exception):
    """Stands for a kill: nothing in the code knows it."""


def interrupt(*arguments, **named):
    raise Interrupted


def assert_same(one: Run, other: Run) -> None:
    assert (one.folder / "model.safetensors").read_bytes() == (other.folder / "model.safetensors").read_bytes()
    metrics = [{name: value for name, value in run.metrics.items() if name != "speed"} for run in (one, other)]
    assert metrics[0] == metrics[1]
    saved = [{path.name: path.read_bytes() for path in (run.folder / "baselines").glob("*.safetensors")} for run in (one, other)]
    assert saved[0] == saved[1]
    assert list(saved[0]) == ["majority.safetensors"]
    tables = [pd.read_parquet(run.folder / "predictions.parquet") for run in (one, other)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def stop_at_step(patch, step):
    plain, steps = TrainingModule.training_step, []

    def training_step(module, batch, batch_index):
        steps.append(batch_index)
        if len(steps) == step:
            raise Interrupted
        return plain(module, batch, batch_index)

    patch.setattr(TrainingModule, "training_step", training_step)


PLACES = {
    "in the first epoch": lambda patch: stop_at_step(patch, 3),
    "in the second epoch": lambda patch: stop_at_step(patch, 7),
    "in the baselines": lambda patch: patch.setattr(fold, "fit_baselines", interrupt),
    "while scoring": lambda patch: patch.setattr(results, "write_predictions", interrupt),
    "before the manifest": lambda patch: patch.setattr(results, "manifest", interrupt),
    "in the report": lambda patch: patch.setattr(Run, "report", interrupt),
}


@pytest.mark.parametrize("place", list(PLACES))
def test_a_resumed_run_is_the_uninterrupted_one(place, cells_file, tiny, resume, lean, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        PLACES[place](patch)
        with pytest.raises(Interrupted):
            tiny(cells_file, tmp_path / "run")
    if place != "in the report":
        with pytest.raises(RunError, match=r"not a finished run.*the run is unfinished: genoken train --resume"):
            load_run(tmp_path / "run")
    run = resume(tmp_path / "run")
    assert_same(run, lean)
    assert json.loads((run.folder / "state.json").read_text(encoding="utf-8"))["status"] == "finished"


def test_checkpoints_within_an_epoch_are_gone_on_from(cells_file, tiny, resume, lean, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_at_step(patch, 7)
        with pytest.raises(Interrupted):
            tiny(cells_file, tmp_path / "run", {"training.checkpoint_every": 2})
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names[-1] == "step-000000006.safetensors"
    assert_same(resume(tmp_path / "run"), lean)


@pytest.mark.parametrize("stop", [5, 8])
def test_validations_within_an_epoch_are_gone_on_from(stop, cells_file, tiny, resume, tmp_path, monkeypatch):
    settings = {"training.checkpoint_every": 2, "training.evaluate_every": 2}
    whole = tiny(cells_file, tmp_path / "whole", settings)
    with monkeypatch.context() as patch:
        stop_at_step(patch, stop)
        with pytest.raises(Interrupted):
            tiny(cells_file, tmp_path / "run", settings)
    resumed = resume(tmp_path / "run")
    assert_same(resumed, whole)
    steps = [pd.read_csv(run.folder / "history.csv")["step"].tolist() for run in (resumed, whole)]
    assert steps[0] == steps[1]
    assert steps[0][:3] == [2, 4, 6]


@pytest.fixture
def begun(cells, tiny, tmp_path, monkeypatch):
    """Return a function that begins a run and stops it in the first epoch."""

    def begin(data, **named):
        with monkeypatch.context() as patch:
            stop_at_step(patch, 6)
            with pytest.raises(Interrupted):
                tiny(data, tmp_path / "run", **named)
        return tmp_path / "run"

    return begin


def test_an_object_in_memory_must_be_given_again(begun, cells, resume, lean):
    folder = begun(cells)
    with pytest.raises(RunError, match="made from an object in memory — give the same AnnData object again"):
        train(resume=folder)
    with pytest.raises(RunError, match="the data changed since the run began"):
        train(cells[:80].copy(), resume=folder)
    assert_same(resume(folder, data=cells), lean)


def test_three_objects_in_memory_must_be_given_again(begun, cells, resume):
    parts = {"train": cells[:60].copy(), "test": cells[60:].copy()}
    folder = begun(None, changes={"split.kind": "auto"}, **parts)
    with pytest.raises(RunError, match="made from an object in memory"):
        train(cells, resume=folder)
    assert resume(folder, **parts).metrics["split"]["kind"] == "column"


def test_changed_data_are_refused(begun, cells, tmp_path):
    path = tmp_path / "mine.h5ad"
    cells.write_h5ad(path)
    folder = begun(path)
    cells[:88].copy().write_h5ad(path)
    with pytest.raises(RunError, match=r"mine\.h5ad: the data changed since the run began — train again from the start"):
        train(resume=folder)
    path.unlink()
    with pytest.raises(DataError, match=r"mine\.h5ad: the file does not exist"):
        train(resume=folder)


def test_changed_settings_are_refused(begun, cells_file):
    folder = begun(cells_file)
    path = folder / "config.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("epochs: 2", "epochs: 3"), encoding="utf-8")
    with pytest.raises(RunError, match=r"config\.yaml: the settings changed since the run began"):
        train(resume=folder)
    path.unlink()
    with pytest.raises(RunError, match="stopped before it had written its settings — train again with --overwrite"):
        train(resume=folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"status": "running"}', "not JSON"])
def test_a_broken_state_is_refused(text, lean, tmp_path):
    shutil.copytree(lean.folder, tmp_path / "run")
    (tmp_path / "run" / "state.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=r"state\.json") as caught:
        train(resume=tmp_path / "run")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: folder.mkdir()])
def test_nothing_to_resume(make, tmp_path):
    make(tmp_path / "run")
    with pytest.raises(RunError, match="there is no run to resume here — name the output folder of an interrupted run"):
        train(resume=tmp_path / "run")


def test_a_damaged_checkpoint_is_named(begun, cells_file):
    folder = begun(cells_file)
    newest = sorted((folder / "checkpoints").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    with pytest.raises(RunError, match=r"step-000000005\.safetensors: the checkpoint cannot be read.*delete it"):
        train(resume=folder)
