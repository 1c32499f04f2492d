"""Components of planted populations, their units, that they are learned on train alone, and as large in others as in train."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.evaluation.ancestry import LEAST_PER_COMPONENT, fit_axes


def populations(num_samples=80, num_variants=400, count=2):
    rng = np.random.default_rng(3)
    population = np.arange(num_samples) % count
    frequency = rng.uniform(0.2, 0.8, (count, num_variants))
    return rng.binomial(2, frequency[population]).astype(np.float32), population


def test_the_first_component_tells_populations_apart_in_new_samples_too():
    values, population = populations()
    axes = fit_axes(sp.csr_matrix(values[:60]), None, 3, seed=0)
    scores, others = axes.train_scores(sp.csr_matrix(values[:60])), axes.scores(sp.csr_matrix(values[60:]))
    assert scores.shape == (60, 1)  # the others are chance
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(scores.std(axis=0), 1)
    first = others[:, 0] * np.sign(others[population[60:] == 1, 0].mean())
    assert (first > 0).astype(int).tolist() == population[60:].tolist()


def test_components_are_those_of_variants_divided_by_what_their_frequency_lets_expect():
    values, _ = populations(40, 60)
    values[:, 5] = 1.0  # varies in no sample, although its frequency would let it
    values[:, 6] = 0.0
    axes = fit_axes(sp.csr_matrix(values), None, 2, seed=0)
    frequency = values.mean(axis=0) / 2
    keep = np.delete(np.arange(60), 6)
    scaled = ((values - 2 * frequency) / np.sqrt(np.maximum(2 * frequency * (1 - frequency), 1e-9)))[:, keep]
    left, _, _ = np.linalg.svd(scaled, full_matrices=False)
    found = axes.train_scores(sp.csr_matrix(values))
    expected = left[:, : found.shape[1]] * np.sqrt(40)
    np.testing.assert_allclose(np.abs((found * expected).mean(axis=0)), 1, atol=1e-6)
    assert (axes.weights[6] == 0).all()


def test_variants_in_linkage_count_once():
    values, _ = populations(60, 150)
    rng = np.random.default_rng(0)
    copied = np.hstack([np.repeat(values[:, :1], 40, axis=1), values[:, 1:]])
    order = pd.DataFrame({"chromosome": "1", "position_bp": np.arange(189)})
    weights = fit_axes(sp.csr_matrix(copied), order, 1, seed=0).weights
    assert (weights[:40] != 0).any(axis=1).sum() == 1
    assert (weights != 0).any(axis=1).sum() >= 100
    places = rng.permutation(189)
    shuffled = fit_axes(sp.csr_matrix(copied[:, places]), order.iloc[places], 1, seed=0).weights
    assert (shuffled[places < 40] != 0).any(axis=1).sum() == 1  # whatever the order of the columns


@pytest.mark.parametrize(("num_samples", "num_variants", "count"), [(80, 45, 2), (41, 400, 2), (30, 30, 1), (10, 8, 1)])
def test_each_component_stands_on_twenty_samples_and_variants(num_samples, num_variants, count):
    values, _ = populations(num_samples, num_variants, 5)
    assert fit_axes(sp.csr_matrix(values), None, 10, seed=0).weights.shape == (num_variants, count)
    assert LEAST_PER_COMPONENT == 20


def cline(num_samples, num_variants=1500, differentiation=0.02):
    """Return genotypes of mixtures of two populations, and the share of the second, from 0 to 1."""
    rng = np.random.default_rng(1)
    base = rng.uniform(0.1, 0.9, num_variants)
    scale = (1 - differentiation) / differentiation
    frequency = rng.beta(base * scale, (1 - base) * scale, (2, num_variants))
    share = rng.uniform(size=num_samples)
    return rng.binomial(2, frequency[0] + share[:, None] * (frequency[1] - frequency[0])).astype(np.float32), share


def test_a_cline_predicts_others_as_well_as_their_components_can():
    """The trait is the place along the cline: in new people, slope 1 and the squared correlation of component and trait."""
    values, share = cline(900)
    trait = share - share.mean() + 0.1 * np.random.default_rng(2).normal(size=900)
    axes = fit_axes(sp.csr_matrix(values[:300]), None, 5, seed=0)
    assert axes.weights.shape[1] == 1
    slope, intercept = np.polyfit(axes.train_scores(sp.csr_matrix(values[:300]))[:, 0], trait[:300], 1)
    others = sp.csr_matrix(values[300:])

    def explained(scores):
        return 1 - ((trait[300:] - slope * scores - intercept) ** 2).mean() / trait[300:].var()

    scores, projected = axes.scores(others)[:, 0], axes.train_scores(others)[:, 0]
    attainable = np.corrcoef(scores, trait[300:])[0, 1] ** 2
    assert explained(scores) > attainable - 0.02
    assert explained(projected) < attainable - 0.05
    assert np.polyfit(slope * scores, trait[300:], 1)[0] == pytest.approx(1, abs=0.1)
    assert scores.std() == pytest.approx(1, abs=0.1)


def test_where_nothing_is_planted_projections_stay_small():
    values = np.random.default_rng(0).binomial(2, 0.4, (100, 600)).astype(np.float32)
    axes = fit_axes(sp.csr_matrix(values), None, 5, seed=0)
    assert axes.shrinkage.tolist() == [1.0]
    others = np.random.default_rng(1).binomial(2, 0.4, (100, 600)).astype(np.float32)
    assert axes.scores(sp.csr_matrix(others)).std() < 0.5


def test_families_are_not_divided_when_shrinkage_is_measured():
    """Ten families of ten copies: their components are those of families, and hold nothing for other families."""
    founders = np.random.default_rng(0).binomial(2, 0.4, (10, 600)).astype(np.float32)
    rows = np.repeat(np.arange(10), 10)
    values = sp.csr_matrix(founders[rows])
    assert fit_axes(values, None, 5, seed=0).weights.shape[1] > 1
    assert fit_axes(values, None, 5, seed=0, groups=rows).weights.shape[1] == 1


def test_sexes_are_no_component():
    values, _ = populations(60, 300)
    is_man = np.arange(60) % 4 < 2
    values[:, 200:] = np.where(is_man[:, None], 2.0 * (values[:, 200:] > 1), values[:, 200:])
    order = pd.DataFrame({"chromosome": np.repeat(["1", "X"], [200, 100]), "position_bp": np.arange(300)})
    weights = fit_axes(sp.csr_matrix(values), order, 1, seed=0).weights
    assert (weights[:200] != 0).any()
    assert not weights[200:].any()
