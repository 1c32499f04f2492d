"""Every preset of genotypes trains, with fewer epochs and on one device, the network that it describes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genoken.core.config import RunConfig, build, merge, read_yaml
from genoken.workflows.fold import fit_fold

FOLDER = Path(__file__).resolve().parents[2] / "src" / "genoken" / "presets"
SHRUNK = {"epochs": 1, "batch_size": 16, "limit_batches": 2, "compile": False, "devices": 1, "strategy": "auto", "logger": "none"}
PRESETS = [pytest.param(path, id=path.stem) for path in sorted([*FOLDER.glob("snp_*.yaml"), FOLDER / "genotype.yaml"])]


@pytest.mark.parametrize("path", PRESETS)
def test_a_preset_trains(path, people, tmp_path):
    changes = {"training": SHRUNK, "evaluation": {"baselines": ["majority"]}}
    config = build(RunConfig, merge(read_yaml(path), changes), where=path.stem)
    words = np.array(["train"] * 160 + ["val"] * 40 + ["test"] * 40)
    found = fit_fold(config, people, words, tmp_path, on_epoch=None)
    assert found.predictions["model"].shape == (40, 2)
    assert np.isfinite(found.predictions["model"]).all()
    assert found.predictions["model"].std() > 0  # it has learned to tell people apart
    assert np.isfinite(found.history["train_loss"]).all()
    network = found.model.network
    assert (network.linear_path is not None) == (path.stem == "genotype")
    assert (
        getattr(getattr(network.encoder, "stack", None), "gradient_checkpointing", False) == config.training.gradient_checkpointing
    )
