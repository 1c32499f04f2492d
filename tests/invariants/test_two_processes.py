"""Two processes train what one process trains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

SCRIPT = Path(__file__).parent / "train_in_a_process.py"

pytestmark = pytest.mark.slow


@pytest.fixture
def train(tmp_path):
    """Train in a process of its own; return what it wrote and its weights, if there are any."""

    def run(name: str, **training):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(SCRIPT), str(folder), json.dumps(training)]
        subprocess.run(command, check=True, env=environment, capture_output=True, timeout=280)
        weights = folder / "weights.safetensors"
        return json.loads((folder / "result.json").read_text()), load_file(weights) if weights.exists() else None

    return run


def test_two_processes_train_what_one_trains(train):
    settings = {"epochs": 2, "average_decay": 0.9, "token_dropout": 0.3}
    one, one_weights = train("one", batch_size=8, **settings)
    two, two_weights = train("two", batch_size=4, devices=2, strategy="ddp", **settings)
    assert two["rows"] == two["history"]
    assert [row["step"] for row in two["history"]] == [row["step"] for row in one["history"]] == [6, 12]
    for ours, theirs in zip(two["history"], one["history"], strict=True):
        for name in ("train_loss", "val_loss", "val_accuracy", "learning_rate"):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-5), name
    assert two["best_epoch"] == one["best_epoch"]
    assert list(two_weights) == list(one_weights)
    for name, tensor in one_weights.items():
        difference = (two_weights[name] - tensor).abs()
        if name.endswith("query_key_value.bias"):
            # A bias of the keys shifts all scores of a query alike: its gradient is rounding, which Adam scales up.
            difference[len(tensor) // 3 : 2 * len(tensor) // 3] = 0
        assert difference.max() < 1e-5, name
    again, again_weights = train("two", batch_size=4, devices=2, strategy="ddp", **settings)  # from its last checkpoint
    assert again["history"] == two["history"]
    assert all((again_weights[name] == tensor).all() for name, tensor in two_weights.items())


def test_a_loss_that_is_not_finite_in_one_process_ends_both_with_the_last_good_weights(train):
    _, good_weights = train("good", batch_size=4, devices=2, stop_after=1)
    # Each training step takes three losses in the second process: of the sum and of both summands.
    result, weights = train("spoiled", batch_size=4, devices=2, good_losses=24)
    assert result["failure"].startswith("the loss is not finite in epoch 2, step 9")
    assert [row["epoch"] for row in result["history"]] == [0]
    assert all((weights[name] == tensor).all() for name, tensor in good_weights.items())
    early, nothing = train("early", batch_size=4, devices=2, good_losses=3)
    assert early["error"].startswith("the loss is not finite in epoch 1, step 2 — lower --learning-rate")
    assert nothing is None
