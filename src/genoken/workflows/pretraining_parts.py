"""What a pretraining run reads, and which part each sample belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genoken.core.config import PretrainConfig
from genoken.core.errors import ConfigError, DataError
from genoken.core.random import generator
from genoken.core.samples import Samples
from genoken.data.check import require_column
from genoken.data.holdout import hold_out
from genoken.data.row_hashes import first_copies
from genoken.workflows.files import FILE_COLUMN, distinct_names
from genoken.workflows.inputs import Source, read_source, read_sources, without_empty
from genoken.workflows.seen import FEWEST_VALUES

if TYPE_CHECKING:
    from anndata import AnnData


def read_and_divide(
    data: str | Path | AnnData | Sequence[str | Path] | None, paths: Mapping[str, Sequence[Path]], config: PretrainConfig
) -> tuple[Source, np.ndarray]:
    """Read everything, and say which part each sample belongs to.

    Parameters
    ----------
    data
        An AnnData object, which counts where no files are named.
    paths
        Files to pretrain on under ``data``, and files to report on under ``eval``.
    config
        The configuration of the run.

    Returns
    -------
    Source
        The samples that are used; of files to report on they come last.
    numpy.ndarray
        ``train``, ``val`` or ``test``, of shape (samples,).

    Raises
    ------
    DataError
        When a file cannot be used, or a part would stay empty.
    """
    settings, seed = config.data, config.training.seed
    if not paths["data"]:
        if paths["eval"]:
            raise ConfigError(
                "an object in memory cannot be reported on by files", remedy="write it to a file, or hold samples out"
            )
        source = read_source(data, settings.source, strict=settings.strict)
    else:
        source = read_sources([*paths["data"], *paths["eval"]], settings, shared=settings.shared)
    samples = without_empty(source.samples, strict=settings.strict)
    samples = _limited(samples, of_eval_files(samples, paths), settings.limit_samples, seed)
    for column in (settings.group, settings.floor_by):
        if column:
            require_column(samples.table, column, samples.origin)
    samples = _without_those_reported_on(samples, of_eval_files(samples, paths))
    own = np.flatnonzero(~of_eval_files(samples, paths))
    copies = first_copies(samples.values[own], fewest_values=FEWEST_VALUES)
    groups = samples.table[settings.group].astype(str).to_numpy()[own] if settings.group else None
    words = np.full(samples.num_samples, "test", dtype=object)
    test = 0.0 if paths["eval"] else settings.test
    words[own] = hold_out(len(own), groups, test=test, val=settings.val, seed=seed, where=samples.origin, copies=copies)
    samples = replace(samples, notes=(*samples.notes, *_copy_notes(copies, groups)))
    return replace(source, samples=samples), words


def _copy_notes(copies: np.ndarray, groups: np.ndarray | None) -> tuple[str, ...]:
    """Return how many samples are copies of others, and whether they join groups."""
    count = int((copies != np.arange(len(copies))).sum())
    if not count:
        return ()
    note = f"{count:,} samples have the values of an earlier one; samples with equal values are held out together"
    across = 0 if groups is None else int((groups != groups[copies]).sum())
    if across:
        note += f", and so are groups that share some, each as a whole ({across:,} samples have the values of one in another group)"
    return (note,)


def _without_those_reported_on(samples: Samples, of_eval: np.ndarray) -> Samples:
    """Leave out samples to pretrain on that are in the files to report on too, with a note."""
    if not of_eval.any():
        return samples
    copies = first_copies(samples.values, fewest_values=FEWEST_VALUES)
    is_reported_on = ~of_eval & np.isin(copies, copies[of_eval])
    count = int(is_reported_on.sum())
    if not count:
        return samples
    if count == int((~of_eval).sum()):
        raise DataError(
            "all samples to pretrain on are in the files to report on too",
            where=samples.origin,
            remedy="name other files with --eval",
        )
    note = f"{count:,} samples to pretrain on have the values of one in the files to report on, and are left out"
    return replace(samples.take(~is_reported_on), notes=(*samples.notes, note))


def of_eval_files(samples: Samples, paths: Mapping[str, Sequence[Path]]) -> np.ndarray:
    """Return which samples come from files to report on, bool (samples,)."""
    if not paths["eval"]:
        return np.zeros(samples.num_samples, dtype=bool)
    names = distinct_names([*paths["data"], *paths["eval"]])[len(paths["data"]) :]
    found = samples.table[FILE_COLUMN].isin(names).to_numpy()
    if not found.any():
        raise DataError("no sample of the files to report on is left", where=samples.origin, remedy="name other files with --eval")
    return found


def _limited(samples: Samples, of_eval: np.ndarray, limit: int, seed: int) -> Samples:
    """Draw at most ``limit`` of the samples to pretrain on, and as many at most of those in files to report on."""
    if not limit:
        return samples
    kept = []
    for key, rows in ((("limit_samples",), np.flatnonzero(~of_eval)), (("limit_samples", "eval"), np.flatnonzero(of_eval))):
        kept.append(generator(seed, *key).choice(rows, limit, replace=False) if limit < len(rows) else rows)
    rows = np.sort(np.concatenate(kept))
    return samples if len(rows) == samples.num_samples else samples.take(rows)
