"""Genotypes of simulated genealogies: shapes, populations, and what is said without msprime."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from genoken.core.errors import DataError, MissingExtraError
from genoken.core.genotypes import dense_dosages
from genoken.synthetic_ancestry import simulate_ancestry


def test_draws_people_of_two_populations():
    pytest.importorskip("msprime")
    people = simulate_ancestry(101, 300, seed=1, populations=2, fst=0.3)
    again = simulate_ancestry(101, 300, seed=1, populations=2, fst=0.3)
    assert (people.values != again.values).nnz == 0
    assert people.values.shape == (101, 300)
    assert dict(people.table["population"].value_counts()) == {"population_1": 51, "population_2": 50}
    assert (np.diff(people.features["position_bp"]) > 0).all()
    values, first = dense_dosages(people.values), dense_dosages(people.first_strand)
    assert set(np.unique(values - first)) == {0, 1}
    frequency = values.mean(axis=0) / 2
    assert np.minimum(frequency, 1 - frequency).min() >= 0.01
    one, other = values[:51].mean(axis=0) / 2, values[51:].mean(axis=0) / 2
    between = np.sum((one - other) ** 2) / np.sum(one * (1 - other) + other * (1 - one))
    assert 0.15 < between < 0.5


def test_says_when_variants_are_too_rare():
    pytest.importorskip("msprime")
    with pytest.raises(DataError, match="of 50 variants have a minor allele frequency"):
        simulate_ancestry(51, 50, seed=1, min_frequency=0.5)


def test_names_the_extra_without_msprime(monkeypatch):
    monkeypatch.setitem(sys.modules, "msprime", None)
    with pytest.raises(MissingExtraError, match="'msprime' is not installed") as error:
        simulate_ancestry(10, 10)
    assert "genoken[sim]" in str(error.value)
