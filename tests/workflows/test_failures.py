"""What goes wrong while a run is made: a full disk and losses that are not finite end it in one line, with nothing half-written."""

from __future__ import annotations

import errno
import os

import pandas as pd
import pytest
import torch

from genoken.core.errors import RunError, TrainingError
from genoken.training.module import TrainingModule
from genoken.workflows import fold
from genoken.workflows.run import load_run


def fill_disk(patch, *, after):
    """Let the disk be full from the given write on; of a stopped write, a temporary file would remain."""
    plain, calls = os.fsync, []

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) > after:
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(descriptor)

    patch.setattr(os, "fsync", fsync)
    return calls


@pytest.fixture(scope="module")
def num_syncs(cells_file, tiny, tmp_path_factory):
    """How often a run syncs files and folders: twice for each file."""
    with pytest.MonkeyPatch.context() as patch:
        calls = fill_disk(patch, after=10**9)
        tiny(cells_file, tmp_path_factory.mktemp("full") / "counted")
    return len(calls)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.3, 0.6, 0.9, 0.999])
def test_a_full_disk_is_said_in_one_line_and_the_run_can_go_on(
    share, cells_file, tiny, resume, lean, num_syncs, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        calls = fill_disk(patch, after=int(share * num_syncs))
        with pytest.raises(RunError) as caught:
            tiny(cells_file, folder)
    assert "No space left on device" in str(caught.value)
    assert "free disk space" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(calls) > share * num_syncs
    if not folder.exists():
        assert share < 0.2
        run = tiny(cells_file, folder)
    else:
        assert [path for path in folder.rglob("*") if path.name.startswith(".")] == []
        run = resume(folder)
    assert (run.folder / "model.safetensors").read_bytes() == (lean.folder / "model.safetensors").read_bytes()
    assert run.metrics["test"] == lean.metrics["test"]


def test_a_disk_that_fills_up_under_the_weights(cells_file, tiny, resume, tmp_path, monkeypatch):
    from safetensors import SafetensorError

    def full(*arguments, **named):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        patch.setattr("genoken.workflows.tensors.save_file", full)
        with pytest.raises(RunError, match=r"\.safetensors: cannot write the weights .*No space left.* — free disk space"):
            tiny(cells_file, tmp_path / "run")
    assert list((tmp_path / "run").rglob(".*")) == []
    assert resume(tmp_path / "run").predict(cells_file).notna().all().all()


@pytest.mark.parametrize(
    ("step", "advice"), [("fit", "train again"), ("predict_model", "go on with: genoken train --resume {folder}")]
)
def test_a_disk_that_fills_up_under_a_library(step, advice, cells_file, tiny, tmp_path, monkeypatch):
    def full(*arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fold, step, full)
    with pytest.raises(RunError) as caught:
        tiny(cells_file, tmp_path / "run")
    remedy = f"free disk space, then {advice.format(folder=tmp_path / 'run')}"
    assert str(caught.value) == f"{tmp_path / 'run'}: cannot write into the folder (No space left on device) — {remedy}"
    assert (tmp_path / "run").exists() == (step == "predict_model")


# --- losses ---


def spoil_step(patch, step):
    """Let the loss of the given step, counted over everything that is trained, be NaN."""
    plain, steps = TrainingModule.training_step, []

    def training_step(module, batch, batch_index):
        steps.append(batch_index)
        if len(steps) == step:
            with torch.no_grad():
                next(module.network.parameters()).fill_(float("nan"))
        return plain(module, batch, batch_index)

    patch.setattr(TrainingModule, "training_step", training_step)


def test_a_loss_that_is_not_finite_keeps_the_best_weights_so_far(cells_file, cells, tiny, tmp_path, monkeypatch, lean):
    per_epoch = int(pd.read_csv(lean.folder / "history.csv")["step"].iloc[0])
    with monkeypatch.context() as patch:
        spoil_step(patch, per_epoch + 2)
        with pytest.raises(TrainingError) as caught:
            tiny(cells_file, tmp_path / "run")
    line = str(caught.value)
    assert line.startswith(f"{tmp_path / 'run'}: training ended early: the loss is not finite in epoch 2, step {per_epoch + 2}")
    assert "lower --learning-rate" in line
    assert "the best weights so far are kept" in line
    assert "\n" not in line
    run = load_run(tmp_path / "run")
    assert pd.read_csv(run.folder / "history.csv")["epoch"].tolist() == [0]
    assert (run.folder / "report.html").is_file()
    # The first epoch's weights are those of a run whose second epoch was worse: nothing of the NaN is left.
    assert all(torch.isfinite(tensor).all() for tensor in run.model.network.state_dict().values())
    assert run.predict(cells).drop(columns="predicted").notna().all().all()


def test_a_final_model_that_fails_is_not_passed_over(cells_file, tiny, tmp_path, monkeypatch):
    settings = {"split.kind": "folds", "split.folds": 2, "training.patience": 0}
    plain = fold.fit

    def fit(*arguments, **named):
        if not named["stop_after"]:
            return plain(*arguments, **named)
        with monkeypatch.context() as patch:
            spoil_step(patch, 8)
            return plain(*arguments, **named)

    monkeypatch.setattr(fold, "fit", fit)
    with pytest.raises(TrainingError, match="training ended early in the final model: the loss is not finite in epoch 2"):
        tiny(cells_file, tmp_path / "run", settings)
    assert load_run(tmp_path / "run").verdict


def test_a_loss_that_is_not_finite_from_the_start_leaves_nothing(cells_file, tiny, tmp_path, monkeypatch):
    spoil_step(monkeypatch, 1)
    with pytest.raises(TrainingError, match=r"the loss is not finite in epoch 1, step 1 — lower --learning-rate") as caught:
        tiny(cells_file, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
