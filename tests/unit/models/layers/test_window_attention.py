"""Attention within a window: equal to the dense masked one, values and gradients, at any length; linear memory."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from genoken.core.errors import ConfigError
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.layers.attention import SelfAttention
from genoken.models.layers.packing import Packing
from genoken.models.layers.window_attention import sees_near

CPU = torch.device("cpu")


def test_who_sees_whom_by_hand():
    places = torch.arange(5)
    expected = [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 0, 1, 1, 1], [1, 0, 0, 1, 1]]
    assert sees_near(places.unsqueeze(1), places, 1).int().tolist() == expected


@pytest.mark.parametrize("window", [1, 2, 3, 5, 40])
@pytest.mark.parametrize("first_token_only", [False, True])
@pytest.mark.parametrize("backend", ["sdpa", "varlen"])
def test_it_is_the_dense_attention_with_a_mask(window, first_token_only, backend):
    lengths = (1, 2, 3, 4, 7, 7, 10, 11, 12, 13, 23)
    packing = Packing.from_lengths(lengths, CPU).with_window(window)
    generator = torch.Generator().manual_seed(window)
    attention = SelfAttention(12, 3)
    states = torch.randn(sum(lengths), 12, generator=generator)
    upstream = torch.randn(len(lengths) if first_token_only else sum(lengths), 12, generator=generator)
    found = []
    for chosen in (backend, "eager"):
        attention.backend = chosen
        own = states.clone().requires_grad_()
        mixed = attention(own, packing, first_token_only=first_token_only)
        attention.zero_grad()
        (mixed * upstream).sum().backward()
        found.append((mixed.detach(), own.grad, attention.query_key_value.weight.grad.clone()))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_token_far_away_is_not_seen_but_by_the_first():
    stack = TransformerEncoder(layers=1, heads=2, window=2, dropout=0.0).build(8)
    packing = Packing.from_lengths((20, 20), CPU)
    states = torch.randn(40, 8)
    changed = states.clone()
    changed[10] = torch.randn(8)
    difference = (stack(states, packing) - stack(changed, packing)).abs().amax(dim=1)
    assert torch.nonzero(difference > 1e-6).flatten().tolist() == [0, 8, 9, 10, 11, 12]


def test_weights_that_are_read_are_zero_outside_the_window():
    attention = SelfAttention(8, 2)
    read = []
    attention.weights_reader = lambda sample, weights: read.append(weights)
    attention(torch.randn(9, 8), Packing.from_lengths((9,), CPU).with_window(2))
    places = torch.arange(9)
    assert torch.equal(read[0][0] > 0, sees_near(places.unsqueeze(1), places, 2))


class Largest(TorchDispatchMode):
    """Notes the most numbers of any tensor that is made."""

    most = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        self.most = max([self.most, *(leaf.numel() for leaf in tree_leaves(found) if isinstance(leaf, torch.Tensor))])
        return found


def test_memory_grows_linearly_with_the_tokens():
    stack = TransformerEncoder(layers=1, heads=2, feed_forward=16, window=16, dropout=0.0).build(8)
    most = []
    for length in (10_000, 20_000):
        with Largest() as largest:
            stack(torch.zeros(length, 8, requires_grad=True), Packing.from_lengths((length,), CPU)).sum().backward()
        most.append(largest.most)
    assert most[1] <= 2.05 * most[0]
    assert most[1] < 200 * 20_000


def test_pairs_are_counted():
    for length, window in ((1, 2), (3, 2), (4, 2), (9, 2), (9, 8), (9, 1)):
        places = torch.arange(length)
        packing = Packing.from_lengths((length,), CPU).with_window(window)
        assert packing.num_seen == int(sees_near(places.unsqueeze(1), places, window).sum())


def test_successors_have_no_window():
    stack = TransformerEncoder(layers=1, heads=2, window=2).build(8)
    packing = Packing((4,), torch.tensor([0, 4], dtype=torch.int32), (2,), "next_cell_self")
    with pytest.raises(ConfigError, match="does not go with successors"):
        stack(torch.randn(4, 8), packing)


def test_a_window_and_its_pattern_go_together():
    with pytest.raises(ValueError, match="a window of 3"):
        Packing((4,), torch.tensor([0, 4], dtype=torch.int32), window=3)
