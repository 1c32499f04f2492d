"""Quality of variants: counts and exact tests typed by hand."""

from __future__ import annotations

from fractions import Fraction
from math import factorial

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.vocabulary import variant_quality
from genoken.vocabulary.variant_quality import (
    filter_variants,
    genotype_counts,
    hardy_weinberg,
    sample_call_rate,
    variant_statistics,
)

#                  kept shared shared calls one-allele rare  HWE
DENSE = np.array(
    [
        [0, 1, 1, -1, 2, 0, 1],
        [1, 1, 1, -1, 2, 0, 1],
        [2, 0, 0, 0, 2, 0, 1],
        [1, 0, 0, 1, 2, 0, 1],
        [0, 2, 2, 2, -1, 0, 1],
        [1, 1, 1, 1, 2, 0, 1],
        [0, 1, 1, 0, 2, 0, 1],
        [1, 0, 0, 0, 2, 1, 1],
    ],
    dtype=np.int8,
)
FEATURES = pd.DataFrame(
    {"chromosome": ["1", "1", "1", "1", "1", "2", "2"], "position_bp": [10, 20, 20, 30, 40, 20, 30]}, index=list("abcdefg")
)


def enumerated(homozygous: int, heterozygous: int, other: int) -> float:
    """Return the exact p by adding up fractions over every number of heterozygotes."""
    samples, rare = homozygous + heterozygous + other, 2 * min(homozygous, other) + heterozygous

    def chance(count: int) -> Fraction:
        few, many = (rare - count) // 2, (2 * samples - rare - count) // 2
        return Fraction(2**count, factorial(few) * factorial(count) * factorial(many))

    chances = {count: chance(count) for count in range(rare % 2, rare + 1, 2)}
    return float(sum(value for value in chances.values() if value <= chances[heterozygous]) / sum(chances.values()))


def test_counts_are_typed_by_hand():
    expected = [[3, 4, 1, 0], [3, 4, 1, 0], [3, 4, 1, 0], [3, 2, 1, 2], [0, 0, 7, 1], [7, 1, 0, 0], [0, 8, 0, 0]]
    assert genotype_counts(DENSE).tolist() == expected
    assert genotype_counts(np.repeat(DENSE, 200, axis=0)).tolist() == (200 * np.array(expected)).tolist()


def test_statistics_are_typed_by_hand():
    found = variant_statistics(genotype_counts(DENSE))
    assert found["call_rate"].tolist() == [1, 1, 1, 0.75, 0.875, 1, 1]
    assert found["frequency"].tolist() == [6 / 16, 6 / 16, 6 / 16, 4 / 12, 1, 1 / 16, 0.5]
    assert found["minor_frequency"].tolist() == [6 / 16, 6 / 16, 6 / 16, 4 / 12, 0, 1 / 16, 0.5]
    assert found["genotypes"].tolist() == [3, 3, 3, 3, 1, 2, 1]


def test_a_variant_without_a_call_has_no_frequency():
    found = variant_statistics(np.array([[0, 0, 0, 3]])).iloc[0]
    assert (found["call_rate"], found["genotypes"], found["hardy_weinberg"]) == (0, 0, 1)
    assert np.isnan(found["minor_frequency"])


def test_other_numbers_are_refused():
    with pytest.raises(DataError, match="other than 0, 1, 2 and -1"):
        genotype_counts(np.array([[3]], dtype=np.int8))


def test_call_rates_of_samples():
    assert sample_call_rate(DENSE).tolist() == [6 / 7, 6 / 7, 1, 1, 6 / 7, 1, 1, 1]


def test_the_papers_table_of_100_samples_with_21_rare_alleles():
    heterozygous = np.array([21, 19, 17, 15, 13])
    rare = (21 - heterozygous) // 2
    found = hardy_weinberg(rare, heterozygous, 100 - rare - heterozygous)
    assert np.allclose(found, [0.593645, 1.0, 0.284042, 0.069576, 0.010293], atol=5e-7)


def test_a_published_example():
    assert hardy_weinberg(np.array([14]), np.array([57]), np.array([50]))[0] == pytest.approx(0.8422797565708, rel=1e-10)


@pytest.mark.parametrize("counts", [(0, 8, 0), (5, 0, 5), (1, 0, 30), (10, 3, 2), (0, 1, 7), (33, 20, 47), (3, 0, 0)])
def test_it_is_the_sum_over_every_number_of_heterozygotes(counts):
    by_kernel = hardy_weinberg(*(np.array([count]) for count in counts))[0]
    assert by_kernel == pytest.approx(enumerated(*counts), rel=1e-9)
    plain = getattr(variant_quality._exact_p, "py_func", variant_quality._exact_p)
    assert plain(*(np.array([count]) for count in counts))[0] == pytest.approx(by_kernel, rel=1e-12)


def test_the_order_of_the_alleles_does_not_matter_and_large_counts_do_not_overflow():
    draw = generator(3, "counts").integers(0, 60, size=(50, 3))
    assert np.allclose(hardy_weinberg(draw[:, 0], draw[:, 1], draw[:, 2]), hardy_weinberg(draw[:, 2], draw[:, 1], draw[:, 0]))
    large = hardy_weinberg(np.array([40_000, 25_000]), np.array([0, 50_000]), np.array([60_000, 25_000]))
    assert large[0] == 0
    assert large[1] == pytest.approx(1, abs=1e-6)


def test_a_variant_counts_under_the_first_rule_that_it_fails():
    found = filter_variants(genotype_counts(DENSE), FEATURES, min_call_rate=0.8, min_frequency=0.1, min_hardy_weinberg=0.05)
    assert found.kept.tolist() == [True, False, False, False, False, False, False]
    assert found.table.values.tolist() == [
        ["biallelic", "alone at its position", 2],
        ["call rate", "≥ 0.8", 1],
        ["varies", "more than one genotype", 2],
        ["minor allele frequency", "≥ 0.1", 1],
        ["Hardy-Weinberg", "p ≥ 0.05", 0],
        ["kept", "", 1],
    ]


def test_rules_can_be_relaxed():
    counts = genotype_counts(DENSE)
    relaxed = {"min_call_rate": 0, "min_frequency": 0, "min_hardy_weinberg": 0, "keep_shared_positions": True}
    assert filter_variants(counts, FEATURES, **relaxed).kept.tolist() == [True, True, True, True, False, True, False]


def test_proportions_are_not_asked_for_on_chromosomes_that_men_have_once():
    counts, places = np.array([[40, 0, 40, 0], [40, 0, 40, 0], [20, 40, 20, 0]]), {"position_bp": [1, 2, 3]}
    found = filter_variants(counts, pd.DataFrame({"chromosome": ["1", "X", "1"], **places}), min_hardy_weinberg=1e-6)
    assert found.kept.tolist() == [False, True, True]
    assert found.table["variants"].tolist() == [0, 0, 0, 0, 1, 2]


def test_tables_of_another_length_are_refused():
    with pytest.raises(ValueError, match="6 rows of features for 7 variants"):
        filter_variants(genotype_counts(DENSE), FEATURES.iloc[1:])
