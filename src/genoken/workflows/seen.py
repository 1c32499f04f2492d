"""Which samples a run's model was trained on, known again by their values; and what part samples had in pretraining."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.contracts import TokenizerState
from genoken.core.files import read_json
from genoken.core.samples import Samples
from genoken.core.tables import write_parquet
from genoken.data.row_hashes import row_hashes, sample_hashes
from genoken.tokenizers._gathering import gather_columns
from genoken.tokenizers._variants import oriented
from genoken.workflows.encoder import locate
from genoken.workflows.files import FILE_COLUMN
from genoken.workflows.join import ids_in_files
from genoken.workflows.pretrained import PretrainedModel
from genoken.workflows.source import COHORT_COLUMN, SPLIT_COLUMN
from genoken.workflows.store import FittedModel, check_hash, require_files

TRAINED_ON = "trained_on.parquet"
"""File of a run folder with one hash per sample that the final model was trained on."""
FEWEST_VALUES = 10
"""Samples with fewer values above zero are not recognized: different ones too easily look the same."""


KNOWN_SAMPLES = "known_samples.parquet"
"""File of a pretraining run: ids, hash and part of each sample that it, or one that it goes on from, knows."""
_PARTS = ("train", "val", "test")
"""The first one counts where a sample had several."""
_LEAST_SHARE_OF_IDS = 0.5
"""Share of the samples, of the fewer ones, whose ids must agree to be believed: the bar codes of unrelated cells agree often."""


def hashes_of(
    samples: Samples, columns: np.ndarray | None = None, state: TokenizerState | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes (samples,) of values as they were read, and which samples can be recognized by them.

    Genotypes count the alleles of the vocabulary, so that a person is known again in a file that counts the others.

    Parameters
    ----------
    samples
        Samples, whose values may be on disk.
    columns
        The columns that count, in their order, -1 for one that is missing; ``None`` for all as they are.
    state
        The vocabulary whose columns these are; genotypes need it.
    """
    found = []
    for block in samples.blocks():
        if columns is None:
            found.append((sample_hashes(block), _num_values(block.values) >= FEWEST_VALUES))
            continue
        values = gather_columns(block.values, columns) if block.value_kind != "dosage" else _oriented(block, columns, state)
        found.append((row_hashes(values), _num_values(values) >= FEWEST_VALUES))
    hashes, can_be_known = zip(*found, strict=True)
    return np.concatenate(hashes), np.concatenate(can_be_known)


def _oriented(samples: Samples, columns: np.ndarray, state: TokenizerState | None) -> sp.csr_matrix:
    """Return genotypes that count the vocabulary's alleles; where the phase is known, copies on the second strand are -1."""
    assert state is not None  # noqa: S101
    return oriented(samples, columns, state.facts, phased=samples.first_strand is not None)


def _num_values(values: sp.csr_matrix) -> np.ndarray:
    """Return how many values other than 0, and not missing, each sample has, int64 (samples,)."""
    known = np.concatenate([[0], np.cumsum(~np.isnan(values.data))])
    return np.diff(known[values.indptr])


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
    columns = locate(model.state, samples, model.symbols).columns
    found, can_be_known = hashes_of(samples.take(learned), columns, model.state)
    hashes = found[can_be_known]
    path = folder / TRAINED_ON
    write_parquet(path, pd.DataFrame({"hash": np.sort(hashes)}))
    return path


def count_trained_on(folder: Path, samples: Samples, columns: np.ndarray, state: TokenizerState) -> int | None:
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
    state
        That vocabulary.

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
    hashes, can_be_known = hashes_of(samples, columns, state)
    return int(np.isin(hashes[can_be_known], known).sum())


def write_known_samples(folder: Path, samples: Samples, model: PretrainedModel, words: np.ndarray, *, earlier: Path | None) -> Path:
    """Write ``known_samples.parquet`` of a pretraining run and return its path.

    Parameters
    ----------
    folder
        The run folder.
    samples
        All samples of the run.
    model
        The network with its vocabulary.
    words
        ``train``, ``val`` or ``test``, of shape (samples,).
    earlier
        Folder of the run that this one goes on from, whose samples the network knows too; ``None`` for none.
    """
    found = locate(model.state, samples, model.symbols)
    hashes, can_be_known = hashes_of(samples, found.columns, model.state)
    table = pd.DataFrame(
        {
            "sample_id": samples.table.index.astype(str),
            "id_in_file": _ids_in_files(samples),
            "hash": pd.array(np.where(can_be_known, hashes, 0), dtype="UInt64"),
            "part": np.asarray(words, dtype=str),
        }
    )
    table.loc[~can_be_known, "hash"] = pd.NA
    if earlier is not None:
        require_files(earlier, (KNOWN_SAMPLES,))
        table = pd.concat([pd.read_parquet(earlier / KNOWN_SAMPLES), table], ignore_index=True)
    path = folder / KNOWN_SAMPLES
    write_parquet(path, table)
    return path


def parts_in_pretraining(
    folder: Path, samples: Samples, columns: np.ndarray | None = None, state: TokenizerState | None = None
) -> np.ndarray:
    """Return the part that each sample had in a pretraining run: ``train``, ``val``, ``test``, or empty where it is new.

    Samples are known by their values as they were read. Where no values agree, as with logarithms in place of counts, they are
    known by their ids, if at least half of them agree; so are samples with fewer than 10 values above zero. An id counts as the run
    knows it and also as it stands in its file: where several files share one, the sample may be any of those.

    Parameters
    ----------
    folder
        The pretraining run.
    samples
        Samples of any file.
    columns
        Column of each feature of the network's vocabulary in them, -1 where it is missing; ``None``: their features are these.
    state
        That vocabulary; genotypes need it with their columns.

    Returns
    -------
    numpy.ndarray
        Words of shape (samples,).
    """
    known = pd.read_parquet(folder / KNOWN_SAMPLES)
    known = known.assign(place=pd.Categorical(known["part"], categories=_PARTS, ordered=True)).sort_values("place", kind="stable")
    hashes, can_be_known = hashes_of(samples, columns, state)
    by_value = _looked_up(pd.Series(hashes).astype("UInt64"), known.dropna(subset="hash"), "hash")
    by_value[~can_be_known] = ""
    ids = pd.Series(_ids_in_files(samples))
    by_id = _looked_up(pd.Series(samples.table.index.astype(str)), known, "sample_id")
    by_id = np.where(by_id != "", by_id, _looked_up(ids, known, "id_in_file"))
    if (by_value != "").any():
        return np.where(can_be_known, by_value, by_id)
    fewer = min(ids.nunique(), known["id_in_file"].nunique())
    is_believed = ids[by_id != ""].nunique() >= max(_LEAST_SHARE_OF_IDS * fewer, 1)
    return by_id if is_believed else np.full(samples.num_samples, "", dtype="<U5")


def _ids_in_files(samples: Samples) -> pd.Index:
    return ids_in_files(samples.table, (FILE_COLUMN, COHORT_COLUMN, SPLIT_COLUMN))


def _looked_up(keys: pd.Series, known: pd.DataFrame, column: str) -> np.ndarray:
    """Return the part of the first known sample with each key, or an empty word."""
    parts = known.drop_duplicates(column).set_index(column)["part"]
    return keys.map(parts).fillna("").to_numpy().astype("<U5")
