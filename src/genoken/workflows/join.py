"""Samples of several files as one: by gene id, never by column, with an account of what each file holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.calls import Calls
from genoken.core.errors import DataError
from genoken.core.matrix import LOG_MAXIMUM
from genoken.core.samples import Samples
from genoken.core.scale import sample_totals, scale_of
from genoken.data._check_values import identifier_findings, named_species
from genoken.tokenizers._gathering import gather_columns
from genoken.vocabulary.align import align, symbols_of
from genoken.vocabulary.genes import Identifiers, normalize

Shared = Literal["first", "common", "union"]
"""Which genes joined files keep: those of the first file, those that every file has, or all."""
_MOST_NAMED = 3
_OWN_SYMBOLS = frozenset({"mouse", "rat", "zebrafish", "worm", "fly"})
"""Species whose symbols cannot be taken for those in capitals."""


@dataclass(frozen=True)
class Header:
    """A file's samples without their values, and of these what decides whether and how files are joined.

    Parameters
    ----------
    samples
        Table, features and totals; the values are all left out.
    kind
        What the values are, in words.
    num_values
        How many values are not 0.
    """

    samples: Samples
    kind: str
    num_values: int

    @classmethod
    def of(cls, samples: Samples) -> Header:
        """Return the header of a file's samples."""
        totals = None if samples.value_kind == "real" else sample_totals(samples)
        return cls(replace(without_values(samples), totals=totals), _kind(samples), samples.values.nnz)


@dataclass(frozen=True)
class Joint:
    """The joined samples without their values, and where each file has their features.

    Parameters
    ----------
    samples
        Of all files, in their order; the values are all left out.
    columns
        Of each file, the column that holds each joined feature, or -1 where there is none.
    """

    samples: Samples
    columns: tuple[np.ndarray, ...]

    def gathered(self, place: int, values: sp.csr_matrix) -> sp.csr_matrix:
        """Return the values of the file at a place with the joined features for columns."""
        columns = self.columns[place]
        if np.array_equal(columns, np.arange(values.shape[1])):
            return values
        return values.columns(columns) if isinstance(values, Calls) else gather_columns(values, columns)

    def together(self, values: Sequence[sp.csr_matrix]) -> sp.csr_matrix:
        """Return the values of all files, one after the other; of a single one, the very matrix."""
        parts = [self.gathered(place, own) for place, own in enumerate(values)]
        if len(parts) == 1:
            return parts[0]
        is_packed = all(isinstance(part, Calls) for part in parts)
        return Calls.stacked(parts) if is_packed else sp.csr_matrix(sp.vstack(parts))


@dataclass(frozen=True)
class _Features:
    """The features of the joined samples, where each file has them (-1: nowhere), and a line about each file."""

    table: pd.DataFrame
    columns: list[np.ndarray]
    lines: list[str]


def without_values(samples: Samples) -> Samples:
    """Return samples all of whose values are left out."""
    return replace(samples, values=sp.csr_matrix(samples.values.shape, dtype=np.float32))


def join_samples(
    parts: Sequence[Samples], names: Sequence[str], *, column: str, min_coverage: float, shared: Shared = "first"
) -> Samples:
    """Join samples of several files by gene id; see :func:`join_headers`.

    Parameters
    ----------
    parts
        Samples of each file.
    names, column, min_coverage, shared
        See :func:`join_headers`.

    Raises
    ------
    DataError
        When :func:`join_headers` does.
    """
    headers = [Header.of(samples) for samples in parts]
    joint = join_headers(headers, names, column=column, min_coverage=min_coverage, shared=shared)
    return replace(joint.samples, values=joint.together([samples.values for samples in parts]))


