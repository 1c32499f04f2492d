"""Processes that torchrun started train one run together."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

from genoken.core.config import TrainingSettings
from genoken.core.errors import ConfigError
from genoken.training.processes import check_launch, is_first_process
from genoken.workflows.run import load_run
from genoken.workflows.train import train


@pytest.fixture
def second_of_two(monkeypatch):
    """Be the second of two processes that torchrun started."""
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)


def test_the_second_process_does_not_write(second_of_two):
    assert not is_first_process()
    check_launch(TrainingSettings(devices=2))


def test_as_many_processes_as_the_settings_name(second_of_two):
    with pytest.raises(ConfigError, match=r"2 processes were started, but --devices times --nodes is 1 — start one process per"):
        check_launch(TrainingSettings())


def test_a_started_process_replaces_no_run(second_of_two, cells, tmp_path):
    with pytest.raises(ConfigError, match=r"--overwrite: a process that torchrun or SLURM started replaces no run"):
        train(cells, label="cell_type", output=tmp_path / "run", overwrite=True)


def test_several_nodes_need_a_launcher():
    with pytest.raises(ConfigError, match=r"--nodes 2: nobody started the processes of several nodes — start genoken by torchrun"):
        check_launch(TrainingSettings(nodes=2))


@pytest.mark.slow
def test_two_processes_of_torchrun_train_the_run_that_one_process_trains(cells_file, tmp_path):
    settings = {
        "model.width": 8, "model.encoder.layers": 1, "model.encoder.heads": 2, "model.encoder.feed_forward": 8,
        "model.encoder.dropout": 0.0, "model.head_dropout": 0.0, "model.embedding.token_dropout": 0.0, "training.epochs": 2,
        "training.logger": "none", "evaluation.bootstrap": 20, "split.kind": "folds", "split.folds": 2,
    }  # fmt: skip
    flags = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    command = ["-m", "genoken", "train", str(cells_file), "--label", "cell_type", "--group", "donor_id", *flags]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for before, devices, batch, name in (([], 1, 16, "one"), (launch, 2, 8, "two")):
        own = ["--devices", str(devices), "--batch-size", str(batch), "-o", str(tmp_path / name)]
        done = subprocess.run(
            [sys.executable, *before, *command, *own], env=environment, capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout.count("Report: ") == 1
    one, two = load_run(tmp_path / "one"), load_run(tmp_path / "two")
    histories = [pd.read_csv(run.folder / "history.csv") for run in (one, two)]
    assert histories[0]["fold"].tolist() == histories[1]["fold"].tolist()
    np.testing.assert_allclose(histories[1]["val_loss"], histories[0]["val_loss"], rtol=1e-4)
    weights = [load_file(run.folder / "model.safetensors") for run in (one, two)]
    for name, tensor in weights[0].items():
        if not name.endswith("query_key_value.bias"):  # the keys' part of it has no gradient but rounding
            np.testing.assert_allclose(weights[1][name], tensor, rtol=1e-3, atol=1e-4, err_msg=name)
    assert two.metrics["test"]["model"]["macro_f1"] == pytest.approx(one.metrics["test"]["model"]["macro_f1"], abs=0.05)
