"""Hashes of what is read, by which a run knows its data again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from genoken.core.calls import Calls
from genoken.core.files import sha256_of_file, sha256_of_folder
from genoken.core.genotypes import COUNTED, OTHER
from genoken.core.samples import Samples
from genoken.workflows.files import files_of


def hash_of_file(path: Path) -> str:
    """Return the SHA-256 of a file, of a folder, or of all files that are read together with the named one."""
    if path.is_dir():
        return sha256_of_folder(path)
    hashes = [sha256_of_file(file) for file in files_of(path)]
    return hashes[0] if len(hashes) == 1 else hash_together(hashes)


def hash_together(hashes: Sequence[str]) -> str:
    """Return one SHA-256 of several, in their order."""
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def hash_of_samples(samples: Samples) -> str:
    """Return the SHA-256 of the values, the sample ids and the feature ids; of genotypes, of strands and alleles too."""
    digest = hashlib.sha256()
    for matrix in (samples.values, samples.first_strand):
        if matrix is not None:
            for array in _arrays(matrix):
                digest.update(np.ascontiguousarray(array).tobytes())
    alleles = [samples.features[name] for name in (COUNTED, OTHER) if samples.value_kind == "dosage"]
    for names in (samples.table.index, samples.features.index, *alleles):
        digest.update("\x1f".join(map(str, names)).encode())
    return digest.hexdigest()


def _arrays(matrix: sp.csr_matrix | Calls) -> tuple[np.ndarray, ...]:
    return (matrix.packed,) if isinstance(matrix, Calls) else (matrix.indptr, matrix.indices, matrix.data)