def join_headers(
    headers: Sequence[Header], names: Sequence[str], *, column: str, min_coverage: float, shared: Shared = "first"
) -> Joint:
    """Decide how samples of several files are joined by gene id.

    Genes are compared as :func:`genoken.vocabulary.align.align` does. Where a file lacks a gene its value is 0; in panels of real
    numbers, where 0 is a measurement, that is refused.

    Parameters
    ----------
    headers
        What is known of each file.
    names
        What each file is called in the new column.
    column
        Column of the sample table that receives the names.
    min_coverage
        Smallest share of the first file's genes, from 0 to 1, that each file must hold; any overlap is enough for ``union``.
    shared
        ``first``: the genes of the first file; ``common``: those of them that every file holds; ``union``: all genes of all files.

    Returns
    -------
    Joint
        Samples in the order of the files. Where sample ids collide, all of them get their file's name in front. The notes say for
        each file how many of the genes it holds.

    Raises
    ------
    DataError
        When the files differ in species, type of ids or kind of values, or have too few genes in common.
    """
    parts = [header.samples for header in headers]
    refuse_mixed_values([header.kind for header in headers], names)
    _refuse_other_scales(parts, names)
    identifiers = [identifier_findings(samples)[0] for samples in parts]
    _refuse_mixed_species(parts, identifiers, names)
    found = _union(parts, names, identifiers) if shared == "union" else _of_first(parts, names, identifiers, min_coverage)
    if shared == "common":
        everywhere = np.all([columns >= 0 for columns in found.columns], axis=0)
        found = replace(found, table=found.table[everywhere], columns=[columns[everywhere] for columns in found.columns])
    _refuse_holes(parts, found, names)
    table = joined_table(parts, names, column)
    samples = Samples(
        values=sp.csr_matrix((len(table), len(found.table)), dtype=np.float32),
        table=table,
        features=found.table,
        value_kind=parts[0].value_kind,
        origin=origin_of(parts),
        totals=None if parts[0].value_kind == "real" else np.concatenate([sample_totals(samples) for samples in parts]),
        notes=_notes(parts, found.lines, column),
    )
    return Joint(samples, tuple(found.columns))


def ids_in_files(table: pd.DataFrame, columns: Sequence[str]) -> pd.Index:
    """Return the ids that samples had in their files, before :func:`join_samples` put names in front of those that collide.

    Parameters
    ----------
    table
        A sample table, joined or not.
    columns
        Columns that may hold the names of the files, if they are there.
    """
    ids = table.index.astype(str)
    for column in columns:
        if column in table:
            prefixes = [f"{name}:" for name in table[column]]
            if all(name.startswith(prefix) for name, prefix in zip(ids, prefixes, strict=True)):
                return pd.Index([name.removeprefix(prefix) for name, prefix in zip(ids, prefixes, strict=True)], dtype=object)
    return ids


def _refuse_other_scales(parts: Sequence[Samples], names: Sequence[str]) -> None:
    """Refuse log or normalized values that were normalized to different totals: the model would learn or meet two scales as one."""
    scales = {
        name: scale_of(samples) for name, samples in zip(names, parts, strict=True) if samples.value_kind in ("log", "normalized")
    }
    known = {name: scale for name, scale in scales.items() if scale.is_constant}
    if any(not scale.equals(other) for scale in known.values() for other in known.values()):
        raise DataError(
            "the files were normalized to different totals per sample: "
            + ", ".join(f"{name} to about {scale.total:,.0f}" for name, scale in known.items()),
            where=origin_of(parts),
            remedy="normalize them alike, or give counts",
        )


def refuse_mixed_values(kinds: Sequence[str], names: Sequence[str]) -> None:
    """Refuse files that hold different kinds of values.

    Parameters
    ----------
    kinds
        What the values of each file are, in words.
    names
        What each file is called.

    Raises
    ------
    DataError
        Naming a file of each kind.
    """
    examples: dict[str, str] = {}
    for kind, name in zip(kinds, names, strict=True):
        examples.setdefault(kind, name)
    if len(examples) > 1:
        raise DataError(
            "the files hold different kinds of values: " + ", ".join(f"{name} {kind}" for kind, name in examples.items()),
            remedy="choose a common one with --source (X, raw, layers/NAME)",
        )


def _kind(samples: Samples) -> str:
    """Return the kind of the values; of real ones also their range, which tells intensities, logarithms and z-scores apart."""
    if samples.value_kind != "real":
        return samples.value_kind
    low, high = float(samples.values.data.min()), float(samples.values.data.max())
    return "real values " + (
        "on both sides of 0" if low < 0 else "above 0" if high < LOG_MAXIMUM else f"up to above {LOG_MAXIMUM:g}"
    )


def _refuse_mixed_species(parts: Sequence[Samples], identifiers: Sequence[Identifiers], names: Sequence[str]) -> None:
    # Symbols in capitals are called human, but pig, cow and others write them so as well.
    guessed = [
        found.type == "symbol" and found.species == "human" and not named_species(samples.table)
        for samples, found in zip(parts, identifiers, strict=True)
    ]
    for earlier, later in combinations(range(len(parts)), 2):
        species = identifiers[earlier].species, identifiers[later].species
        if len(set(species) - {"unknown"}) < 2:
            continue
        if not (guessed[earlier] or guessed[later]) or _OWN_SYMBOLS & set(species):
            raise DataError(
                f"the files are of different species: {names[earlier]} of {species[0]}, {names[later]} of {species[1]}",
                where=names[later],
                remedy="leave one out, or give it the ids of the other species' orthologs",
            )


