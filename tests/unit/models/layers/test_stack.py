"""The stack of blocks."""

from __future__ import annotations

import pytest
import torch

from genoken.models.layers.packing import Packing
from genoken.models.layers.stack import TransformerStack

LENGTHS = (4, 2, 2)


@pytest.fixture
def stack() -> TransformerStack:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return TransformerStack(width=16, layers=3, heads=2, feed_forward=24, dropout=0.2, attention_dropout=0.0)


@pytest.fixture
def states() -> torch.Tensor:
    return torch.randn(sum(LENGTHS), 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def packing() -> Packing:
    return Packing.from_lengths(LENGTHS, torch.device("cpu"))


def test_blocks_run_one_after_the_other(stack, states, packing):
    stack.eval()
    expected = states
    for block in stack.blocks:
        expected = block(expected, packing)
    torch.testing.assert_close(stack(states, packing), expected, rtol=0, atol=0)
    assert len(stack.blocks) == 3


def test_a_last_block_for_the_first_tokens_alone_changes_nothing_about_them(stack, states, packing):
    stack.eval()
    everything = stack(states, packing)
    alone = stack(states, packing, first_token_only=True)
    torch.testing.assert_close(alone, everything[packing.first_tokens], rtol=1e-5, atol=1e-5)


def test_recomputing_states_gives_the_same_gradients(stack, states, packing):
    stack.train()
    results = []
    for checkpointing in (False, True):
        stack.gradient_checkpointing = checkpointing
        stack.zero_grad()
        leaf = states.clone().requires_grad_()
        with torch.random.fork_rng():
            torch.manual_seed(7)  # dropout must be drawn alike in the recomputation
            output = stack(leaf, packing, first_token_only=True)
        output.square().sum().backward()
        results.append([output.detach(), leaf.grad, *(parameter.grad.clone() for parameter in stack.parameters())])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert results[0][1].abs().max() > 0
