"""Hashes of what is read, by which a run knows its data again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genoken.core.calls import Calls
from genoken.core.files import sha256_of_file, sha256_of_folder
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
    """Return the SHA-256 of the values, the sample ids and the feature ids."""
    digest = hashlib.sha256()
    values = samples.values
    arrays = (values.packed,) if isinstance(values, Calls) else (values.indptr, values.indices, values.data)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    for names in (samples.table.index, samples.features.index):
        digest.update("\x1f".join(map(str, names)).encode())
    return digest.hexdigest()