def _mixed_types(one: Identifiers, other: Identifiers) -> bool:
    return one.type != other.type and "unknown" not in (one.type, other.type)


def _mixed_types_error(identifiers: Sequence[Identifiers], names: Sequence[str], place: int) -> DataError:
    return DataError(
        f"the files have different types of gene ids: {names[0]} has {identifiers[0].type} ids, {names[place]} has "
        f"{identifiers[place].type} ids",
        where=names[place],
        remedy=f"add a column with {identifiers[0].type} ids to its feature table",
    )


def _of_first(parts: Sequence[Samples], names: Sequence[str], identifiers: Sequence[Identifiers], min_coverage: float) -> _Features:
    """Look the first file's genes up in each other file."""
    first = parts[0].features
    ids, symbols = tuple(first.index), symbols_of(first)
    columns, lines = [np.arange(len(ids))], [f"{len(ids):,} genes, which are looked up in the other files"]
    for place, samples in enumerate(parts[1:], start=1):
        if samples.features.index.equals(first.index):
            columns.append(columns[0])
            lines.append(f"the same {len(ids):,} genes")
            continue
        try:
            found = align(
                ids,
                samples.features,
                minimum_coverage=min_coverage,
                where=names[place],
                symbols=symbols,
                reference="the first file",
            )
        except DataError as error:
            if _mixed_types(identifiers[0], identifiers[place]):
                raise _mixed_types_error(identifiers, names, place) from error
            raise
        columns.append(found.columns)
        lines.append(found.line)
    return _Features(first, columns, lines)


def _union(parts: Sequence[Samples], names: Sequence[str], identifiers: Sequence[Identifiers]) -> _Features:
    """Put the genes of all files after each other, each once, in the order in which they are first met."""
    keys = [_keys(samples.features.index) for samples in parts]
    tables = [parts[0].features]
    known = keys[0]
    for place in range(1, len(parts)):
        if _mixed_types(identifiers[0], identifiers[place]):
            raise _mixed_types_error(identifiers, names, place)
        new = ~keys[place].isin(known)
        if new.all():
            raise DataError("no gene in common with the files before it", where=names[place], remedy="are these the right files?")
        known = known.append(keys[place][new])
        tables.append(parts[place].features[new])
    columns = [own.get_indexer(known) for own in keys]
    lines = [f"{int((found >= 0).sum()):,} of the {len(known):,} genes of all files" for found in columns]
    return _Features(pd.concat(tables), columns, lines)


def _keys(index: pd.Index) -> pd.Index:
    """Return the ids without Ensembl versions, or as they are where two ids differ in nothing else."""
    keys = pd.Index(normalize(index), dtype=object)
    return pd.Index(index.astype(str), dtype=object) if keys.has_duplicates else keys


def _refuse_holes(parts: Sequence[Samples], found: _Features, names: Sequence[str]) -> None:
    if parts[0].value_kind != "real":
        return
    for name, columns in zip(names, found.columns, strict=True):
        missing = int((columns < 0).sum())
        if missing:
            raise DataError(
                f"{missing:,} of {len(columns):,} features are not in this panel, and 0 would be taken for a measurement",
                where=name,
                remedy="keep the features that all files hold (shared: common)",
            )


def joined_table(parts: Sequence[Samples], names: Sequence[str], column: str) -> pd.DataFrame:
    """Return the sample tables of files one after the other, with their names in a column and in front of ids that collide."""
    sizes = [samples.num_samples for samples in parts]
    table = pd.concat([samples.table for samples in parts])
    origins = np.repeat(np.asarray(names, dtype=object), sizes)
    table[column] = origins
    if table.index.has_duplicates:
        table.index = pd.Index([f"{origin}:{name}" for origin, name in zip(origins, table.index, strict=True)])
    return table


def origin_of(parts: Sequence[Samples]) -> str:
    """Return where the samples of several files came from, for messages."""
    shown = [samples.origin for samples in parts]
    return " + ".join(shown) if len(shown) <= _MOST_NAMED else f"{shown[0]} and {len(shown) - 1:,} more files"


def _notes(parts: Sequence[Samples], lines: Sequence[str], column: str) -> tuple[str, ...]:
    notes = [f"{samples.origin}: {note}" for samples in parts for note in samples.notes]
    notes += [f"{samples.origin}: {line}" for samples, line in zip(parts, lines, strict=True)]
    if any(column in samples.table for samples in parts):
        notes.append(f"the column '{column}' of the files is replaced by their names")
    return tuple(notes)
