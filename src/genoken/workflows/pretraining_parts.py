"""Which part of a pretraining run each sample belongs to, and which train samples are learned from before training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from genoken.core.config import PretrainConfig
from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.core.samples import Samples
from genoken.data.holdout import draw_within, hold_out
from genoken.data.row_hashes import first_copies
from genoken.data.successors import Successors
from genoken.workflows.files import FILE_COLUMN, distinct_names
from genoken.workflows.inputs import without_empty
from genoken.workflows.seen import hashes_of
from genoken.workflows.source import Source


@dataclass(frozen=True)
class Division:
    """The samples that are used, and which part each belongs to.

    Parameters
    ----------
    source
        The samples; of files to report on they come last.
    words
        ``train``, ``val`` or ``test``, of shape (samples,).
    of_eval
        bool (samples,): those of files to report on.
    copies
        int64 (samples,): the first sample that each one is a copy of, see :func:`genoken.data.row_hashes.first_copies`.
    successors
        Who comes next among the samples, in whatever part; ``None`` where samples stand alone.
    """

    source: Source
    words: np.ndarray
    of_eval: np.ndarray
    copies: np.ndarray
    successors: Successors | None = None

    def own_copies(self) -> np.ndarray:
        """Return ``copies`` of the samples to pretrain on, by their numbers among these."""
        return self.copies_among(~self.of_eval)

    def copies_among(self, chosen: np.ndarray) -> np.ndarray:
        """Return the first one, by its number among these samples, bool (samples,), that each of them is a copy of."""
        _, first, copied = np.unique(self.copies[chosen], return_index=True, return_inverse=True)
        return first[copied]


def divide(source: Source, paths: Mapping[str, Sequence[Path]], config: PretrainConfig) -> Division:
    """Leave out samples that cannot be used, draw those that are, and say which part each belongs to.

    Parameters
    ----------
    source
        All samples, with their values.
    paths
        Files to pretrain on under ``data``; those of them under ``val`` whose samples are the validation part, where these are
        files of their own; and files to report on under ``eval``, whose samples are the test part.
    config
        Shares, the group, the seed.

    Raises
    ------
    DataError
        When a part would stay empty.
    """
    settings, seed = config.data, config.training.seed
    samples = without_empty(source.samples, strict=settings.strict)
    samples = _limited(samples, of_eval_files(samples, paths), settings.limit_samples, seed)
    hashes, is_filled = hashes_of(samples)  # once: on disk, all values are read for it
    kept, notes = _not_reported_on(first_copies(hashes, is_filled), of_eval_files(samples, paths), samples.origin)
    samples = samples if kept.all() else samples.take(kept)
    of_eval = of_eval_files(samples, paths)
    words = np.full(samples.num_samples, "test", dtype=object)
    found = Division(source, words, of_eval, first_copies(hashes[kept], is_filled[kept]))
    # Files of a validation part keep it; all others are drawn from.
    is_drawn = ~of_eval & ~_of_files(samples, paths, "val")
    words[~of_eval & ~is_drawn] = "val"
    groups = samples.table[settings.group].astype(str).to_numpy()[is_drawn] if settings.group else None
    copies = found.copies_among(is_drawn)
    test = 0.0 if paths["eval"] else settings.test
    val = settings.val if is_drawn.sum() == (~of_eval).sum() else 0.0
    words[is_drawn] = hold_out(len(copies), groups, test=test, val=val, seed=seed, where=samples.origin, copies=copies)
    samples = replace(samples, notes=(*samples.notes, *notes, *_copy_notes(copies, groups)))
    return replace(found, source=replace(source, samples=samples))


def drawn_to_learn_from(config: PretrainConfig, num_train: int) -> np.ndarray:
    """Return the places in the train part of the samples that vocabulary and start values are learned from, int64, ascending."""
    return draw_within(np.arange(num_train), config.data.fit_samples, seed=config.training.seed, purpose="fit_samples")


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


def _not_reported_on(copies: np.ndarray, of_eval: np.ndarray, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return which samples are kept, bool (samples,), and a note: samples to pretrain on that are reported on too are left out."""
    is_reported_on = ~of_eval & np.isin(copies, copies[of_eval])
    count = int(is_reported_on.sum())
    if not count:
        return ~is_reported_on, ()
    if count == int((~of_eval).sum()):
        raise DataError(
            "all samples to pretrain on are in the files to report on too",
            where=where,
            remedy="name other files with --eval",
        )
    note = f"{count:,} samples to pretrain on have the values of one in the files to report on, and are left out"
    return ~is_reported_on, (note,)


def of_eval_files(samples: Samples, paths: Mapping[str, Sequence[Path]]) -> np.ndarray:
    """Return which samples come from files to report on, bool (samples,)."""
    if not paths["eval"]:
        return np.zeros(samples.num_samples, dtype=bool)
    found = _of_files(samples, paths, "eval")
    if not found.any():
        raise DataError("no sample of the files to report on is left", where=samples.origin, remedy="name other files with --eval")
    return found


def _of_files(samples: Samples, paths: Mapping[str, Sequence[Path]], part: str) -> np.ndarray:
    """Return which samples come from the files under ``part``, bool (samples,)."""
    files = [*paths["data"], *paths["eval"]]
    named = set(paths.get(part, ()))
    names = [name for name, path in zip(distinct_names(files), files, strict=True) if path in named]
    return samples.table[FILE_COLUMN].isin(names).to_numpy() if names else np.zeros(samples.num_samples, dtype=bool)


def _limited(samples: Samples, of_eval: np.ndarray, limit: int, seed: int) -> Samples:
    """Draw at most ``limit`` of the samples to pretrain on, and as many at most of those in files to report on."""
    if not limit:
        return samples
    kept = []
    for key, rows in ((("limit_samples",), np.flatnonzero(~of_eval)), (("limit_samples", "eval"), np.flatnonzero(of_eval))):
        kept.append(generator(seed, *key).choice(rows, limit, replace=False) if limit < len(rows) else rows)
    rows = np.sort(np.concatenate(kept))
    return samples if len(rows) == samples.num_samples else samples.take(rows)
