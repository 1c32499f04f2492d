"""Numba kernels over sparse genotypes: put into a vocabulary's orientation, pack into tokens; they hold no lock."""

from __future__ import annotations

import numba
import numpy as np

from genoken.core.layout import CLS_ID, NUM_SPECIALS

SAME, FLIPPED, ABSENT = 0, 1, 2
"""How a vocabulary's variant stands in a file: it counts the same allele, it counts the other one, or it is not there."""
MISSING_GENOTYPE = 4
"""Genotype of a call that is missing; 0 to 3 are those of :func:`genotype_of`."""
NUM_GENOTYPES = 5
"""Homozygous for the other allele, heterozygous, homozygous for the counted allele, heterozygous on the second strand, missing."""


@numba.njit(nogil=True, cache=True)
def genotype_of(value: float) -> int:
    """Return the genotype of a prepared value: 0, 1, 2 copies, or 3 for one copy on the second strand, which is prepared as -1."""
    if np.isnan(value):
        return MISSING_GENOTYPE
    return 3 if value < 0 else int(value + 0.5)


@numba.njit(nogil=True, cache=True)
def sign_by_strand(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    first_indptr: np.ndarray,
    first_indices: np.ndarray,
    first_data: np.ndarray,
    num_columns: int,
) -> np.ndarray:
    """Return the data of a CSR matrix of dosages with -1 in place of 1 where the copy is on the second strand.

    Parameters
    ----------
    indptr, indices, data
        Dosages.
    first_indptr, first_indices, first_data
        Copies on the first strand, of the same shape.
    num_columns
        Columns of both.
    """
    signed = data.copy()
    on_first = np.zeros(num_columns, dtype=np.float32)
    for row in range(len(indptr) - 1):
        for stored in range(first_indptr[row], first_indptr[row + 1]):
            on_first[first_indices[stored]] = first_data[stored]
        for stored in range(indptr[row], indptr[row + 1]):
            if data[stored] == 1 and on_first[indices[stored]] == 0:
                signed[stored] = -1
        for stored in range(first_indptr[row], first_indptr[row + 1]):
            on_first[first_indices[stored]] = 0
    return signed


@numba.njit(nogil=True, cache=True)
def _oriented(value: np.float32, orientation: int, is_phased: bool) -> np.float32:
    if orientation != FLIPPED:
        return value
    return -value if is_phased and abs(value) == 1 else np.float32(2) - value


@numba.njit(nogil=True, cache=True)
def _without(orientation: np.ndarray) -> np.ndarray:
    """Return the value of each variant where nothing is stored."""
    empty = np.zeros(len(orientation), dtype=np.float32)
    for variant in range(len(orientation)):
        if orientation[variant] == FLIPPED:
            empty[variant] = 2
        elif orientation[variant] == ABSENT:
            empty[variant] = np.nan
    return empty


@numba.njit(nogil=True, cache=True)
def orient(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    variant_of: np.ndarray,
    orientation: np.ndarray,
    is_phased: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return indptr, indices and data of the genotypes in a vocabulary's order and orientation, sorted within rows.

    Parameters
    ----------
    indptr, indices, data
        A CSR matrix of dosages, signed by :func:`sign_by_strand` where ``is_phased``.
    variant_of
        int32 of shape (columns,): the vocabulary's variant in each column, -1 for none.
    orientation
        int8 of shape (variants,): ``SAME``, ``FLIPPED`` or ``ABSENT``; absent ones are missing in every sample.
    is_phased
        Whether the sign of a single copy says on which strand it is; the other allele is then on the other one.
    """
    num_variants, empty = len(orientation), _without(orientation)
    starts = np.zeros(len(indptr), dtype=np.int64)
    row_values = empty.copy()
    new_indices, new_data = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
    # Once to count, once to write: the result can be larger or smaller than what is stored, by what is flipped or left out.
    for is_counting in (True, False):
        if not is_counting:
            new_indices = np.empty(starts[-1], dtype=np.int32)
            new_data = np.empty(starts[-1], dtype=np.float32)
        for row in range(len(indptr) - 1):
            row_values[:] = empty
            for stored in range(indptr[row], indptr[row + 1]):
                variant = variant_of[indices[stored]]
                if variant >= 0 and orientation[variant] != ABSENT:
                    row_values[variant] = _oriented(data[stored], orientation[variant], is_phased)
            written = starts[row]
            for variant in range(num_variants):
                if row_values[variant] != 0:
                    if not is_counting:
                        new_indices[written] = variant
                        new_data[written] = row_values[variant]
                    written += 1
            starts[row + 1] = written
    return starts, new_indices, new_data


@numba.njit(nogil=True, cache=True)
def pack_variants(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    rows: np.ndarray,
    mean: np.ndarray,
    shift: np.ndarray,
    code_of: np.ndarray,
    first_code: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return identities, values and codes with every variant of each row in order, after a CLS token with value and code 0.

    Parameters
    ----------
    indptr, indices, data
        Prepared genotypes.
    rows
        int64, which rows.
    mean
        float32 of shape (variants,), the value of a missing call.
    shift
        float32 of shape (variants,), added to every value.
    code_of
        int64 of shape (genotypes,), the code of each genotype; empty where codes are not wanted.
    first_code
        int64 of shape (variants,), added to the code.
    """
    num_variants, has_codes = len(mean), len(code_of) > 0
    length = num_variants + 1
    identities = np.empty(len(rows) * length, dtype=np.int64)
    values = np.empty(len(rows) * length, dtype=np.float32)
    codes = np.empty(len(rows) * length if has_codes else 0, dtype=np.int64)
    for position in range(len(rows)):
        start = position * length
        identities[start], values[start] = CLS_ID, 0
        for variant in range(num_variants):
            identities[start + 1 + variant] = NUM_SPECIALS + variant
            values[start + 1 + variant] = shift[variant]
        if has_codes:
            codes[start] = 0
            for variant in range(num_variants):
                codes[start + 1 + variant] = first_code[variant] + code_of[0]
        for stored in range(indptr[rows[position]], indptr[rows[position] + 1]):
            variant, value = indices[stored], data[stored]
            place = start + 1 + variant
            values[place] = shift[variant] + (mean[variant] if np.isnan(value) else abs(value))
            if has_codes:
                codes[place] = first_code[variant] + code_of[genotype_of(value)]
    return identities, values, codes
