"""Components of planted populations, their units, and that they are learned on train alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.evaluation.ancestry import LEAST_PER_COMPONENT, fit_axes


def two_populations(num_samples=80, num_variants=400):
    rng = np.random.default_rng(3)
    population = np.arange(num_samples) % 2
    frequency = rng.uniform(0.2, 0.8, (2, num_variants))
    return rng.binomial(2, frequency[population]).astype(np.float32), population


def test_the_first_component_tells_two_populations_apart_in_new_samples_too():
    values, population = two_populations()
    axes = fit_axes(sp.csr_matrix(values[:60]), None, 3, seed=0)
    scores = axes.scores(sp.csr_matrix(values))
    assert scores.shape == (80, 3)
    np.testing.assert_allclose(scores[:60].mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(scores[:60].std(axis=0), 1)
    first = scores[60:, 0] * np.sign(scores[60:][population[60:] == 1, 0].mean())
    assert (first > 0).astype(int).tolist() == population[60:].tolist()


def test_components_are_those_of_variants_divided_by_what_their_frequency_lets_expect():
    values, _ = two_populations(40, 60)
    values[:, 5] = 1.0  # varies in no sample, although its frequency would let it
    values[:, 6] = 0.0
    axes = fit_axes(sp.csr_matrix(values), None, 2, seed=0)
    frequency = values.mean(axis=0) / 2
    keep = np.delete(np.arange(60), 6)
    scaled = ((values - 2 * frequency) / np.sqrt(np.maximum(2 * frequency * (1 - frequency), 1e-9)))[:, keep]
    left, _, _ = np.linalg.svd(scaled, full_matrices=False)
    found = axes.scores(sp.csr_matrix(values))
    expected = left[:, :2] * np.sqrt(40)
    np.testing.assert_allclose(np.abs((found * expected).mean(axis=0)), 1, atol=1e-6)
    assert (axes.weights[6] == 0).all()


def test_variants_in_linkage_count_once():
    values, _ = two_populations(60, 150)
    rng = np.random.default_rng(0)
    copied = np.hstack([np.repeat(values[:, :1], 40, axis=1), values[:, 1:]])
    order = pd.DataFrame({"chromosome": "1", "position_bp": np.arange(189)})
    weights = fit_axes(sp.csr_matrix(copied), order, 1, seed=0).weights
    assert (weights[:40] != 0).any(axis=1).sum() == 1
    assert (weights != 0).any(axis=1).sum() >= 100
    shuffled = order.iloc[rng.permutation(189)]
    assert (fit_axes(sp.csr_matrix(copied), shuffled, 1, seed=0).weights != 0).all()  # no order, nothing is pruned


@pytest.mark.parametrize(("num_samples", "num_variants", "count"), [(80, 45, 2), (41, 400, 2), (30, 30, 1), (10, 8, 1)])
def test_each_component_stands_on_twenty_samples_and_variants(num_samples, num_variants, count):
    values, _ = two_populations(num_samples, num_variants)
    assert fit_axes(sp.csr_matrix(values), None, 10, seed=0).weights.shape == (num_variants, count)
    assert LEAST_PER_COMPONENT == 20
