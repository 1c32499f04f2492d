"""Pretrain a tiny network of next cells in a process of its own, or in several: ``next_cell_in_a_process.py FOLDER SETTINGS``.

SETTINGS is JSON, of dotted paths. The run folder is FOLDER/run; every process that gets to the end says so.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from genoken.synthetic import planted_trajectory
from genoken.workflows.pretrain import pretrain

SETTINGS = {
    "model.width": 8, "model.encoder.layers": 1, "model.encoder.heads": 2, "model.encoder.feed_forward": 8, "training.epochs": 2,
    "model.encoder.dropout": 0.0, "training.learning_rate": 0.01, "training.logger": "none", "training.precision": "fp32",
    "data.group": "donor_id",
}  # fmt: skip


def main() -> None:
    """Pretrain once."""
    folder, changes = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(1)
    adata = planted_trajectory(samples=96, features=40, steps=4, donors=6)
    preset = changes.pop("preset")
    pretrain(adata, preset=preset, settings=SETTINGS | changes, output=folder / "run")


if __name__ == "__main__":
    main()
