"""Two processes learn next cells, and their control, as one process does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SCRIPT = Path(__file__).parent / "next_cell_in_a_process.py"
TOLERANCE = 1e-4
"""Relative; sums are taken in another order, which two epochs of Adam carry on."""

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("preset", "tokens"),
    [("next_cell_small", {"tokenizer.max_tokens": 40}), ("next_value_small", {"tokenizer.hvgs": 0})],
    ids=["next_cell", "next_value"],
)
def test_two_processes_learn_what_one_learns(preset, tokens, tmp_path):
    metrics, tables = [], []
    for name, training in (("one", {"training.batch_size": 8}), ("two", {"training.batch_size": 4, "training.devices": 2,
                                                                         "training.strategy": "ddp"})):  # fmt: skip
        folder = tmp_path / name
        folder.mkdir()
        settings = {"preset": preset, "successors.controls": ["reversed"]} | tokens | training
        command = [sys.executable, str(SCRIPT), str(folder), json.dumps(settings)]
        done = subprocess.run(
            command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, timeout=280, check=False, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
        metrics.append(json.loads((folder / "run" / "metrics.json").read_text()))
        tables.append(pd.read_csv(folder / "run" / "history.csv"))
    one, two = tables
    assert one["step"].tolist() == two["step"].tolist()
    for column in ("train_loss", "val_loss", "train_part_loss", "learning_rate"):
        np.testing.assert_allclose(two[column], one[column], rtol=TOLERANCE, err_msg=column)
    ((kind, ours),) = metrics[1]["objectives"].items()
    theirs = metrics[0]["objectives"][kind]
    assert ours["targets"] == theirs["targets"]
    assert ours["model"][ours["metric"]] == pytest.approx(theirs["model"][ours["metric"]], rel=TOLERANCE)
    first, second = (found["next_cell"]["direction"]["reversed"]["value"] for found in metrics)
    assert second == pytest.approx(first, rel=TOLERANCE), "the control is trained alike, too"
