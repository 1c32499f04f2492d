"""Synthetic genotypes: the laws of the model hold, and mosaics keep the frequencies and the linkage of their panel."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.core.genotypes import dense_dosages
from genoken.synthetic_genotypes import centimorgans, recombined, simulate_genotypes


@pytest.fixture(scope="module")
def people():
    return simulate_genotypes(1000, 2000, seed=1)


def strands(samples):
    first = dense_dosages(samples.first_strand).astype(np.int16)
    return first, dense_dosages(samples.values) - first


def r_squared(left, right):
    left, right = (values - values.mean(axis=0) for values in (left, right))
    return (left * right).mean(axis=0) ** 2 / (left.var(axis=0) * right.var(axis=0))


def test_are_phased_dosages_with_tables(people):
    assert people.value_kind == "dosage"
    assert people.values.shape == (1000, 2000)
    assert people.values.dtype == np.float32
    assert all(set(np.unique(strand)) == {0, 1} for strand in strands(people))
    assert people.features.index.is_unique
    assert people.table.index.is_unique
    assert (np.diff(people.features["position_bp"]) > 0).all()
    assert (people.features["counted_allele"] != people.features["other_allele"]).all()
    assert set(people.features["counted_allele"]) == set("ACGT")


def test_are_a_function_of_the_seed(people):
    again, other = simulate_genotypes(1000, 2000, seed=1), simulate_genotypes(1000, 2000, seed=2)
    assert (people.values != again.values).nnz == 0
    assert (people.first_strand != again.first_strand).nnz == 0
    assert people.features.equals(again.features)
    assert not np.array_equal(people.features["position_bp"], other.features["position_bp"])


def test_strands_are_paired_at_random(people):
    first, second = strands(people)
    frequency = (first + second).mean(axis=0) / 2
    expected = 2 * frequency * (1 - frequency)  # Hardy-Weinberg
    assert (first != second).mean(axis=0).sum() == pytest.approx(expected.sum(), rel=0.02)


def test_rare_variants_are_the_more_common(people):
    frequency = dense_dosages(people.values).mean(axis=0) / 2
    minor = np.minimum(frequency, 1 - frequency)
    expected = [np.log((1 - low) / low) - np.log((1 - high) / high) for low, high in ((0.02, 0.05), (0.05, 0.2), (0.2, 0.4999))]
    shares = np.histogram(minor, [0.02, 0.05, 0.2, 0.5])[0]
    assert shares / shares.sum() == pytest.approx(np.array(expected) / sum(expected), abs=0.08)
    assert minor.min() > 0


def test_linkage_decays_with_distance(people):
    dosages = dense_dosages(people.values).astype(float)
    common = np.flatnonzero(np.abs(dosages.mean(axis=0) - 1) < 0.9)
    values, position = dosages[:, common], people.features["position_bp"].to_numpy()[common]
    left, right = np.triu_indices(len(common), 1)
    chosen = np.random.default_rng(0).choice(len(left), 8_000, replace=False)
    left, right = left[chosen], right[chosen]
    found, distance = r_squared(values[:, left], values[:, right]), position[right] - position[left]
    near, middle, far = (found[(distance >= low) & (distance < high)].mean() for low, high in ((0, 5e3), (5e4, 1e5), (4e5, 1e6)))
    assert near > 0.2
    assert 0.04 < middle < 0.6 * near
    assert far < 0.02


def test_populations_differ_by_their_fixation_index():
    found = []
    for seed in range(5):
        people = simulate_genotypes(600, 1000, seed, populations=2, fst=0.1, chromosomes=4)
        code = people.table["population"].to_numpy()
        one, other = (dense_dosages(people.take(code == f"population_{name}").values).mean(axis=0) / 2 for name in (1, 2))
        # Hudson's estimator: what is between, of what is between and within
        between = np.sum((one - other) ** 2 - one * (1 - one) / 599 - other * (1 - other) / 599)
        found.append(between / np.sum(one * (1 - other) + other * (1 - one)))
    assert np.mean(found) == pytest.approx(0.1, abs=0.02)


def test_chromosomes_are_not_linked():
    people = simulate_genotypes(1500, 400, 3, chromosomes=2)
    assert list(people.features["chromosome"].value_counts()) == [200, 200]
    values = dense_dosages(people.values).astype(float)
    assert r_squared(values[:, :200], values[:, 200:]).mean() < 0.003  # 1 / 1,500 by chance


def test_children_have_one_strand_of_each_parent():
    people = simulate_genotypes(41, 3000, 4, children=2)
    first, second = strands(people)
    table = people.table
    children = np.flatnonzero(table["mother"] != "")
    assert len(children) == 20
    assert table["family"].value_counts().iloc[0] == 4
    assert table["family"].iloc[-1] == "PERSON00041"
    for strand, parent in ((first, "mother"), (second, "father")):
        rows = table.index.get_indexer(table[parent].iloc[children])
        is_own = (strand[children] == first[rows]) | (strand[children] == second[rows])
        assert is_own.all()
    assert set(table.loc[table["father"].iloc[children], "sex"]) == {"male"}
    assert set(table.loc[table["mother"].iloc[children], "sex"]) == {"female"}


def test_two_children_share_half_of_a_parents_chromosomes():
    people = simulate_genotypes(400, 200, 5, children=2, chromosomes=20)
    values = dense_dosages(people.values).astype(float)
    values -= values.mean(axis=0)
    sibs = [np.corrcoef(values[row + 2], values[row + 3])[0, 1] for row in range(0, 400, 4)]
    couples = [np.corrcoef(values[row], values[row + 1])[0, 1] for row in range(0, 400, 4)]
    assert np.mean(sibs) == pytest.approx(0.5, abs=0.06)
    assert np.mean(couples) == pytest.approx(0.0, abs=0.06)


def test_two_thousand_people_take_less_than_two_seconds():
    before = time.process_time()
    simulate_genotypes(2000, 5000)
    assert time.process_time() - before < 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 0}, "0 samples cannot be simulated"),
        ({"variants": 1, "chromosomes": 2}, "1 variants cannot be simulated"),
        ({"fst": 1.0}, "a fixation index of 1.0 is not possible"),
        ({"min_frequency": 0.5}, "a least minor allele frequency of 0.5 is not possible"),
    ],
)
def test_refuses_impossible_numbers(arguments, message):
    with pytest.raises(DataError, match=message):
        simulate_genotypes(**{"samples": 10, "variants": 10, **arguments})


def table_of(position_cm):
    count = len(position_cm)
    columns = {"chromosome": ["1"] * count, "position_bp": range(1, count + 1), "counted_allele": ["A"] * count}
    return pd.DataFrame({**columns, "other_allele": ["C"] * count, "build": [""] * count, "position_cm": position_cm})


def test_mosaics_keep_frequencies_and_linkage_of_their_panel():
    panel = np.array([[0, 0, 0, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]], dtype=np.int8)
    people = recombined(panel, table_of([0.0, 0.0, 1000.0, 1000.0]), 3000, seed=1)
    first, second = strands(people)
    both = np.concatenate([first, second])
    assert both.mean(axis=0) == pytest.approx([0.5, 0.5, 0.5, 0.5], abs=0.02)
    assert np.array_equal(both[:, 0], both[:, 1])  # no genetic distance between them: never parted
    correlation = np.corrcoef(both.T)
    assert correlation[0, 2] == pytest.approx(0, abs=0.04)
    assert correlation[0, 3] == pytest.approx(0, abs=0.04)  # -1 in the panel, but 10 Morgans away


def test_mosaics_switch_as_often_as_the_model_says():
    count = 500
    panel = np.repeat(np.eye(2, dtype=np.int8)[:, :1], count, axis=1)  # all ones, and all zeros
    people = recombined(panel, table_of(np.arange(count) * 1e-5), 400, seed=2)
    first, second = strands(people)
    switches = np.abs(np.diff(np.concatenate([first, second]), axis=1)).mean()
    assert switches == pytest.approx(0.5 * -np.expm1(-1e-7 * 4 * 11_418 / 2), rel=0.1)  # half of them to the same haplotype


def test_refuses_a_panel_without_ascending_positions():
    panel = np.eye(3, dtype=np.int8)
    with pytest.raises(DataError, match="not ascending"):
        recombined(panel, table_of([0.0, 2.0, 1.0]), 5)
    with pytest.raises(DataError, match="no genetic positions"):
        recombined(panel, table_of([0.0, 1.0, 2.0]).drop(columns="position_cm"), 5)


def test_genetic_positions_are_interpolated():
    found = centimorgans(np.array([0, 1_500_000, 2_000_000, 5_000_000]), np.array([1e6, 2e6]), np.array([3.0, 7.0]))
    assert found == pytest.approx([2.0, 5.0, 7.0, 10.0])
