"""Gated choices: moments and divergence beside sums over all choices, and when an effect is one."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from genoken.models.layers.gated_choice import _SPEED, GatedChoice

PRIOR = torch.tensor([0.5, 0.25, 0.25])


@pytest.fixture
def choice() -> GatedChoice:
    """Two effects over three columns with a posterior that is set by hand."""
    choice = GatedChoice(2, PRIOR.log())
    with torch.no_grad():
        gates = torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.25, 0.25]])
        choice.gate.weight.copy_((gates / PRIOR).log() / _SPEED)
        choice.mean.weight.copy_(torch.tensor([[0.5, -1.0, 2.0], [0.1, 0.0, -0.1]]))
        choice.log_deviation.weight.copy_(torch.tensor([[0.1, 0.2, 0.4], [0.2, 0.2, 0.2]]).log() / _SPEED)
        choice.log_prior_deviation.copy_(torch.tensor([0.7, 0.3]).log())
    return choice


def test_moments_are_those_of_the_choice(choice):
    first, second = choice.moments()
    torch.testing.assert_close(choice.gates(), torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.25, 0.25]]))
    torch.testing.assert_close(first, torch.tensor([[0.05, -0.6, 0.6], [0.05, 0.0, -0.025]]))
    torch.testing.assert_close(second[0], torch.tensor([0.1 * 0.26, 0.6 * 1.04, 0.3 * 4.16]))


def test_the_divergence_is_the_sum_over_all_choices(choice):
    gates, mean, deviation = choice.gates(), choice.mean.weight, (_SPEED * choice.log_deviation.weight).exp()
    total = 0.0
    for effect in range(2):
        prior = Normal(0.0, choice.log_prior_deviation[effect].exp())
        for column in range(3):
            size = kl_divergence(Normal(mean[effect, column], deviation[effect, column]), prior)
            total += gates[effect, column] * ((gates[effect, column] / PRIOR[column]).log() + size)
    torch.testing.assert_close(choice.divergence(), total)


def test_the_scale_of_the_sizes_costs_nothing(choice):
    before = choice.divergence()
    with torch.no_grad():
        choice.mean.weight.mul_(7.0)
        choice.log_deviation.weight.add_(torch.tensor(7.0).log() / _SPEED)
        choice.log_prior_deviation.add_(torch.tensor(7.0).log())
    torch.testing.assert_close(choice.divergence(), before)
    assert before > 0.5


def test_what_is_not_known_costs_nothing_and_is_not_there(choice):
    with torch.no_grad():
        choice.gate.weight.zero_()
        choice.mean.weight.zero_()
        choice.log_deviation.weight.fill_(-0.2)
        choice.log_prior_deviation.fill_(-0.2 * _SPEED)
    assert choice.divergence().abs() < 1e-6
    assert not choice.is_there().any()


def test_an_effect_is_there_when_its_size_exceeds_its_uncertainty(choice):
    assert choice.is_there().tolist() == [True, False]  # 0.5 * 0.01 + 0.25 * 0.01 against 0.04


def test_impossible_columns_are_never_chosen():
    choice = GatedChoice(1, torch.tensor([0.0, -1e9]))
    assert choice.gates().tolist() == [[1.0, 0.0]]
    assert torch.isfinite(choice.divergence())
