"""Synthetic traits: shares of the variance are what was asked for, and each architecture is what it says it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.core.genotypes import dense_dosages, sparse_dosages
from genoken.core.samples import Samples
from genoken.synthetic_genotypes import simulate_genotypes
from genoken.synthetic_traits import ARCHITECTURES, BACKGROUND, TraitModel, simulate_trait


@pytest.fixture(scope="module")
def people():
    return simulate_genotypes(1500, 600, seed=1, populations=3)


def typed(first, second):
    """Samples with the strands of a hand-typed table."""
    first, second = np.array(first, dtype=np.int8), np.array(second, dtype=np.int8)
    count = first.shape[1]
    features = pd.DataFrame(
        {
            "chromosome": ["1"] * count,
            "position_bp": np.arange(1, count + 1),
            "counted_allele": ["A"] * count,
            "other_allele": ["C"] * count,
            "build": [""] * count,
        },
        index=[f"v{place}" for place in range(count)],
    )
    table = pd.DataFrame(index=[f"p{row}" for row in range(len(first))])
    both = np.where((first < 0) | (second < 0), -1, first + second).astype(np.int8)
    return Samples(sparse_dosages(both), table, features, "dosage", "typed", first_strand=sparse_dosages(first))


def r_squared(design, values):
    design = np.column_stack([np.ones(len(values)), design])
    rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return 1 - rest.var() / values.var()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("heritability", [0.05, 0.5])
def test_heritability_is_what_was_asked_for(people, architecture, heritability):
    model = TraitModel(architecture, 4, heritability=heritability, polygenic=0.1, population=0.1, covariates=0.1)
    found = simulate_trait(people, model, seed=2)
    assert found.genetic.var() / found.liability.var() == pytest.approx(heritability, rel=0.01)
    assert found.liability.var() == pytest.approx(1)
    assert len(found.causal) == 4
    assert list(found.table.columns) == ["trait", "age", "sex"]
    assert found.table.index.equals(people.table.index)


def test_heritability_is_in_the_causal_dosages(people):
    found = simulate_trait(people, TraitModel("additive", 3, heritability=0.2), seed=3)
    columns = people.features.index.get_indexer(found.causal)
    assert r_squared(dense_dosages(people.values, columns), found.liability) == pytest.approx(0.2, abs=0.01)
    assert np.abs(found.truth["effect"]).round(12).nunique() == 1


def test_effects_are_those_of_the_counted_allele(people):
    found = simulate_trait(people, TraitModel("additive", 1, heritability=0.5), seed=4)
    values = dense_dosages(people.values, people.features.index.get_indexer(found.causal))[:, 0].astype(float)
    assert np.corrcoef(values, found.liability)[0, 1] == pytest.approx(found.truth["effect"][0], abs=0.01)
    assert abs(found.truth["effect"][0]) == pytest.approx(np.sqrt(0.5))


def test_pure_epistasis_tells_nothing_by_one_genotype(people):
    found = simulate_trait(people, TraitModel("epistatic_pure", 2, heritability=0.5), seed=5)
    values = dense_dosages(people.values, people.features.index.get_indexer(found.causal))
    for own in values.T:
        assert r_squared(np.column_stack([own == 1, own == 2]), found.genetic) < 1e-9
    assert list(found.truth["partner"]) == found.causal[::-1]
    cells = np.column_stack([(values == pair).all(axis=1) for pair in np.ndindex(3, 3)])
    assert r_squared(cells, found.genetic) == pytest.approx(1)


def test_epistasis_needs_carriers_of_both():
    samples = typed([[0, 0], [1, 0], [0, 1], [1, 1], [1, 1]] * 4, [[0, 0], [0, 0], [0, 0], [0, 0], [0, 0]] * 4)
    # minor alleles are those that are counted: 12 of 40 on either
    found = simulate_trait(samples, TraitModel("epistatic", causal=("v0", "v1"), heritability=1.0), seed=1)
    assert np.unique(found.liability[[0, 1, 2]].round(9)).size == 1
    assert np.unique(found.liability[[3, 4]].round(9)).size == 1
    assert found.liability[0] != pytest.approx(found.liability[3])


@pytest.mark.parametrize(("architecture", "same"), [("dominant", [(1, 2)]), ("recessive", [(0, 1)]), ("additive", [])])
def test_one_copy_is_like_two_or_like_none(architecture, same):
    samples = typed([[0], [1], [1], [0]] * 5, [[0], [0], [1], [0]] * 5)
    found = simulate_trait(samples, TraitModel(architecture, causal=("v0",), heritability=1.0), seed=1).liability[:3]
    pairs = [(left, right) for left, right in ((0, 1), (1, 2), (0, 2)) if found[left] == pytest.approx(found[right])]
    assert pairs == same


def test_it_is_the_minor_allele_that_is_dominant():
    samples = typed([[1], [1], [0], [1]] * 5, [[1], [0], [0], [1]] * 5)  # the counted allele is the major one
    found = simulate_trait(samples, TraitModel("dominant", causal=("v0",), heritability=1.0), seed=1).liability
    assert found[1] == pytest.approx(found[2])
    assert found[0] != pytest.approx(found[1])


def test_haplotypes_count_strands_with_both_alleles():
    first = [[1, 1], [1, 0], [0, 0], [1, 1], [0, 0], [0, 0]]
    second = [[0, 0], [0, 1], [0, 0], [1, 1], [0, 0], [0, 0]]  # the first two have the same dosages
    found = simulate_trait(typed(first, second), TraitModel("haplotype", causal=("v0", "v1"), heritability=1.0), seed=1).liability
    assert found[1] == pytest.approx(found[2])
    assert found[3] - found[1] == pytest.approx(2 * (found[0] - found[1]))
    assert found[0] != pytest.approx(found[1])


@pytest.mark.parametrize(("prevalence", "cases"), [(0.1, 150), (0.333, 500), (0.01, 15)])
def test_prevalence_is_exact(people, prevalence, cases):
    found = simulate_trait(people, TraitModel(prevalence=prevalence), seed=1)
    is_case = (found.table["trait"] == "case").to_numpy()
    assert is_case.sum() == cases
    assert set(found.table["trait"]) == {"case", "control"}
    assert found.liability[is_case].min() > found.liability[~is_case].max()


def test_background_is_in_all_other_variants(people):
    found = simulate_trait(people, TraitModel("additive", 2, heritability=0.1, polygenic=0.4), seed=1)
    background = found.truth[found.truth["role"] == BACKGROUND]
    assert len(background) == 598
    values = dense_dosages(people.values, people.features.index.get_indexer(background["variant_id"])).astype(float)
    total = ((values - values.mean(axis=0)) / values.std(axis=0)) @ background["effect"].to_numpy()
    assert total.var() == pytest.approx(0.4)


def test_population_confounds_without_a_causal_variant(people):
    found = simulate_trait(people, TraitModel(heritability=0.0, population=0.3), seed=1)
    assert not len(found.truth)
    codes = pd.get_dummies(people.table["population"]).to_numpy(dtype=float)
    assert r_squared(codes, found.liability) == pytest.approx(0.3, abs=0.01)


def test_missing_calls_have_the_mean_effect():
    strand = np.array([[0], [1], [0], [1], [-1]] * 2)
    found = simulate_trait(typed(strand, strand), TraitModel("additive", causal=("v0",), heritability=1.0), seed=1)
    assert found.liability[4] == pytest.approx((found.liability[0] + found.liability[1]) / 2)


def test_is_a_function_of_the_seed(people):
    model = TraitModel("dominant", 3)
    first, again, other = (simulate_trait(people, model, seed) for seed in (1, 1, 2))
    assert first.truth.equals(again.truth)
    assert np.array_equal(first.liability, again.liability)
    assert first.causal != other.causal


def test_covariates_take_the_sex_that_is_known(people):
    found = simulate_trait(people, TraitModel(heritability=0.0, covariates=0.6), seed=1)
    assert list(found.table["sex"]) == list(people.table["sex"])
    design = np.column_stack([found.table["age"], found.table["sex"] == "male"]).astype(float)
    assert r_squared(design, found.liability) == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "aditive"}, "'aditive' is not an architecture of traits — did you mean 'additive'"),
        ({"heritability": 1.2}, "1.2 is not a share of the variance"),
        ({"heritability": 0.8, "polygenic": 0.4}, "the shares of the variance sum to 1.2"),
        ({"prevalence": 1.0}, "a prevalence of 1.0 is not possible"),
        ({"prevalence": 0.0001}, "makes all or none of 1500 people cases"),
        ({"causal": ("1:no",)}, "there is no variant '1:no'"),
        ({"architecture": "epistatic", "num_causal": 3}, "3 causal variants do not make up a trait of this kind"),
        ({"num_causal": 0}, "0 causal variants do not make up a trait of this kind"),
        ({"min_frequency": 0.6}, "5 variants that could be causal were not found"),
    ],
)
def test_refuses_what_cannot_be(people, changes, message):
    with pytest.raises(DataError) as error:
        simulate_trait(people, replace(TraitModel(), **changes))
    assert message in str(error.value)


def test_refuses_haplotypes_without_phase_and_populations_without_two(people):
    with pytest.raises(DataError, match="need phased genotypes"):
        simulate_trait(replace(people, first_strand=None), TraitModel("haplotype", 2))
    alone = replace(people, table=people.table.assign(population="one"))
    with pytest.raises(DataError, match="populations cannot differ where there is one"):
        simulate_trait(alone, TraitModel(population=0.1))
    with pytest.raises(DataError, match="genotypes alone"):
        simulate_trait(replace(people, value_kind="counts"), TraitModel())


@pytest.mark.parametrize("architecture", ["additive", "recessive"])
def test_what_does_not_vary_is_not_causal_whatever_the_frequency(architecture):
    """Of ten variants one has both alleles, and people with two of its rarer one."""
    strand = np.zeros((8, 10), dtype=np.int8)
    strand[:3, 4] = 1
    found = simulate_trait(typed(strand, strand), TraitModel(architecture, 1, heritability=0.5, min_frequency=0.0), seed=0)
    assert found.causal == ["v4"]
    assert np.isfinite(found.liability).all()
    with pytest.raises(DataError, match="2 variants that could be causal were not found"):
        simulate_trait(typed(strand, strand), TraitModel(architecture, 2, heritability=0.5, min_frequency=0.0), seed=0)
