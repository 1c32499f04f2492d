"""Variants that have one genotype in all samples, from which nothing can be learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genoken.core.errors import DataError
from genoken.core.samples import Samples


def monomorphic(samples: Samples) -> np.ndarray:
    """Return which variants have the same genotype in all samples that have a call, or no call at all, bool (variants,)."""
    values = samples.values
    absent = np.isnan(values.data)
    called = samples.num_samples - np.bincount(values.indices[absent], minlength=samples.num_features)
    found = np.zeros(samples.num_features, dtype=bool)
    stored = np.zeros(samples.num_features, dtype=np.int64)
    for copies in (1, 2):
        of_these = np.bincount(values.indices[values.data == copies], minlength=samples.num_features)
        found |= of_these == called
        stored += of_these
    return found | (stored == 0)


def without_monomorphic(samples: Samples) -> tuple[Samples, list[str]]:
    """Leave out variants that are monomorphic in these samples, and say how many.

    Raises
    ------
    DataError
        When no other is left.
    """
    useless = monomorphic(samples)
    count = int(useless.sum())
    if not count:
        return samples, []
    if useless.all():
        raise DataError("every variant has the same genotype in all samples: nothing can be learned", where=samples.origin)
    keep = np.flatnonzero(~useless)
    strand = None if samples.first_strand is None else samples.first_strand[:, keep]
    kept = replace(samples, values=samples.values[:, keep], features=samples.features.iloc[keep], first_strand=strand)
    said = "1 variant has" if count == 1 else f"{count:,} variants have"
    return kept, [f"{said} the same genotype in all samples and {'is' if count == 1 else 'are'} left out"]
