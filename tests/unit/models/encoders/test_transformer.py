"""Settings of the transformer encoder."""

from __future__ import annotations

import pydantic
import pytest
import torch

from genoken.core.errors import ConfigError
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.layers.packing import Packing


def test_the_settings_reach_the_blocks():
    encoder = TransformerEncoder(layers=2, heads=4, feed_forward=20, dropout=0.3, attention_dropout=0.2)
    stack = encoder.build(16)
    assert encoder.takes == "tokens"
    assert len(stack.blocks) == 2
    block = stack.blocks[1]
    assert (block.attention.heads, block.attention.dropout) == (4, 0.2)
    assert block.feed_forward[0].weight.shape == (20, 16)
    assert [module.p for module in block.modules() if isinstance(module, torch.nn.Dropout)] == [0.3, 0.3]
    # norms 2 (w + w), attention 4 w² + 4 w, feed-forward 2 w f + f + w
    assert sum(parameter.numel() for parameter in stack.parameters()) == 2 * (64 + 1024 + 64 + 640 + 36)


def test_it_goes_from_tokens_to_tokens_or_first_tokens():
    stack = TransformerEncoder(layers=1, heads=2, feed_forward=8).build(8)
    packing = Packing.from_lengths((3, 2), torch.device("cpu"))
    assert stack(torch.randn(5, 8), packing).shape == (5, 8)
    assert stack(torch.randn(5, 8), packing, first_token_only=True).shape == (2, 8)


def test_attention_dropout_is_off_unless_asked_for():
    assert TransformerEncoder().attention_dropout == 0.0


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"heads": 0}, {"dropout": 1.0}, {"attention_dropout": -0.1}, {"layer": 2}])
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        TransformerEncoder(**wrong)


def test_heads_must_divide_the_width():
    with pytest.raises(ConfigError, match="is not a multiple of"):
        TransformerEncoder(heads=3).build(16)
