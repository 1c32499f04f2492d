"""A batch size that is left to the machine: measured, shown, written, and the same in every fold."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.config import read_yaml
from genoken.core.errors import ConfigError
from genoken.core.files import read_json

AUTO = {"training.batch_size": "auto", "training.memory_use": "conservative"}


def test_a_run_finds_its_batch_size_and_says_so(cells_file, tiny, said, tmp_path):
    run = tiny(cells_file, tmp_path / "run", AUTO, show=said)
    choice = read_json(run.folder / "batch_size.json")
    size = choice["size"]
    num_train = (np.asarray(read_split(run)) == "train").sum()
    assert size == 2 ** int(np.log2(num_train // 16))  # a few cells fit by far: an epoch keeps 16 batches
    assert choice["reason"] == "an epoch keeps 16 batches"
    assert [trial["samples"] for trial in choice["trials"]] == [1, 2, 4][: len(choice["trials"])]
    assert choice["fixed"] + choice["per_sample"] * size <= choice["budget"]
    assert choice["estimate"] > 0
    assert read_yaml(run.folder / "config.yaml")["training"]["batch_size"] == size  # so that a resumed run has the same
    assert "Memory of training in GB, by samples per batch" in said.lines
    assert any(line.startswith(f"Batches have {size} samples (an epoch keeps 16 batches)") for line in said.lines)
    assert set(run.predict(cells_file)["predicted"]) <= {"type_0", "type_1", "type_2"}


def read_split(run):
    import pandas as pd

    return pd.read_parquet(run.folder / "split.parquet")["fold_0"]


def test_a_given_size_is_taken_as_it_is(lean):
    assert not (lean.folder / "batch_size.json").exists()
    assert read_json(lean.folder / "fit.json")["batches"] == [16, 1]


def test_a_process_among_others_is_told_to_name_a_number(cells_file, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("genoken.workflows.batch_size.is_one_of_several", lambda: True)
    with pytest.raises(ConfigError, match="which one process alone can find out — name a number"):
        tiny(cells_file, tmp_path / "run", AUTO)


def test_pretraining_is_told_to_name_a_number(cells_file, pretraining, tmp_path):
    with pytest.raises(ConfigError, match=r"'training.batch_size' is auto, which genoken train alone can find out — name a number"):
        pretraining(cells_file, tmp_path / "run", {"training.batch_size": "auto"})
    assert not (tmp_path / "run").exists()


def test_memory_that_runs_out_is_said(cells_file, tiny, said, tmp_path, monkeypatch):
    import torch

    from genoken.training.module import TrainingModule

    own = TrainingModule.training_step

    def step(module, batch, batch_index):
        if batch.num_samples > 4:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return own(module, batch, batch_index)

    monkeypatch.setattr(TrainingModule, "training_step", step)
    run = tiny(cells_file, tmp_path / "run", show=said)
    assert read_json(run.folder / "fit.json")["batches"] == [4, 4]
    assert "warning: memory ran out, so that batches had 4 samples, 4 of them per step: the same 16 samples" in said.lines
