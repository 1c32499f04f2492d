"""Pretraining with values on disk takes no more memory for many files than for a few."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

CELLS, GENES, PER_CELL = 20_000, 2_000, 500
MB_PER_FILE = CELLS * PER_CELL * 8 / 1e6

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PRETRAIN = """
import json, resource, sys
import torch
import genoken
torch.set_num_threads(1)
genoken.pretrain(sys.argv[2:], output=sys.argv[1], settings={
    "data.store": "disk", "data.fit_samples": 2000, "data.report_tokens": 200_000, "data.test": 0.02, "data.val": 0.002,
    "tokenizer.kind": "binned", "tokenizer.max_tokens": 32, "model.width": 8, "model.encoder.layers": 1, "model.encoder.heads": 1,
    "model.encoder.feed_forward": 8, "training.epochs": 1, "training.limit_batches": 20, "training.logger": "none"})
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Ten files of 20,000 cells, the values of each 80 MB in memory."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    for number in range(10):
        columns = np.sort(rng.integers(0, GENES // PER_CELL, (CELLS, PER_CELL)) + np.arange(PER_CELL) * (GENES // PER_CELL))
        counts = rng.integers(1, 20, CELLS * PER_CELL).astype(np.float32)
        values = sp.csr_matrix((counts, columns.ravel(), np.arange(CELLS + 1) * PER_CELL), shape=(CELLS, GENES))
        obs = pd.DataFrame(index=[f"cell{number}-{row}" for row in range(CELLS)])
        anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=[f"GENE{gene}" for gene in range(GENES)])).write_h5ad(
            folder / f"cells_{number}.h5ad"
        )
    return sorted(folder.iterdir())


def peak_mb(files, folder):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PRETRAIN, str(folder), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_memory_does_not_grow_with_the_number_of_files(files, tmp_path):
    few, many = (peak_mb(files[:count], tmp_path / str(count)) for count in (2, 10))
    assert many - few < 2 * MB_PER_FILE  # tables of samples grow, and the values of the further files alone would take 8 of these
