"""The negative binomial distribution beside scipy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from genoken.objectives._negative_binomial import log_likelihood


def test_log_likelihoods_are_scipys():
    counts, means, dispersions = (
        grid.ravel() for grid in np.meshgrid([0, 1, 3, 50, 4000], [1e-3, 0.7, 20.0, 9000.0], [1e-2, 1.0, 30.0, 1e5])
    )
    expected = stats.nbinom.logpmf(counts, dispersions, dispersions / (dispersions + means))
    found = log_likelihood(torch.tensor(counts), torch.tensor(np.log(means)), torch.tensor(np.log(dispersions)))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-7, atol=1e-7)


def test_a_likelihood_typed_by_hand():
    # One success each with probability 1/2: the number of failures is geometric.
    found = log_likelihood(torch.tensor([0.0, 1.0, 2.0]), torch.zeros(3), torch.zeros(3))
    assert found.exp().tolist() == pytest.approx([0.5, 0.25, 0.125])


def test_probabilities_add_up_to_one():
    counts = torch.arange(2000.0)
    total = log_likelihood(counts, torch.full_like(counts, 3.0), torch.full_like(counts, 0.5)).exp().sum()
    assert float(total) == pytest.approx(1.0, abs=1e-9)


def test_extreme_dispersions_stay_finite_with_their_gradients():
    log_mean = torch.tensor([2.0, 2.0], requires_grad=True)
    log_r = torch.tensor([80.0, -80.0], requires_grad=True)
    found = log_likelihood(torch.tensor([5.0, 5.0]), log_mean, log_r)
    found.sum().backward()
    assert bool(torch.cat([found, log_mean.grad, log_r.grad]).isfinite().all())
    assert float(found[0].detach()) == pytest.approx(stats.poisson.logpmf(5, np.exp(2.0)), abs=1e-5)
