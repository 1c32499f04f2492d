"""Killed again and again, a run goes on to the weights that it would have had."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

TRAIN_ALONE = Path(__file__).parent / "train_in_a_process.py"
KILLS = 10
MOST_STARTS = 60

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Child:
    """A training process that says when it begins to work."""

    def __init__(self, command: list[str]) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)

    def wait_until_it_works(self) -> None:
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            if line.strip() == "begin":
                return
            said.append(line)
        pytest.fail("the process never began:\n" + "".join(said))

    def kill_after(self, seconds: float) -> bool:
        """Kill it; return whether it was still at work."""
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()  # SIGKILL: no handler, no cleaning up
            self.process.communicate()
            return True
        self.succeed()
        return False

    def succeed(self) -> float:
        """Wait for its end, which must be a good one; return the seconds that took."""
        began = time.perf_counter()
        said, _ = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, said
        return time.perf_counter() - began


def kill_and_resume(command_for, read_weights, folder: Path, num_kills: int = KILLS) -> None:
    """Train without interruption; then kill a run at random moments, resume it each time, and compare the final weights."""
    child = Child(command_for(folder / "whole"))
    child.wait_until_it_works()
    duration = child.succeed()
    expected = read_weights(folder / "whole")
    draws = random.Random(0)
    kills, run = 0, 0
    for _ in range(MOST_STARTS):
        child = Child(command_for(folder / f"killed-{run}"))
        child.wait_until_it_works()
        # Over a quarter of the duration, so that several kills hit one run at whatever it is doing by then.
        if kills < num_kills and child.kill_after(draws.uniform(0, duration / 4)):
            kills += 1
            continue
        if child.process.returncode is None:
            child.succeed()
        assert read_weights(folder / f"killed-{run}") == expected
        run += 1
        if kills == num_kills:
            return
    pytest.fail(f"{kills} kills in {MOST_STARTS} starts")


def test_training_killed_at_ten_random_moments_has_the_same_weights(tmp_path):
    settings = {"epochs": 40, "dropout": 0.2, "average_decay": 0.95, "token_dropout": 0.3, "checkpoint_every": 1, "accumulate": 2}

    def command_for(folder):
        folder.mkdir(exist_ok=True)
        return [sys.executable, str(TRAIN_ALONE), str(folder), json.dumps(settings)]

    kill_and_resume(command_for, lambda folder: (folder / "weights.safetensors").read_bytes(), tmp_path)


TRAIN_A_RUN = """
import shutil, sys
from pathlib import Path
import torch
import genoken
torch.set_num_threads(1)
data, folder = Path(sys.argv[1]), Path(sys.argv[2])
print("begin", flush=True)
if (folder / "state.json").exists():
    genoken.train(resume=folder)
else:
    shutil.rmtree(folder, ignore_errors=True)  # killed before anything was worth resuming
    genoken.train(data, label="cell_type", group="donor_id", output=folder, settings={
        "split.kind": "group", "tokenizer.hvgs": 0, "model.width": 16, "model.encoder.layers": 1, "model.encoder.heads": 2,
        "model.encoder.feed_forward": 16, "training.epochs": 12, "training.batch_size": 8, "training.checkpoint_every": 2,
        "training.logger": "none", "evaluation.baselines": ["majority"], "evaluation.bootstrap": 20})
"""


def test_a_whole_run_killed_at_four_random_moments_has_the_same_weights(tmp_path):
    from genoken.synthetic import planted_markers

    data = tmp_path / "cells.h5ad"
    planted_markers(samples=90, features=40, groups=9, seed=3).write_h5ad(data)

    def command_for(folder):
        return [sys.executable, "-c", TRAIN_A_RUN, str(data), str(folder)]

    def read(folder):
        assert json.loads((folder / "state.json").read_text())["status"] == "finished"
        return (folder / "model.safetensors").read_bytes(), (folder / "predictions.parquet").read_bytes()

    kill_and_resume(command_for, read, tmp_path, num_kills=4)


PRETRAIN_A_RUN = """
import shutil, sys
from pathlib import Path
import torch
import genoken
torch.set_num_threads(1)
data, folder = Path(sys.argv[1]), Path(sys.argv[2])
print("begin", flush=True)
if (folder / "state.json").exists():
    genoken.pretrain(resume=folder)
else:
    shutil.rmtree(folder, ignore_errors=True)  # killed before anything was worth resuming
    genoken.pretrain(data, phenotypes=["cell_type"], group="donor_id", output=folder, settings={
        "tokenizer.kind": "binned", "model.width": 16, "model.encoder.layers": 1, "model.encoder.heads": 2,
        "model.encoder.feed_forward": 16, "training.epochs": 12, "training.batch_size": 8, "training.checkpoint_every": 2,
        "training.logger": "none", "training.patience": 0})
"""


def test_a_pretraining_run_killed_at_four_random_moments_has_the_same_weights_and_history(tmp_path):
    import pandas as pd

    from genoken.synthetic import planted_markers

    data = tmp_path / "cells.h5ad"
    planted_markers(samples=90, features=40, groups=9, seed=3).write_h5ad(data)

    def command_for(folder):
        return [sys.executable, "-c", PRETRAIN_A_RUN, str(data), str(folder)]

    def read(folder):
        assert json.loads((folder / "state.json").read_text())["status"] == "finished"
        history = pd.read_csv(folder / "history.csv", dtype=str)
        timed = ("second", "wait", "memory")  # what depends on the machine and on where the run was interrupted
        losses = history[[name for name in history if not any(word in name for word in timed)]]
        return (folder / "model.safetensors").read_bytes(), losses.to_csv()

    kill_and_resume(command_for, read, tmp_path, num_kills=4)
