"""What a pretraining run reads: files whose values may be more than memory holds."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from genoken.core.calls import Calls
from genoken.core.errors import ConfigError, DataError, RunError
from genoken.core.pretraining_settings import PretrainDataSettings
from genoken.core.stored_rows import bytes_on_disk, store_rows
from genoken.data.check import require_column
from genoken.workflows.files import FILE_COLUMN, distinct_names, expand_files, read_file
from genoken.workflows.join import Header, Joint, join_headers, without_values
from genoken.workflows.next_cell_folder import PARTS, folder_named, read_next_cell_folder
from genoken.workflows.source import Source, join_sources, read_source

if TYPE_CHECKING:
    from anndata import AnnData

Files = str | Path | Sequence[str | Path]
"""One name or several, with ``*`` and ``{0..43}``."""
CACHE = "cache"
"""Folder of an unfinished run with the values that do not fit into memory."""
_BYTES_PER_VALUE = 8
"""Of a value in memory: float32, and its column as int32."""
_VALUES, _SPARE_BYTES = "values", 1 << 20


@dataclass
class Reading:
    """What a first look at all files gave.

    Parameters
    ----------
    source
        Their samples; all values are left out where there is a ``joint``, and after :meth:`complete`.
    paths, settings
        The files under ``data`` and ``eval``, see :func:`files_of`, and how they are read.
    joint
        How the values of each file are to be joined on disk; ``None`` where they are in memory.
    num_values
        Number of values that are not 0, of all files.
    """

    source: Source
    paths: Mapping[str, list[Path]]
    settings: PretrainDataSettings
    joint: Joint | None = None
    num_values: int = 0

    @property
    def gigabytes(self) -> float:
        """What the values would take in memory, in 10^9 bytes."""
        return self.num_values * _BYTES_PER_VALUE / 1e9

    def complete(self, cache: Path) -> Source:
        """Return samples with their values: those in memory, or else those that a second look at the files puts on disk.

        Values in memory are handed over, so that they can be freed when only some samples are used.

        Parameters
        ----------
        cache
            Folder that receives the values, and later the prepared ones.

        Raises
        ------
        RunError
            When the disk has no room for both.
        DataError
            When a file is not as it was.
        """
        if self.joint is None:
            source, self.source = self.source, replace(self.source, samples=without_values(self.source.samples))
            return source
        num_columns = self.joint.samples.num_features
        _refuse_small_disk(cache, 2 * bytes_on_disk(self.num_values, num_columns))
        values = store_rows(self._gathered(self.joint), cache / _VALUES, num_columns)
        return replace(self.source, samples=replace(self.source.samples, values=values))

    def _gathered(self, joint: Joint) -> Iterator[sp.csr_matrix]:
        """Read one file after the other, and yield its values with the joined features for columns."""
        files = [*self.paths["data"], *self.paths["eval"]]
        for place, (path, known) in enumerate(zip(files, self.source.files, strict=True)):
            samples = read_file(path, self.settings.source, strict=self.settings.strict)
            if (samples.num_samples, samples.num_features) != (known["samples"], known["features"]):
                raise DataError("the file changed while it was read", where=str(path), remedy="start again when it is whole")
            values = joint.gathered(place, samples.values)
            yield values.read() if isinstance(values, Calls) else values


def files_of(data: Files | AnnData | None, evaluate_on: Files | None) -> dict[str, list[Path]]:
    """Return the files that are named: all to pretrain on under ``data``, those to report on under ``eval``.

    Of a folder of next-cell data, ``eval`` is its test part, and ``val``, which is among ``data``, the one that chooses the
    weights; otherwise there is no such part, and no file where an object in memory is given.

    Raises
    ------
    ConfigError
        When a folder with a test part is given, and other files to report on.
    DataError
        When a file is missing.
    """
    folder = folder_named(data)
    if folder is None:
        return {"data": _expanded(data), "val": [], "eval": _expanded(evaluate_on)}
    parts = read_next_cell_folder(folder).data
    if "test" in parts and evaluate_on:
        raise ConfigError("the folder has a test part of its own", where=str(folder), remedy="leave out --eval")
    own = {part: [parts[part]] if part in parts else [] for part in PARTS}
    return {"data": own["train"] + own["val"], "val": own["val"], "eval": own["test"] or _expanded(evaluate_on)}


def _expanded(names: Files | AnnData | None) -> list[Path]:
    if isinstance(names, (str, Path)):
        return expand_files([names])
    return expand_files(names) if isinstance(names, (list, tuple)) and names else []


def read_pretraining(data: Any, paths: Mapping[str, list[Path]], settings: PretrainDataSettings) -> Reading:
    """Read all files one after the other, and keep their values as long as these are to be in memory.

    Parameters
    ----------
    data
        An object in memory, where no file is named; it stays there.
    paths
        See :func:`files_of`.
    settings
        Where the values are, how files are joined, what memory may be used.

    Raises
    ------
    ConfigError
        When files to report on are named beside an object in memory.
    DataError
        When one cannot be used, they cannot be joined, or a column that settings name is not there.
    """
    reading = _read(data, paths, settings)
    for column in (settings.group, settings.floor_by):
        if column:
            require_column(reading.source.samples.table, column, reading.source.samples.origin)
    return reading


def _read(data: Any, paths: Mapping[str, list[Path]], settings: PretrainDataSettings) -> Reading:
    if not paths["data"]:
        if paths["eval"]:
            raise ConfigError(
                "an object in memory cannot be reported on by files", remedy="write it to a file, or hold samples out"
            )
        return Reading(read_source(data, settings.source, strict=settings.strict), paths, settings)
    files = [*paths["data"], *paths["eval"]]
    most = {"memory": math.inf, "disk": -1.0, "auto": settings.memory_gb * 1e9}[settings.store]
    sources: list[Source] = []
    headers: list[Header] = []
    for path in files:
        sources.append(read_source(path, settings.source, strict=settings.strict))
        headers.append(Header.of(sources[-1].samples))
        num_values = sum(header.num_values for header in headers)
        if num_values * _BYTES_PER_VALUE > most and not _are_cohorts(sources, files):
            sources = [replace(source, samples=without_values(source.samples)) for source in sources]
    if _are_cohorts(sources, files):
        names = distinct_names(files)
        return Reading(join_sources(sources, names, column=FILE_COLUMN, min_coverage=settings.min_coverage), paths, settings)
    joint = _joint(headers, sources, files, settings)
    entries = tuple(entry for source in sources for entry in source.files)
    if num_values * _BYTES_PER_VALUE > most:
        return Reading(Source(joint.samples, sources[0].matrices, entries), paths, settings, joint, num_values)
    values = joint.together([source.samples.values for source in sources])
    return Reading(Source(replace(joint.samples, values=values), sources[0].matrices, entries), paths, settings)


def _are_cohorts(sources: Sequence[Source], files: Sequence[Path]) -> bool:
    """Return whether several files of genotypes are read: these stay in memory, because alleles may have to be flipped."""
    return len(files) > 1 and sources[0].samples.value_kind == "dosage"


def _joint(headers: Sequence[Header], sources: Sequence[Source], files: Sequence[Path], settings: PretrainDataSettings) -> Joint:
    if len(files) == 1:
        samples = without_values(sources[0].samples)
        return Joint(samples, (np.arange(samples.num_features),))
    return join_headers(
        headers, distinct_names(files), column=FILE_COLUMN, min_coverage=settings.min_coverage, shared=settings.shared
    )


def _refuse_small_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE_BYTES:
        raise RunError(
            f"the values need {needed / 1e9:,.1f} GB on disk while the run lasts, and {free / 1e9:,.1f} GB are free",
            where=str(folder),
            remedy="free disk space, choose another output folder, or use fewer files",
        )


@contextlib.contextmanager
def cache_of(folder: Path) -> Iterator[Path]:
    """Yield an empty folder for values within a run folder, and remove it in the end, and what a killed run left of it."""
    cache = folder / CACHE
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir()
    try:
        yield cache
    finally:
        shutil.rmtree(cache, ignore_errors=True)
