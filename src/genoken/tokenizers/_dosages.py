"""Numba kernel that packs sparse genotypes into tokens; it holds no lock."""

from __future__ import annotations

import numba
import numpy as np

from genoken.core.layout import CLS_ID, NUM_SPECIALS

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
