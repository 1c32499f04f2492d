"""Genotypes in arrays, as input of every verb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from genoken.core.calls import Calls
from genoken.core.errors import DataError
from genoken.core.genotypes import CHROMOSOME, COUNTED, OTHER, POSITION
from genoken.readers._genotypes import STRAND_LAYER, calls_of
from genoken.readers._reader import annotated

if TYPE_CHECKING:
    from anndata import AnnData

LABEL = "label"
"""Column of the sample table that holds labels given as an array."""


def genotypes(
    dosages: np.ndarray,
    table: pd.DataFrame | None = None,
    *,
    labels: Sequence[object] | np.ndarray | None = None,
    variants: pd.DataFrame | None = None,
    first_strand: np.ndarray | None = None,
) -> AnnData:
    """Return genotypes in arrays as an AnnData object that genoken knows as genotypes.

    Parameters
    ----------
    dosages
        Copies of each variant's counted allele, (samples, variants): integers 0, 1, 2 and -1 for missing calls, or floats with NaN.
    table
        Sample table, one row per sample, indexed by sample id: phenotypes, covariates, families. ``None``: samples are numbered.
    labels
        One label per sample, which become the column ``label`` of the sample table.
    variants
        One row per variant, indexed by variant id, with the columns ``chromosome``, ``position_bp``, ``counted_allele`` and
        ``other_allele``, and perhaps ``build`` and ``position_cm``. ``None``: variants are numbered along one unnamed chromosome.
    first_strand
        Copies on the first strand, in the form of ``dosages``, where the phase is known.

    Returns
    -------
    anndata.AnnData
        To be given to :func:`genoken.train`, :func:`genoken.check` and all others.

    Raises
    ------
    DataError
        When shapes do not fit to each other, values are no genotypes, or a column is missing.

    Examples
    --------
    >>> run = genoken.train(genoken.genotypes(dosages, labels=populations), label="label")
    """
    calls = calls_of(_matrix(dosages, "genotypes"), "genotypes", most=2)
    people = _sample_table(table, labels, calls.shape[0])
    adata = annotated(calls.read(), people, _variants(variants, calls.shape[1]))
    if first_strand is not None:
        strand = calls_of(_matrix(first_strand, "first_strand"), "first_strand", most=1)
        _check_length(strand.shape[0], calls.shape[0], "first_strand", "samples")
        _check_length(strand.shape[1], calls.shape[1], "first_strand", "variants")
        _check_strands(calls, strand)
        adata.layers[STRAND_LAYER] = strand.read()
    return adata


def _matrix(values: np.ndarray, where: str) -> np.ndarray:
    try:
        given = np.asarray(values)
    except ValueError as error:
        raise DataError("samples have different numbers of variants", where=where, remedy="give a matrix") from error
    if given.ndim != 2:
        raise DataError(f"genotypes are a matrix of samples by variants, not of {given.ndim} dimensions", where=where)
    return given


def _check_strands(calls: Calls, strand: Calls) -> None:
    """Refuse a first strand that leaves fewer than no or more than one copy for the second one."""
    copies, first = calls.dense(), strand.dense()
    wrong = (copies >= 0) & (first >= 0) & ((first > copies) | (copies - first > 1))
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        what = f"{first[row, column]} of {copies[row, column]} copies on the first strand at sample {row}, variant {column}"
        raise DataError(f"{what} (counted from 0) do not leave 0 or 1 for the second one", where="first_strand")


def _sample_table(table: pd.DataFrame | None, labels: Sequence[object] | np.ndarray | None, num_samples: int) -> pd.DataFrame:
    people = pd.DataFrame(index=[f"sample_{row}" for row in range(num_samples)]) if table is None else table.copy()
    _check_length(len(people), num_samples, "the table", "samples")
    people.index = people.index.astype(str)
    if labels is not None:
        given = np.asarray(labels)
        if given.ndim != 1:
            raise DataError(f"labels are one for each sample, not of {given.ndim} dimensions", where="genotypes")
        _check_length(len(given), num_samples, "labels", "samples")
        people[LABEL] = given
    return people


def _variants(variants: pd.DataFrame | None, num_variants: int) -> pd.DataFrame:
    if variants is None:
        columns = {CHROMOSOME: "", POSITION: np.arange(1, num_variants + 1), COUNTED: "", OTHER: ""}
        return pd.DataFrame(columns, index=[f"variant_{place}" for place in range(num_variants)])
    absent = [name for name in (CHROMOSOME, POSITION, COUNTED, OTHER) if name not in variants]
    if absent:
        raise DataError(f"the table of variants has no column '{absent[0]}'", where="genotypes")
    _check_length(len(variants), num_variants, "the table of variants", "variants")
    return variants.set_axis(variants.index.astype(str), axis=0)


def _check_length(found: int, expected: int, what: str, noun: str) -> None:
    if found != expected:
        raise DataError(f"{what} has {found:,} {noun}, and the genotypes have {expected:,}", where="genotypes")
