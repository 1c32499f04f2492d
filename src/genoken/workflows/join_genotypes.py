"""Genotypes of several files as one: by variant, with the alleles of the first file, and a table of what became of each variant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.calls import Calls
from genoken.core.errors import DataError
from genoken.core.genotypes import BUILD, CHROMOSOME, COUNTED, OTHER, POSITION
from genoken.core.samples import Samples
from genoken.data.genotypes.alleles import VariantJoin, join_variants
from genoken.workflows.join import joined_table, origin_of, refuse_mixed_values

COLUMNS = ("file", "outcome", "variants", "meaning")
"""Columns of the table of what became of each file's variants."""
KEPT = "kept"
"""The outcome of the variants that are used, in the last row."""


@dataclass(frozen=True)
class JoinedGenotypes:
    """Genotypes of several files as one.

    Parameters
    ----------
    samples
        Samples in the order of the files; variants, their positions and alleles are those of the first file.
    account
        ``file, outcome, variants, meaning``: for each file after the first how many variants count which allele on which strand, or
        are dropped and why; a last row, ``kept``, of those that are used.
    """

    samples: Samples
    account: pd.DataFrame


def join_genotypes(parts: Sequence[Samples], names: Sequence[str], *, column: str, min_coverage: float) -> JoinedGenotypes:
    """Join genotypes of several files by variant; the variants that cannot be used in all of them are left out, and counted.

    Which variants are the same, and which alleles they count, says :func:`genoken.data.genotypes.alleles.join_variants` for each
    file and the first. Arrays that come without any allele are taken to count the same ones.

    Parameters
    ----------
    parts
        Genotypes of each file.
    names
        What each file is called in the new column, and in front of sample ids that collide.
    column
        Column of the sample table that receives the names.
    min_coverage
        Smallest share of the first file's variants, from 0 to 1, that must be usable in all files.

    Returns
    -------
    JoinedGenotypes
        Strands are kept where all files have them.

    Raises
    ------
    DataError
        When a file holds no genotypes, or too few variants can be used.
    """
    refuse_mixed_values([samples.value_kind for samples in parts], names)
    first = parts[0].features
    joins = [_joined_to_first(first, samples.features, name) for samples, name in zip(parts[1:], names[1:], strict=True)]
    kept = np.arange(len(first))
    for join in joins:
        kept = np.intersect1d(kept, join.first)
    if len(kept) < max(min_coverage * len(first), 1):
        raise _too_few(len(kept), len(first), min_coverage, origin_of(parts), joins)
    columns = [kept, *(join.second[np.searchsorted(join.first, kept)] for join in joins)]
    flips = [np.zeros(len(kept), dtype=bool), *(join.flipped[np.searchsorted(join.first, kept)] for join in joins)]
    samples = Samples(
        values=_oriented([part.values for part in parts], columns, flips),
        table=joined_table(parts, names, column),
        features=first.iloc[kept],
        value_kind="dosage",
        origin=origin_of(parts),
        notes=_notes(parts, joins, columns, column),
    )
    strands = [part.first_strand for part in parts if part.first_strand is not None]
    if len(strands) == len(parts):
        samples = replace(samples, first_strand=_oriented(strands, columns, flips, most=1))
    return JoinedGenotypes(samples, _account(joins, names, len(kept)))


def _joined_to_first(first: pd.DataFrame, features: pd.DataFrame, name: str) -> VariantJoin:
    without_alleles = all((table[allele].astype(str) == "").all() for table in (first, features) for allele in (COUNTED, OTHER))
    try:
        return join_variants(
            *((_distinctly_counted(table) for table in (first, features)) if without_alleles else (first, features))
        )
    except DataError as error:
        raise DataError(error.message, where=name, remedy=error.remedy) from error


def _distinctly_counted(features: pd.DataFrame) -> pd.DataFrame:
    """Return a table without alleles with words in their place, which are the same in every such table."""
    return features.assign(**{COUNTED: "COUNTED", OTHER: "OTHER"})


def _oriented(
    parts: Sequence[Calls | sp.csr_matrix], columns: Sequence[np.ndarray], flips: Sequence[np.ndarray], *, most: int = 2
) -> Calls:
    """Return the chosen variants of all parts below each other, counted alike."""
    chosen = zip(parts, columns, flips, strict=True)
    return Calls.stacked([Calls.of(part).columns(places, flipped, most=most) for part, places, flipped in chosen])


def _too_few(num_kept: int, num_first: int, min_coverage: float, where: str, joins: Sequence[VariantJoin]) -> DataError:
    dropped = [sentence for join in joins for sentence in join.sentences if "dropped" in sentence or "left out" in sentence]
    why = f" ({'; '.join(dropped)})" if dropped else ""
    return DataError(
        f"{num_kept:,} of the first file's {num_first:,} variants can be used in all files, and {min_coverage:.0%} are needed{why}",
        where=where,
        remedy="use files with the same variants, or accept less with --min-coverage",
    )


def _account(joins: Sequence[VariantJoin], names: Sequence[str], num_kept: int) -> pd.DataFrame:
    rows: list[tuple[str, str, int, str]] = []
    for join, name in zip(joins, names[1:], strict=True):
        rows += [(name, row.orientation, int(row.variants), row.sentence) for row in join.report.itertuples()]
        rows.append((name, "only_first", join.only_first, f"dropped, because only {names[0]} has them"))
        rows.append((name, "only_here", join.only_second, f"dropped, because {names[0]} lacks them"))
    rows.append(("all", KEPT, num_kept, "used: every file has them, and their alleles agree"))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _notes(parts: Sequence[Samples], joins: Sequence[VariantJoin], columns: Sequence[np.ndarray], column: str) -> tuple[str, ...]:
    notes = [f"{part.origin}: {note}" for part in parts for note in part.notes]
    first = parts[0].features.iloc[columns[0]]
    for part, join, own in zip(parts[1:], joins, columns[1:], strict=True):
        notes += [f"{part.origin}: {sentence}" for sentence in join.sentences]
        notes += _about_places(first, part.features.iloc[own], part.origin)
    notes.append(f"{len(columns[0]):,} variants are used, which each of the {len(parts):,} files has")
    phased = sum(part.first_strand is not None for part in parts)
    if 0 < phased < len(parts):
        notes.append(f"strands are left out, because only {phased:,} of {len(parts):,} files are phased")
    if any(column in part.table for part in parts):
        notes.append(f"the column '{column}' of the files is replaced by their names")
    return tuple(notes)


def _about_places(first: pd.DataFrame, other: pd.DataFrame, origin: str) -> list[str]:
    """Return the sentence on variants that stand elsewhere, as in another genome build."""
    moved = (first[POSITION].to_numpy() != other[POSITION].to_numpy()) | (
        first[CHROMOSOME].to_numpy(dtype=str) != other[CHROMOSOME].to_numpy(dtype=str)
    )
    if not moved.any():
        return []
    builds = [str(table[BUILD].iloc[0]) if BUILD in table else "" for table in (first, other)]
    why = f" ({builds[1]}, and {builds[0]} in the first file)" if all(builds) else ", as in another genome build"
    return [f"{origin}: {int(moved.sum()):,} variants stand at other places{why}; the positions of the first file are kept"]
