"""Families are found, strangers are not made relatives by chance, and a person who is there twice is seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.genotypes import sparse_dosages
from genoken.core.samples import Samples
from genoken.data.genotypes.relatives import chance_kinship, duplicates, relatives


def people(num_variants, num_strangers=60, seed=0):
    """Return strangers, and behind them two children of the first two and a second sample of the third."""
    rng = np.random.default_rng(seed)
    frequency = rng.uniform(0.2, 0.5, num_variants)
    strands = rng.random((num_strangers, 2, num_variants)) < frequency
    children = [
        np.stack([parent[rng.integers(0, 2, num_variants), np.arange(num_variants)] for parent in strands[:2]]) for _ in "ab"
    ]
    dense = np.concatenate([strands, children, strands[2:3]]).sum(axis=1).astype(np.int8)
    features = pd.DataFrame(
        {"chromosome": "1", "position_bp": np.arange(num_variants)}, index=[f"rs{index}" for index in range(num_variants)]
    )
    table = pd.DataFrame(index=[f"p{row}" for row in range(len(dense))])
    return Samples(sparse_dosages(dense), table, features, "dosage", "people")


def test_a_family_is_one_group_and_strangers_are_their_own():
    groups, threshold = relatives(people(3000), 0.0442)
    expected = [f"p{row}" for row in range(63)]
    expected[1] = expected[60] = expected[61] = "p0"  # parents have no kinship, but common children
    expected[62] = "p2"
    assert groups.tolist() == expected
    assert threshold == pytest.approx(chance_kinship(63, 3000), rel=0.02)  # hardly a variant is left out
    assert threshold > 0.0442


def test_what_is_chance_falls_with_variants_and_grows_with_pairs():
    assert chance_kinship(1000, 10_000) == pytest.approx((2 * np.log(499_500) / 10_000) ** 0.5)
    assert chance_kinship(1, 100) == pytest.approx((2 * np.log(2) / 100) ** 0.5)


def test_few_variants_tell_no_relatives():
    assert relatives(people(300), 0.0442) is None


def test_a_person_who_is_there_twice_is_found():
    pairs = duplicates(people(500))
    assert pairs[["first", "second"]].to_numpy().tolist() == [[2, 62]]
    assert pairs["kinship"].tolist() == [0.5]
    assert duplicates(people(199)) is None  # too few variants to tell
