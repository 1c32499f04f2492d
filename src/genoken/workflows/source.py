"""What is read: a file, an object in memory, or several of them that are joined, with where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from genoken.core.config import DataSettings, PretrainConfig, RunConfig
from genoken.core.files import sha256_of_file
from genoken.core.genotypes import HUMAN_AUTOSOMES
from genoken.core.samples import Samples
from genoken.data.check import require_column
from genoken.data.phenotypes import join_phenotypes, read_phenotypes
from genoken.readers._anndata import inspect_anndata
from genoken.workflows.files import FILE_COLUMN, distinct_names, expand_files, inspect_file, whole_name
from genoken.workflows.hashes import hash_of_file, hash_of_samples, hash_together
from genoken.workflows.join import join_samples
from genoken.workflows.join_genotypes import join_genotypes

if TYPE_CHECKING:
    from anndata import AnnData

    OneInput: TypeAlias = str | Path | AnnData
    """Path of a file, or an object in memory."""
    Input: TypeAlias = OneInput | Sequence[OneInput]
    """A file or an object, or several that are joined."""

SPLIT_COLUMN = "split"
"""Column of ``obs`` that says which part a sample belongs to, in a single file with a split of its own."""
COHORT_COLUMN = "cohort"
"""Column of the sample table that says from which of several files of genotypes a sample is."""


@dataclass(frozen=True)
class Source:
    """What was read, and from where.

    Parameters
    ----------
    samples
        The samples of all files.
    matrices
        What each matrix of the (first) file holds, as in ``check.json``.
    files
        Path, hash and shape of each file, for the manifest.
    joined
        What became of the variants of several files of genotypes, see
        :class:`genoken.workflows.join_genotypes.JoinedGenotypes`; ``None`` where none were joined.
    """

    samples: Samples
    matrices: tuple[dict[str, Any], ...]
    files: tuple[dict[str, Any], ...]
    joined: pd.DataFrame | None = None


def read_source(
    data: Input,
    source: str,
    *,
    strict: bool = False,
    phenotypes: str | Path = "",
    min_coverage: float = 0.5,
    autosomes: int = HUMAN_AUTOSOMES,
) -> Source:
    """Read a file of any known kind, or several, or take an AnnData object as it is.

    Parameters
    ----------
    data
        Path or object; or several, which are joined by feature: their samples get a column ``cohort`` with the name of the file
        where they are genotypes, else a column ``file``.
    source
        ``auto``, ``X``, ``raw`` or ``layers/NAME``: where the values are.
    strict
        Refuse samples with missing values, where the kind of file marks them, instead of leaving them out.
    phenotypes
        Path of a table that is joined to the sample table by sample id; empty for none.
    min_coverage
        Smallest share of the first file's features, from 0 to 1, that each of several must hold.
    autosomes
        See :func:`genoken.workflows.files.inspect_file`.

    Raises
    ------
    DataError
        When it cannot be used, for the first reason.
    """
    if not isinstance(data, (list, tuple)):
        return _read_one(data, source, strict=strict, phenotypes=phenotypes, autosomes=autosomes)
    given = _each_once(data)
    found = [_read_one(one, source, strict=strict, phenotypes=phenotypes, autosomes=autosomes) for one in given]
    if len(found) == 1:
        return found[0]
    is_genotypes = found[0].samples.value_kind == "dosage"
    names = _stems(given) if is_genotypes else _names(given)
    return join_sources(found, names, column=COHORT_COLUMN if is_genotypes else FILE_COLUMN, min_coverage=min_coverage)


def _read_one(data: OneInput, source: str, *, strict: bool, phenotypes: str | Path, autosomes: int) -> Source:
    if isinstance(data, (str, Path)):
        path = whole_name(Path(data))
        inspection = inspect_file(path, source, strict=strict, autosomes=autosomes)
    else:
        path = None
        inspection = inspect_anndata(data, source, "AnnData")
    samples = inspection.usable()
    digest = hash_of_samples(samples) if path is None else hash_of_file(path)
    if phenotypes:
        samples = join_phenotypes(samples, read_phenotypes(Path(phenotypes)), str(phenotypes))
        digest = hash_together([digest, sha256_of_file(Path(phenotypes))])
    entry = {
        "path": str(path.resolve()) if path else "",
        "sha256": digest,
        "samples": samples.num_samples,
        "features": samples.num_features,
    }
    return Source(samples, tuple(matrix.summary() for matrix in inspection.matrices), (entry,))


def _each_once(data: Sequence[OneInput]) -> list[OneInput]:
    """Return files and objects, with the files that patterns stand for in their place.

    Raises
    ------
    DataError
        When there is none, a pattern matches nothing, or a file is named twice.
    """
    if all(isinstance(one, (str, Path)) for one in data):
        return list(expand_files([one for one in data if isinstance(one, (str, Path))]))
    return [found for one in data for found in (expand_files([one]) if isinstance(one, (str, Path)) else [one])]


def _names(data: Sequence[OneInput]) -> list[str]:
    """Return a name of each: that of a file, or ``data_2`` for the second one where that is an object."""
    names = distinct_names([Path(one) for one in data if isinstance(one, (str, Path))])
    known = iter(names)
    return [next(known) if isinstance(one, (str, Path)) else f"data_{place}" for place, one in enumerate(data, start=1)]


def _stems(data: Sequence[OneInput]) -> list[str]:
    """Return the names without their endings, or as they are where two then have the same."""
    names = _names(data)
    stems = [Path(name.removesuffix(".gz")).stem for name in names]
    return stems if len(set(stems)) == len(stems) else names


def join_sources(sources: Sequence[Source], names: Sequence[str], *, column: str, min_coverage: float) -> Source:
    """Join several sources: genotypes by variant, others by gene.

    Parameters
    ----------
    sources
        What was read.
    names, column, min_coverage
        See :func:`genoken.workflows.join.join_headers`.

    Raises
    ------
    DataError
        When they cannot be joined.
    """
    parts = [source.samples for source in sources]
    files = tuple(entry for source in sources for entry in source.files)
    if not any(samples.value_kind == "dosage" for samples in parts):
        samples = join_samples(parts, names, column=column, min_coverage=min_coverage)
        return Source(samples, sources[0].matrices, files)
    found = join_genotypes(parts, names, column=column, min_coverage=min_coverage)
    accounts = [source.joined for source in sources if source.joined is not None]
    return Source(found.samples, sources[0].matrices, files, pd.concat([*accounts, found.account], ignore_index=True))


def read_inputs(inputs: Mapping[str, Input], settings: DataSettings) -> Source:
    """Read the file or files under ``data``, or else the parts under ``train``, ``val`` and ``test``.

    Raises
    ------
    DataError
        When one cannot be used.
    """
    if "data" in inputs:
        return _read(inputs["data"], settings)
    return read_parts(inputs, settings)


def _read(data: Input, settings: DataSettings) -> Source:
    return read_source(
        data,
        settings.source,
        strict=settings.strict,
        phenotypes=settings.phenotypes_file,
        min_coverage=settings.min_coverage,
        autosomes=settings.autosomes,
    )


def read_parts(parts: Mapping[str, Input], settings: DataSettings) -> Source:
    """Read a train, a validation and a test file, and join them; the latter two are aligned to the train file's features.

    The joined table has a column ``split``. Sample ids that occur in several files get the part's name in front. A sample's total
    is that of its own file, genes included that the train file does not have: as when the file is given to a finished run. Of
    genotypes, the variants that all files have are kept.
    """
    sources = {part: _read(data, settings) for part, data in parts.items()}
    if settings.label:
        for source in sources.values():
            require_column(source.samples.table, settings.label, source.samples.origin)
    return join_sources(list(sources.values()), list(sources), column=SPLIT_COLUMN, min_coverage=settings.min_coverage)


def read_new(config: RunConfig | PretrainConfig, data: Input, *, strict: bool = False, phenotypes: str | Path = "") -> Source:
    """Read files for a finished run, from the matrix that it was trained on.

    Parameters
    ----------
    config
        Settings of the run.
    data
        Files or objects; several are joined.
    strict, phenotypes
        See :func:`read_source`.

    Raises
    ------
    DataError
        When they cannot be used.
    """
    settings = config.data
    return read_source(
        data,
        settings.source,
        strict=strict,
        phenotypes=phenotypes,
        min_coverage=settings.min_coverage,
        autosomes=settings.autosomes if isinstance(settings, DataSettings) else HUMAN_AUTOSOMES,
    )


def paths_of(data: Any) -> list[str]:
    """Return the whole path of each file that is named; of none where an object in memory is among them."""
    named = data if isinstance(data, (list, tuple)) else [data]
    if not all(isinstance(one, (str, Path)) for one in named):
        return []
    paths = expand_files(named) if isinstance(data, (list, tuple)) else [whole_name(Path(data))]
    return [str(path.resolve()) for path in paths]


def joined_paths(data: Any) -> str:
    """Return the whole paths of files as one text for ``state.json``, each in a line; empty for objects in memory."""
    return "\n".join(paths_of(data))


def named_again(paths: str) -> str | list[str]:
    """Return the file or files for which :func:`joined_paths` stands."""
    found = paths.split("\n")
    return found if len(found) > 1 else paths
