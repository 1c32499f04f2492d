"""The network of single effects: states, draws and inclusion by hand."""

from __future__ import annotations

import pytest
import torch

from genoken.core.errors import ConfigError
from genoken.core.grid_contracts import Grid, Penalized
from genoken.models.layers.single_effect_network import SingleEffectNetwork

BIG, ADDITIVE = 4.0, (1.0, 0.0, 0.0)
"""Raw gate of a column that is as good as certain, and copies as the only coding."""


def network_of(features: int = 4, width: int = 3, **settings) -> SingleEffectNetwork:
    chosen = {"effects": 2, "pairs": 1, "coding_weights": ADDITIVE, "pair_limit": 10, "temperature": 1.0, **settings}
    return SingleEffectNetwork(Grid(1, features), width, **chosen).eval()


def decide(choice, effect: int, column: int, size: float) -> None:
    """Make an effect act through one column, with little doubt about its size."""
    with torch.no_grad():
        choice.gate.weight[effect] = 0.0
        choice.gate.weight[effect, column] = BIG
        choice.mean.weight[effect] = size
        choice.log_deviation.weight[effect] = -1.0


@pytest.fixture
def decided() -> SingleEffectNetwork:
    network = network_of()
    decide(network.singles, 0, 1, 2.0)
    decide(network.singles, 1, 3, -1.0)
    decide(network.pairs, 0, 0 * 4 + 2, 0.5)
    return network


def test_states_are_the_effects(decided):
    values = torch.tensor([[3.0, 1.0, 2.0, 5.0], [1.0, -1.0, 4.0, 0.0]]).unsqueeze(2)
    torch.testing.assert_close(decided(values), torch.tensor([[2.0, -5.0, 3.0], [-2.0, 0.0, 2.0]]), atol=1e-4, rtol=1e-4)


def test_a_wider_state_repeats_them():
    network = network_of(width=7)
    states = network(torch.randn(5, 4, 1))
    assert torch.equal(states, states[:, [0, 1, 2, 0, 1, 2, 0]])
    with pytest.raises(ConfigError, match=r"'model.width' is 2, and 3 effects and pairs .*model.width: 3"):
        network_of(width=2)


def test_pairs_take_turns_with_the_codings():
    network = network_of(width=5, pairs=3, coding_weights=(0.5, 0.5, 0.0))
    for pair in range(3):
        decide(network.pairs, pair, 0 * 4 + 2, 0.5)
    values = torch.randn(6, 4, 1)
    columns = network.codings(values.squeeze(2)).unflatten(1, (4, 2))
    copies, carriers = (0.5 * columns[:, 0, place] * columns[:, 2, place] for place in (0, 1))
    torch.testing.assert_close(network(values)[:, 2:], torch.stack([copies, carriers, copies], dim=1), atol=1e-3, rtol=1e-3)


def test_no_variant_is_its_own_partner():
    gates = network_of().pairs.gates().reshape(4, 4)
    assert (gates.diagonal() == 0).all()
    torch.testing.assert_close(gates.sum(), torch.tensor(1.0))


def test_beyond_the_limit_one_of_a_pair_is_a_chosen_variant():
    network = network_of(pair_limit=3)
    assert network.pairs.gate.weight.shape == (1, 2 * 4)
    decide(network.singles, 1, 3, -1.0)
    decide(network.pairs, 0, 1 * 4 + 0, 0.5)  # what the second effect has chosen, with the first variant
    values = torch.tensor([[3.0, 1.0, 2.0, 5.0]]).unsqueeze(2)
    assert network(values)[0, 2].item() == pytest.approx(0.5 * 5 * 3, rel=1e-3)
    assert network.inclusion()[[0, 3]].tolist() == pytest.approx([1, 1], abs=1e-3)


def test_draws_have_the_moments_of_the_posterior():
    network = network_of().train()
    torch.manual_seed(0)
    with torch.no_grad():
        for choice in (network.singles, network.pairs):
            choice.gate.weight.normal_(std=0.1)
            choice.mean.weight.normal_()
            choice.log_deviation.weight.fill_(-0.1)
    values = torch.tensor([[0.5, -1.0, 2.0, 0.3]]).unsqueeze(2)
    draws = network(values.expand(40_000, -1, -1)).detach()
    columns = values[0, :, 0]
    products = torch.outer(columns, columns).flatten()
    for place, (gates, mean, deviation, seen) in enumerate(
        (choice.gates()[effect], choice.mean.weight[effect], (10 * choice.log_deviation.weight[effect]).exp(), seen)
        for choice, effect, seen in ((network.singles, 0, columns), (network.singles, 1, columns), (network.pairs, 0, products))
    ):
        chosen = torch.multinomial(gates, 40_000, replacement=True)
        sampled = (mean[chosen] + deviation[chosen] * torch.randn(40_000)) * seen[chosen]
        assert draws[:, place].mean().item() == pytest.approx(sampled.mean().item(), abs=0.04)
        assert draws[:, place].std().item() == pytest.approx(sampled.std().item(), rel=0.03)


def test_inclusion_is_the_chance_that_some_effect_acts_through_the_variant(decided):
    with torch.no_grad():
        decided.singles.gate.weight[1] = 0.0  # a quarter each
    prior = 1 - 0.75
    assert decided.inclusion().tolist() == pytest.approx([1, 1, 1, prior], abs=1e-3)
    with torch.no_grad():
        decided.singles.mean.weight[1] = 0.0  # an effect that is nothing
    assert decided.inclusion()[3].item() == pytest.approx(0, abs=1e-3)
    weights = decided.pooling_weights(torch.zeros(5, 4, 1))
    assert weights.shape == (5, 4)
    assert (weights == decided.inclusion()).all()


def test_gates_of_both_orders_of_a_pair_add_up(decided):
    with torch.no_grad():
        decided.pairs.gate.weight[0, 0 * 4 + 2] = decided.pairs.gate.weight[0, 2 * 4 + 0] = BIG
    assert decided.inclusion()[[0, 2]].tolist() == pytest.approx([1, 1], abs=1e-3)


def test_the_penalty_is_the_divergence_times_the_temperature(decided):
    assert isinstance(decided, Penalized)
    warm = network_of(temperature=0.5)
    warm.load_state_dict(decided.state_dict())
    torch.testing.assert_close(warm.penalty(), 0.5 * decided.penalty())
    torch.testing.assert_close(decided.penalty(), decided.singles.divergence() + decided.pairs.divergence())
    assert not isinstance(torch.nn.Linear(1, 1), Penalized)
