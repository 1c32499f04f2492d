"""Kinship: typed by hand, planted families, and the people that two real cohorts share."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.random import generator
from genoken.data.genotypes import relatedness
from genoken.data.genotypes.alleles import join_variants, oriented
from genoken.data.genotypes.relatedness import duplicate_pairs, kinship_groups, related_pairs

NAMES = ["father", "mother", "son", "daughter", "stranger", "son again", "grandchild"]


def child(random, *parents):
    """Return the two strands of a child; unlinked variants: each parent gives either of its alleles."""
    variants = np.arange(parents[0].shape[1])
    return np.stack([parent[random.integers(0, 2, len(variants)), variants] for parent in parents])


@pytest.fixture(scope="module")
def family():
    """int8 (7, 20000): two parents, two children, a stranger, the son again with missing calls, and the son's child."""
    random = generator(11, "family")
    frequency = random.uniform(0.1, 0.9, 20_000)
    father, mother, stranger, other = (random.random((2, 20_000)) < frequency for _ in range(4))
    son, daughter = child(random, father, mother), child(random, father, mother)
    people = [father, mother, son, daughter, stranger, son, child(random, son, other)]
    dense = np.stack([person.sum(axis=0) for person in people]).astype(np.int8)
    dense[5, random.random(20_000) < 0.2] = -1
    return dense


def test_kinship_is_typed_by_hand():
    dense = np.array([[0, 1, 2, 1, 1, 2, 1, -1], [0, 1, 2, 1, 2, 0, -1, 1], [0, 0, 2, 2, 2, 2, 2, 2]], dtype=np.int8)
    found = related_pairs(dense, min_kinship=-10)
    # Rows 0 and 1: six variants in both, squared differences 1 + 4, heterozygous 3 and 2; row 2 has no heterozygous variant.
    assert found.values.tolist() == [[0, 1, 0.5 - 5 / 8, 1 / 6, 6]]
    assert related_pairs(dense).empty


def test_a_planted_family_is_found(family):
    found = related_pairs(family)
    by_names = {(NAMES[row.first], NAMES[row.second]): row for row in found.itertuples()}
    expected = {
        ("father", "son"): 0.25,
        ("father", "daughter"): 0.25,
        ("mother", "son"): 0.25,
        ("mother", "daughter"): 0.25,
        ("son", "daughter"): 0.25,
        ("father", "son again"): 0.25,
        ("mother", "son again"): 0.25,
        ("daughter", "son again"): 0.25,
        ("son", "son again"): 0.5,
        ("son", "grandchild"): 0.25,
        ("son again", "grandchild"): 0.25,
        ("father", "grandchild"): 0.125,
        ("mother", "grandchild"): 0.125,
        ("daughter", "grandchild"): 0.125,
    }
    assert sorted(by_names) == sorted(expected)
    assert all(abs(by_names[pair].kinship - kinship) < 0.02 for pair, kinship in expected.items())
    assert by_names["father", "son"].apart == 0
    assert by_names["son", "daughter"].apart > 0.01
    assert by_names["son", "son again"].variants == (family[5] >= 0).sum()
    duplicates = duplicate_pairs(found)
    assert duplicates[["first", "second"]].values.tolist() == [[2, 5]]


def test_blocks_of_samples_and_variants_change_nothing(family, monkeypatch):
    whole = related_pairs(family, min_kinship=-1)
    monkeypatch.setattr(relatedness, "_SAMPLES_AT_ONCE", 3)
    monkeypatch.setattr(relatedness, "_VARIANTS_AT_ONCE", 999)
    assert len(whole) == 21
    assert related_pairs(family, min_kinship=-1).equals(whole)


def test_groups_are_connected_components(family):
    groups = kinship_groups(related_pairs(family), NAMES)
    assert groups.tolist() == ["father"] * 4 + ["stranger"] + ["father"] * 2
    # Above 0.2 the grandchild still hangs on the son; only duplicates, it does not.
    assert kinship_groups(duplicate_pairs(related_pairs(family)), NAMES).tolist() == [*NAMES[:5], "son", "grandchild"]
    assert kinship_groups(related_pairs(family[:0]), []).tolist() == []


def test_people_in_two_real_cohorts_are_found_once_alleles_are_oriented(cohorts):
    first, second = cohorts
    join = join_variants(first.features, second.features)
    sparse = slice(None, None, 4)
    genotypes = [
        first.dense[:, join.first[sparse]],
        oriented(second.dense, join.second[sparse], join.flipped[sparse]),
    ]
    found = duplicate_pairs(related_pairs(np.concatenate(genotypes), min_kinship=0.2))
    people = first.people + second.people
    pairs = {(people[row.first], people[row.second]) for row in found.itertuples()}
    shared = set(first.people) & set(second.people)
    assert len(shared) == 564
    assert pairs == {(person, person) for person in shared}
