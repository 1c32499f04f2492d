"""The pre-norm block: parity with torch's encoder layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from genoken.models.layers.block import TransformerBlock
from genoken.models.layers.packing import Packing

WIDTH, HEADS, FEED_FORWARD, LENGTHS = 16, 4, 40, (6, 2, 1, 4)


def torchs_layer(ours: TransformerBlock) -> nn.TransformerEncoderLayer:
    """Return torch's layer with the weights of ours."""
    theirs = nn.TransformerEncoderLayer(
        WIDTH, HEADS, FEED_FORWARD, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    names = {
        "self_attn.in_proj_weight": ours.attention.query_key_value.weight,
        "self_attn.in_proj_bias": ours.attention.query_key_value.bias,
        "self_attn.out_proj.weight": ours.attention.output.weight,
        "self_attn.out_proj.bias": ours.attention.output.bias,
        "linear1.weight": ours.feed_forward[0].weight,
        "linear1.bias": ours.feed_forward[0].bias,
        "linear2.weight": ours.feed_forward[3].weight,
        "linear2.bias": ours.feed_forward[3].bias,
        "norm1.weight": ours.attention_norm.weight,
        "norm1.bias": ours.attention_norm.bias,
        "norm2.weight": ours.feed_forward_norm.weight,
        "norm2.bias": ours.feed_forward_norm.bias,
    }
    theirs.load_state_dict({name: tensor.detach() for name, tensor in names.items()})
    return theirs.train()  # in evaluation torch takes a fused path; without dropout both compute the same


@pytest.fixture
def block() -> TransformerBlock:
    block = TransformerBlock(WIDTH, HEADS, FEED_FORWARD, dropout=0.0, attention_dropout=0.0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    return block


@pytest.fixture
def states() -> torch.Tensor:
    return torch.randn(sum(LENGTHS), WIDTH, generator=torch.Generator().manual_seed(1))


def test_every_sample_gets_what_torchs_layer_gives_it(block, states):
    found = block(states, Packing.from_lengths(LENGTHS, torch.device("cpu")))
    theirs = torchs_layer(block)
    expected = torch.cat([theirs(part[None])[0] for part in states.split(LENGTHS)])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_the_first_tokens_alone_get_what_they_get_among_all(block, states):
    packing = Packing.from_lengths(LENGTHS, torch.device("cpu"))
    alone = block(states, packing, first_token_only=True)
    assert alone.shape == (len(LENGTHS), WIDTH)
    torch.testing.assert_close(alone, block(states, packing)[packing.first_tokens], rtol=1e-5, atol=1e-5)


def test_dropout_acts_on_both_branches_in_training_alone(states):
    packing = Packing.from_lengths(LENGTHS, torch.device("cpu"))
    block = TransformerBlock(WIDTH, HEADS, FEED_FORWARD, dropout=0.99999, attention_dropout=0.0).train()
    torch.testing.assert_close(block(states, packing), states, rtol=0, atol=0)
    block.eval()
    assert (block(states, packing) - states).abs().max() > 0.01


def test_of_pairs_the_products_of_what_is_seen_are_counted():
    block = TransformerBlock(2, 1, 3, 0.0, 0.0)
    lengths, context = (9, 4), (4, 4)
    offsets = Packing.from_lengths(lengths, torch.device("cpu")).offsets
    strict, own = (Packing(lengths, offsets, context, pattern) for pattern in ("next_cell_strict", "next_cell_self"))
    # 6 x 13 tokens x (16 + 12) weights, and 12 x 2 coordinates for each pair: 4 x 4 twice, and 5 behind see 4 + 1
    assert block.training_flops(strict) == 2184 + 24 * (16 + 16 + 25)
    assert block.training_flops(own) == 2184 + 24 * (16 + 16 + 25 + 4)
    # keys and values of 8 tokens, 384; queries, outputs and feed-forward of 2 samples, 240; 8 pairs, 192
    assert block.training_flops(strict, first_token_only=True) == 384 + 240 + 192


@pytest.mark.parametrize("first_token_only", [False, True])
def test_the_operations_of_a_training_step_are_those_that_torch_counts(first_token_only):
    block = TransformerBlock(WIDTH, HEADS, FEED_FORWARD, 0.0, 0.0)
    block.attention.backend = "eager"
    lengths = (6, 2, 3, 4)  # of a single token, torch turns the product into one that it does not count
    packing = Packing.from_lengths(lengths, torch.device("cpu"))
    states = torch.randn(sum(lengths), WIDTH, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        block(states, packing, first_token_only).sum().backward()
    assert block.training_flops(packing, first_token_only) == counter.get_total_flops()


def test_the_operations_of_a_hand_counted_block():
    block = TransformerBlock(2, 1, 3, 0.0, 0.0)
    # 6 x 4 tokens x (16 + 12) weights, and 12 x (9 + 1) pairs x 2 coordinates
    assert block.training_flops(Packing.from_lengths((3, 1), torch.device("cpu"))) == 672 + 240
    # keys and values of 4 tokens, 192; queries, outputs and feed-forward of 2 samples, 240; 4 pairs, 96
    assert block.training_flops(Packing.from_lengths((3, 1), torch.device("cpu")), first_token_only=True) == 192 + 240 + 96
