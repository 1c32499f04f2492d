"""Variants that have one genotype in all samples, from which nothing can be learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genoken.core.calls import Calls
from genoken.core.errors import DataError
from genoken.core.samples import Samples


def monomorphic(samples: Samples) -> np.ndarray:
    """Return which variants have the same genotype in all samples that have a call, or no call at all, bool (variants,)."""
    counts = Calls.of(samples.values).counts()[:3]
    return np.asarray((counts == counts.sum(axis=0)).any(axis=0))


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
    strand = None if samples.first_strand is None else Calls.of(samples.first_strand).columns(keep)
    values = Calls.of(samples.values).columns(keep)
    kept = replace(samples, values=values, features=samples.features.iloc[keep], first_strand=strand)
    said = "1 variant has" if count == 1 else f"{count:,} variants have"
    return kept, [f"{said} the same genotype in all samples and {'is' if count == 1 else 'are'} left out"]
