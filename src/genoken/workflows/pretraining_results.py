"""What a pretraining run writes besides its network: the split, scores beside trivial floors, states, history, manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genoken.core.samples import Samples
from genoken.data.dataset import TokenDataset

_SAMPLES_PER_PASS = 64
_MOST_STATES = 20_000
"""Samples whose states are exported, the first ones of the part that is reported on."""


def write_split(folder: Path, samples: Samples, words: np.ndarray, group: str) -> None:
    """Write ``split.parquet``: one row per sample with the part that it belongs to."""
    table = pd.DataFrame({"sample_id": samples.table.index.astype(str)})
    if group:
        table["group"] = samples.table[group].astype(str).to_numpy()
    table["fold_0"] = words
    _write_parquet(folder / "split.parquet", table)


def epoch_note(row: Mapping[str, Any]) -> str:
    """Return an epoch's losses in a few words."""
    return f"held-out loss {row['val_loss']:.3f}, same masks on train {row['train_part_loss']:.3f}"


def share_truncated(dataset: TokenDataset) -> float:
    """Return the share of the features' tokens that ``max_tokens`` cuts off, over the first samples."""
    rows = np.arange(min(len(dataset), 1024))
    tokens = dataset.tokenizer.encode(dataset.prepared, rows, dataset.state)
    return tokens.num_truncated / max(tokens.num_truncated + tokens.num_tokens, 1)
