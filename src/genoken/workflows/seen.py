"""Which samples a run's model was trained on, known again by their values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from genoken.core.files import atomic_path, read_json
from genoken.core.samples import Samples
from genoken.data.row_hashes import row_hashes
from genoken.tokenizers._gathering import gather_columns
from genoken.workflows.encoder import locate
from genoken.workflows.store import FittedModel, check_hash

TRAINED_ON = "trained_on.parquet"
"""File of a run folder with one hash per sample that the final model was trained on."""
FEWEST_VALUES = 10
"""Samples with fewer values above zero are not recognized: different ones too easily look the same."""


def _hashes(samples: Samples, columns: np.ndarray) -> np.ndarray:
    """Return the hashes (samples,) of the values as read, over the vocabulary in its order, of those that can be recognized."""
    values = gather_columns(samples.values, columns)
    return row_hashes(values)[np.diff(values.indptr) >= FEWEST_VALUES]


def write_trained_on(folder: Path, samples: Samples, model: FittedModel, folds: np.ndarray) -> Path:
    """Write ``trained_on.parquet`` and return its path.

    Parameters
    ----------
    folder
        The run folder.
    samples
        All samples of the run.
    model
        The final model, whose vocabulary counts.
    folds
        ``train``, ``val``, ``test`` or ``unused``, of shape (folds, samples). With one fold the final model was trained on its
        train and validation samples, with several on all that are used.
    """
    learned = np.isin(folds[0], ("train", "val")) if len(folds) == 1 else (folds != "unused").any(axis=0)
    hashes = _hashes(samples.take(learned), locate(model.state.feature_ids, samples, model.symbols).columns)
    path = folder / TRAINED_ON
    with atomic_path(path) as temporary:
        pd.DataFrame({"hash": np.sort(hashes)}).to_parquet(temporary)
    return path


def count_trained_on(folder: Path, samples: Samples, columns: np.ndarray) -> int | None:
    """Return how many samples have the values of one that the run's final model was trained on.

    Values are compared as they were read, over the genes of the vocabulary, whatever their order in the file and whatever else the
    file holds. The same sample with other values, such as log values in place of counts, or without a gene that it expresses, is
    another one.

    Parameters
    ----------
    folder
        The run folder.
    samples
        Samples of any file.
    columns
        Column of each feature of the model's vocabulary in them, -1 where it is missing.

    Returns
    -------
    int or None
        ``None`` when the run folder does not say what the model was trained on.

    Raises
    ------
    RunError
        When ``trained_on.parquet`` is not the file that the run wrote.
    """
    path = folder / TRAINED_ON
    if not path.is_file():
        return None
    check_hash(path, read_json(folder / "manifest.json")["files"].get(TRAINED_ON))
    known = pd.read_parquet(path)["hash"].to_numpy()
    return int(np.isin(_hashes(samples, columns), known).sum())
