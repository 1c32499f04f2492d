"""Copies of a person are found among few variants; people who share the haplotypes of a short region are not taken for copies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.genotypes import MISSING, sparse_dosages
from genoken.core.samples import Samples
from genoken.data.genotypes.copies import identical_pairs


def samples_of(dense: np.ndarray) -> Samples:
    """Return samples of dense genotypes."""
    features = pd.DataFrame({"chromosome": "1", "position_bp": np.arange(dense.shape[1])})
    features.index = features.index.astype(str)
    return Samples(sparse_dosages(dense.astype(np.int8)), pd.DataFrame(index=range(len(dense))), features, "dosage", "people")


def strangers(num_samples: int, num_variants: int, seed: int = 0) -> np.ndarray:
    """Return genotypes of unlinked variants."""
    rng = np.random.default_rng(seed)
    return rng.binomial(2, rng.uniform(0.2, 0.5, num_variants), (num_samples, num_variants))


@pytest.mark.parametrize(("num_variants", "num_samples"), [(40, 200), (300, 600)])
def test_copies_are_found_exact_or_with_a_call_that_differs_or_is_missing(num_variants, num_samples):
    dense = strangers(num_samples, num_variants)
    dense[-1], dense[-2], dense[-3] = dense[0], dense[1], dense[2]
    dense[-2, 5] = (dense[-2, 5] + 1) % 3
    dense[-3, :4] = MISSING
    pairs = identical_pairs(samples_of(dense))
    assert pairs.to_numpy().tolist() == [[0, num_samples - 1], [1, num_samples - 2], [2, num_samples - 3]]


def test_copies_of_inbred_lines_without_heterozygous_calls_are_found():
    dense = 2 * (strangers(60, 80) > 0)
    dense[7] = dense[3]
    assert identical_pairs(samples_of(dense)).to_numpy().tolist() == [[3, 7]]


def test_strangers_are_no_copies():
    assert identical_pairs(samples_of(strangers(200, 40))).empty
    assert identical_pairs(samples_of(strangers(1, 40))).empty


def test_few_variants_cannot_tell():
    dense = strangers(200, 8)
    dense[-1] = dense[0]
    assert identical_pairs(samples_of(dense)) is None


@pytest.mark.parametrize(("num_haplotypes", "num_variants"), [(6, 200), (30, 400), (60, 400)])
def test_people_with_the_same_two_haplotypes_of_a_region_cannot_be_told_from_copies(num_haplotypes, num_variants):
    rng = np.random.default_rng(num_haplotypes)
    haplotypes = rng.random((num_haplotypes, num_variants)) < rng.uniform(0.1, 0.5, num_variants)
    dense = haplotypes[rng.integers(0, num_haplotypes, (200, 2))].sum(axis=1)
    assert len(np.unique(dense, axis=0)) < 200
    assert identical_pairs(samples_of(dense)) is None
