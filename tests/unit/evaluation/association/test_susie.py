"""Fine-mapping: one variant by hand, ties, the bound, planted effects, and summary statistics."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.evaluation.association.susie import SusieOptions, susie, susie_summary


def locus(random, samples, variants, decay=0.8):
    """Return genotypes of variants whose correlation falls with their distance: two strands of a Markov chain."""
    noise = random.normal(size=(2, samples, variants))
    for place in range(1, variants):
        noise[:, :, place] = decay * noise[:, :, place - 1] + np.sqrt(1 - decay**2) * noise[:, :, place]
    return (noise > 0.3).sum(axis=0).astype(float)


def test_one_variant_is_its_bayes_factor_by_hand():
    # Two genotypes of unit variance, n = 5: x = (-1, -1, 0, 1, 1), y = (-2, -1, 0, 1, 3) less 0.2.
    values, target = np.array([[-1.0], [-1], [0], [1], [1]]), np.array([-2.0, -1, 0, 1, 3])
    options = SusieOptions(num_effects=1, null_weight=0.4, estimate_prior_variance=False, prior_variance=0.5, max_iterations=1)
    found = susie(values, target, options)
    total = 15 - 5 * 0.2**2
    residual, prior = total / 4, 0.5 * total / 4
    product = 7.0  # x · y with x of sum of squares 4 = n - 1
    error, z = residual / 4, product / np.sqrt(4 * residual)
    factor = np.sqrt(error / (error + prior)) * np.exp(z**2 / 2 * prior / (error + prior))
    assert found.pip[0] == pytest.approx(0.6 * factor / (0.6 * factor + 0.4))
    assert found.mean[0, 0] == pytest.approx(product / 4 * prior / (prior + error))
    # The first residual variance afterwards: expected squares over n.
    alpha, variance = found.pip[0], 1 / (1 / prior + 4 / residual)
    squares = total - 2 * alpha * found.mean[0, 0] * product + alpha * 4 * (found.mean[0, 0] ** 2 + variance)
    assert found.residual_variance == pytest.approx(squares / 5)
    divergence = alpha * np.log(alpha / 0.6) + (1 - alpha) * np.log((1 - alpha) / 0.4)
    divergence += alpha / 2 * (np.log(prior / variance) + (found.mean[0, 0] ** 2 + variance) / prior - 1)
    assert found.elbo[0] == pytest.approx(-2.5 * np.log(2 * np.pi * squares / 5) - 2.5 - divergence)


def test_two_variants_that_are_the_same_share_the_probability():
    random = generator(1, "twins")
    values = locus(random, 300, 6, decay=0.1)
    values[:, 4] = 2 - values[:, 1]
    found = susie(values, values[:, 1] + random.normal(size=300), SusieOptions(num_effects=1))
    assert found.pip[[1, 4]] == pytest.approx([0.5, 0.5], abs=1e-6)
    assert found.pip[[0, 2, 3, 5]].max() < 1e-6
    (credible,) = found.sets
    assert sorted(credible.variants.tolist()) == [1, 4]
    assert (credible.purity, credible.coverage) == (pytest.approx(1), pytest.approx(1))
    assert found.mean[0, 1] == pytest.approx(-found.mean[0, 4])
    assert found.mean[0, 1] == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize("seed", range(6))
def test_the_bound_never_falls(seed):
    random = generator(seed, "bound")
    values = locus(random, 200, 40, decay=0.9)
    target = values[:, [3, 17, 30]] @ [0.4, -0.3, 0.5] + random.normal(size=200)
    options = SusieOptions(num_effects=5, null_weight=0.1 * (seed % 2), tolerance=1e-9, max_iterations=60)
    found = susie(values, target, options)
    assert len(found.elbo) > 3
    assert np.diff(found.elbo).min() > -1e-8
    assert np.allclose(found.alpha.sum(axis=1), 1, atol=1e-12) or seed % 2


def test_the_prior_variance_that_is_found_has_the_greatest_evidence():
    random = generator(3, "prior")
    values = locus(random, 500, 30)
    target = 0.3 * values[:, 7] + random.normal(size=500)
    found = susie(values, target, SusieOptions(num_effects=1, max_iterations=1))
    fixed = [
        susie(values, target, SusieOptions(num_effects=1, max_iterations=1, estimate_prior_variance=False, prior_variance=share))
        for share in np.geomspace(1e-4, 1, 200)
    ]
    # After one pass of one effect the bound differs by the evidence and the residual variance that follows from it.
    best = max(fixed, key=lambda one: one.elbo[0])
    assert found.elbo[0] > best.elbo[0] - 0.02
    assert found.prior_variance[0] == pytest.approx(best.prior_variance[0], rel=0.5)


def test_nothing_is_found_in_noise():
    random = generator(5, "noise")
    values = locus(random, 400, 50)
    found = susie(values, random.normal(size=400), SusieOptions(num_effects=5))
    assert found.sets == ()
    assert found.pip.max() < 0.5
    assert found.converged


def test_planted_effects_are_covered_by_their_sets():
    covered, total, effects = 0, 0, 0
    for replicate in range(50):
        random = generator(7, "replicate", replicate)
        values = locus(random, 600, 80)
        causal = random.choice(80, size=2, replace=False)
        target = values[:, causal] @ random.choice([-1, 1], 2) * 0.3 + random.normal(size=600)
        found = susie(values, target, SusieOptions(num_effects=4))
        covered += sum(bool(set(one.variants.tolist()) & set(causal.tolist())) for one in found.sets)
        total += len(found.sets)
        effects += 2
        assert all(one.purity >= 0.5 and one.coverage >= 0.95 for one in found.sets)
    assert total > 0.6 * effects
    assert covered / total >= 0.9


def test_summary_statistics_give_what_the_samples_give():
    random = generator(9, "summary")
    values = locus(random, 800, 30)
    target = values[:, [5, 20]] @ [0.25, 0.3] + random.normal(size=800)
    r = np.array([np.corrcoef(column, target)[0, 1] for column in values.T])
    z = r * np.sqrt(798 / (1 - r**2))
    options = SusieOptions(num_effects=3, tolerance=1e-8)
    found, whole = susie_summary(z, np.corrcoef(values.T), 800, options), susie(values, target, options)
    assert [sorted(one.variants.tolist()) for one in found.sets] == [sorted(one.variants.tolist()) for one in whole.sets]
    assert np.abs(found.pip - whole.pip).max() < 0.15
    assert np.diff(found.elbo).min() > -1e-8
    assert found.residual_variance == 1


def test_a_variant_that_does_not_vary_is_not_found():
    random = generator(2, "constant")
    values = locus(random, 200, 5, decay=0.1)
    values[:, 2] = 1
    found = susie(values, values[:, 0] + 0.5 * random.normal(size=200), SusieOptions(num_effects=2))
    assert found.pip[2] < 1e-6
    assert found.pip[0] == pytest.approx(1)
    assert susie(np.ones((9, 3)), np.arange(9.0)).pip.tolist() == [0, 0, 0]


def test_sets_that_are_not_pure_are_left_out():
    random = generator(4, "impure")
    values = locus(random, 150, 40, decay=0.3)
    target = 0.3 * values[:, 9] + random.normal(size=150)
    options = {"num_effects": 1, "estimate_prior_variance": False}
    wide = susie(values, target, SusieOptions(min_purity=0.0, **options))
    assert [one.purity < 0.5 for one in wide.sets] == [True]
    assert susie(values, target, SusieOptions(**options)).sets == ()


@pytest.mark.parametrize(
    ("values", "target", "message"),
    [
        (np.array([[0.0], [np.nan], [1]]), np.arange(3.0), "finite numbers"),
        (np.arange(3.0)[:, None], np.ones(3), "the target does not vary"),
    ],
)
def test_what_cannot_be_used_is_refused(values, target, message):
    with pytest.raises(DataError, match=message):
        susie(values, target)


def test_a_matrix_of_something_else_is_refused():
    with pytest.raises(DataError, match="none of correlations"):
        susie_summary(np.ones(2), np.array([[1.0, 0.2], [0.3, 1.0]]), 100)
    with pytest.raises(ValueError, match="num_effects >= 1"):
        SusieOptions(num_effects=0)
