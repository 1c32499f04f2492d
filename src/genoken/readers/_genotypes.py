"""Genotypes as the readers of genotypes find them, and what would stop a training on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.calls import Calls, num_bytes, pack_calls
from genoken.core.errors import DataError
from genoken.core.genotypes import BUILD, CENTIMORGAN, CHROMOSOME, COUNTED, MISSING, OTHER, POSITION, plain_chromosome
from genoken.core.matrix import MatrixState
from genoken.core.samples import Samples
from genoken.readers._inspection import Inspection, MatrixInfo, repeated

STRAND_LAYER = "first_strand"
"""Layer of an AnnData object that holds copies of the counted allele on the first strand, where the phase is known."""
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Genotypes:
    """What a file of genotypes holds.

    Parameters
    ----------
    calls
        Copies of the counted allele, (samples, variants).
    variants
        One row per variant, see :mod:`genoken.core.genotypes`, indexed by variant id.
    table
        One row per sample, indexed by sample id.
    first_strand
        Copies on the first strand, where the phase is known.
    notes
        Sentences about what was left out or read in another way than it is written.
    """

    calls: Calls
    variants: pd.DataFrame
    table: pd.DataFrame
    first_strand: Calls | None = None
    notes: tuple[str, ...] = ()


def is_genotype_table(features: pd.DataFrame) -> bool:
    """Return whether a feature table has the columns that describe variants."""
    return {CHROMOSOME, POSITION, COUNTED, OTHER} <= set(map(str, features.columns))


def inspect_genotypes(found: Genotypes, origin: str, name: str = "calls") -> Inspection:
    """Return samples of genotypes, with what would stop a training on them.

    Parameters
    ----------
    found
        What was read.
    origin
        For messages, such as ``cohort.bed:calls``.
    name
        Name of the matrix.
    """
    features = _checked_variants(found.variants, origin)
    samples = Samples(
        values=found.calls,
        table=found.table,
        features=features,
        value_kind="dosage",
        origin=origin,
        notes=found.notes,
        first_strand=found.first_strand,
    )
    problems = _repeats(features.index, found.table.index, origin) + _builds(features, origin)
    return Inspection(samples=samples, matrices=(MatrixInfo(name, _state(found), used=True),), problems=tuple(problems))


def _state(found: Genotypes) -> MatrixState:
    counts = found.calls.totals()
    num_missing, size = int(counts[3]), max(int(counts.sum()), 1)
    phase = "the phase is known" if found.first_strand is not None else "the phase is not known"
    evidence = f"copies of each variant's counted allele; {num_missing / size:.2%} of the calls are missing; {phase}"
    highest = float(np.flatnonzero(counts[:3]).max(initial=0))
    return MatrixState("dosage", evidence, int(counts[1:3].sum()) / size, 0.0, highest, num_missing, found.calls.shape[0])


def _checked_variants(variants: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Return the table with the types that its columns have in all genotypes."""
    positions = pd.to_numeric(variants[POSITION], errors="coerce")
    bad = positions.isna().to_numpy()
    if bad.any():
        first = variants.index[int(np.flatnonzero(bad)[0])]
        raise DataError(f"{int(bad.sum()):,} variants have no position, the first is '{first}'", where=origin)
    table = variants.assign(**{POSITION: positions.astype(np.int64), BUILD: _build_column(variants)})
    for column, spelled in ((CHROMOSOME, plain_chromosome), (COUNTED, str.upper), (OTHER, str.upper)):
        codes, names = pd.factorize(table[column].astype(object))  # far fewer than variants; a code of -1 has no name
        texts = np.array([*(spelled(str(name)) for name in names), ""], dtype=object)
        table[column] = texts[codes]
    if CENTIMORGAN in table:
        table[CENTIMORGAN] = pd.to_numeric(table[CENTIMORGAN], errors="coerce")
    return table


def _build_column(variants: pd.DataFrame) -> Any:
    if BUILD not in variants:
        return ""
    column = variants[BUILD].astype(object)
    return column.where(column.notna(), "").map(str)


def _builds(features: pd.DataFrame, origin: str) -> list[DataError]:
    counts = features[BUILD].value_counts()
    named = counts[counts.index != ""]
    if len(named) < 2:
        return []
    shares = ", ".join(f"{count:,} of {name}" for name, count in named.items())
    remedy = "bring all positions to one build, or keep the variants of one"
    return [DataError(f"the variants have positions of {len(named)} genome builds: {shares}", where=origin, remedy=remedy)]


def _repeats(variants: pd.Index, samples: pd.Index, origin: str) -> list[DataError]:
    problems = []
    if variants.has_duplicates:
        remedy = "name them apart, for example as chromosome:position:other:counted (plink2 --set-all-var-ids @:#:\\$r:\\$a), "
        remedy += "or leave out what is there twice (bcftools norm -d exact, plink2 --rm-dup)"
        problems.append(DataError(repeated(variants, "variant id"), where=origin, remedy=remedy))
    if samples.has_duplicates:
        remedy = "name samples apart, after making sure that none is in the file twice"
        problems.append(DataError(repeated(samples, "sample id"), where=origin, remedy=remedy))
    return problems


def calls_of(matrix: Any, where: str, *, most: int) -> Calls:
    """Return a matrix of whole numbers from 0 to ``most``, with NaN or (among integers) -1 for missing calls, as calls.

    Parameters
    ----------
    matrix
        Array or SciPy sparse matrix (samples, variants).
    where
        What it is called in messages.
    most
        Highest number that is allowed: 2 copies, or 1 on a strand.

    Raises
    ------
    DataError
        When a value is another one; the message shows it.
    """
    if hasattr(matrix, "to_memory"):
        matrix = matrix.to_memory()
    if np.dtype(matrix.dtype).kind not in "buif":
        raise DataError(f"genotypes are whole numbers from 0 to {most}, not {matrix.dtype}", where=where)
    packed = np.zeros((matrix.shape[0], num_bytes(matrix.shape[1])), dtype=np.uint8)
    rows = matrix.tocsr() if sp.issparse(matrix) else matrix
    for start in range(0, len(packed), _ROWS_AT_ONCE):
        block = rows[start : start + _ROWS_AT_ONCE]
        dense = np.asarray(block.toarray() if sp.issparse(block) else block)
        packed[start : start + _ROWS_AT_ONCE] = pack_calls(_as_calls(dense, start, where, most=most))
    return Calls(packed, matrix.shape[1])


def _as_calls(dense: np.ndarray, start: int, where: str, *, most: int) -> np.ndarray:
    missing = np.isnan(dense) if dense.dtype.kind == "f" else dense == MISSING
    calls = np.where(missing, 0, dense)
    bad = ~missing & ((calls < 0) | (calls > most) | (calls != np.rint(calls)))
    if bad.any():
        row, column = (int(place) for place in np.argwhere(bad)[0])
        remedy = "round imputed dosages to the nearest copies; write missing calls as NaN"
        place = f"sample {start + row}, variant {column} (counted from 0)"
        raise DataError(f"genotypes are 0 to {most}, found {dense[row, column]} at {place}", where=where, remedy=remedy)
    return np.where(missing, MISSING, calls).astype(np.int8)
