"""GBLUP against the textbook's formulas: restricted likelihood, ridge on standardized features, fixed effects."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.contracts import BaselineProblem
from genoken.evaluation.baselines._mixed_model import fit_effects
from genoken.evaluation.baselines.gblup import GblupBaseline


def polygenic(num_samples=150, num_features=300, explained=0.6, seed=0):
    """Return genotypes with a covariate behind them, and a trait of both: covariate effect 2, features explain a share."""
    rng = np.random.default_rng(seed)
    values = rng.binomial(2, rng.uniform(0.2, 0.8, num_features), (num_samples, num_features)).astype(np.float64)
    covariate = 10 * rng.normal(size=num_samples)
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    breeding = standard @ rng.normal(size=num_features)
    breeding *= np.sqrt(explained) / breeding.std()
    trait = 5 + 0.2 * covariate + breeding + np.sqrt(1 - explained) * rng.normal(size=num_samples)
    return sp.csr_matrix(np.column_stack([values, covariate])), trait, breeding


def restricted_likelihood(kinship, fixed, trait, share):
    """Return the restricted log-likelihood at a share, the scale profiled out, from the formula without any decomposition."""
    covariance = share * kinship + (1 - share) * np.eye(len(trait))
    inverse = np.linalg.inv(covariance)
    information = fixed.T @ inverse @ fixed
    residual = trait - fixed @ np.linalg.solve(information, fixed.T @ inverse @ trait)
    freedom = len(trait) - fixed.shape[1]
    determinants = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(information)[1]
    return -0.5 * (determinants + freedom * np.log(residual @ inverse @ residual))


def test_the_share_has_the_highest_restricted_likelihood():
    values, trait, _ = polygenic()
    genotypes = values[:, :-1].toarray()
    standard = (genotypes - genotypes.mean(axis=0)) / genotypes.std(axis=0)
    fixed = np.column_stack([np.ones(len(trait)), values[:, -1].toarray()])
    found = fit_effects(values, 1, trait[:, None]).explained[0]
    shares = np.linspace(0.01, 0.98, 98)
    likelihoods = [restricted_likelihood(standard @ standard.T / 300, fixed, trait, share) for share in shares]
    assert found == pytest.approx(shares[int(np.argmax(likelihoods))], abs=0.01)
    assert 0.3 < found < 0.95


def test_effects_are_those_of_ridge_regression_with_the_penalty_that_the_share_means():
    values, trait, _ = polygenic()
    genotypes, covariate = values[:, :-1].toarray(), values[:, -1:].toarray()
    effects = fit_effects(values, 1, trait[:, None])
    standard = (genotypes - genotypes.mean(axis=0)) / genotypes.std(axis=0)
    penalty = 300 * (1 - effects.explained[0]) / effects.explained[0]
    design = np.column_stack([standard, covariate, np.ones(len(trait))])
    ridge = np.linalg.solve(design.T @ design + np.diag([penalty] * 300 + [0.0, 0.0]), design.T @ trait)
    np.testing.assert_allclose(effects.weights[:300, 0], ridge[:300] / genotypes.std(axis=0), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(effects.weights[300, 0], ridge[300], rtol=1e-6)
    expected = ridge[301] - (genotypes.mean(axis=0) / genotypes.std(axis=0)) @ ridge[:300]
    np.testing.assert_allclose(effects.intercept[0], expected, rtol=1e-6)


def test_new_samples_are_predicted_beyond_their_covariate():
    values, trait, breeding = polygenic(num_samples=500, num_features=60)
    problem = BaselineProblem(values[:350], values[350:400], trait[:350], trait[350:400], 0, 0, num_covariates=1)
    baseline = GblupBaseline()
    state = baseline.fit(problem)
    found = baseline.predict(state, values[400:])
    residual = trait[400:] - 0.2 * values[400:, -1].toarray().ravel() - 5
    assert np.corrcoef(found - state["weights"][-1] * values[400:, -1].toarray().ravel(), breeding[400:])[0, 1] > 0.85
    assert ((trait[400:] - found) ** 2).mean() < 0.75 * (residual**2).mean()
    assert state["weights"][-1] == pytest.approx(0.2, abs=0.02)


def test_noise_has_no_share_and_constant_features_no_effect():
    rng = np.random.default_rng(1)
    values = rng.binomial(2, 0.4, (200, 50)).astype(float)
    values[:, 7] = 2
    effects = fit_effects(sp.csr_matrix(values), 0, rng.normal(size=(200, 1)))
    assert effects.explained[0] < 0.2
    assert effects.weights[7, 0] == 0
    silent = fit_effects(sp.csr_matrix((20, 3)), 0, np.arange(20.0)[:, None])
    assert silent.weights.tolist() == [[0.0]] * 3
    assert silent.intercept.tolist() == [pytest.approx(9.5)]


def test_at_most_so_many_samples_are_learned_from():
    values, trait, _ = polygenic()
    problem = BaselineProblem(values, values[:0], trait, trait[:0], 0, 0, num_covariates=1)
    whole, some = (GblupBaseline(max_samples=count).fit(problem)["weights"] for count in (150, 60))
    assert not np.allclose(whole, some)
    assert np.array_equal(some, GblupBaseline(max_samples=60).fit(problem)["weights"])


def test_classes_get_probabilities_that_are_calibrated_on_validation():
    rng = np.random.default_rng(2)
    values = rng.binomial(2, 0.4, (900, 40)).astype(float)
    logits = (values[:, :4] - 0.8) @ np.array([1.0, -1.0, 0.8, 0.8])
    labels = (rng.random(900) < 1 / (1 + np.exp(-logits))).astype(int)
    matrix, baseline = sp.csr_matrix(values), GblupBaseline()
    found = baseline.predict(
        baseline.fit(BaselineProblem(matrix[:400], matrix[400:600], labels[:400], labels[400:600], 2, 0)), matrix[600:]
    )
    for low, high in ((0, 0.35), (0.35, 0.65), (0.65, 1)):
        inside = (found[:, 1] >= low) & (found[:, 1] < high)
        assert inside.sum() > 20
        assert labels[600:][inside].mean() == pytest.approx(found[inside, 1].mean(), abs=0.15)
