"""Packing is padding without the padding: the same outputs and gradients, and no sample sees another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from genoken.core.batch import Batch, Tokens
from genoken.core.config import ModelSettings
from genoken.core.layout import NUM_SPECIALS, Channel, HeadSpec, Layout
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.layers.packing import Packing
from genoken.models.layers.stack import TransformerStack
from genoken.models.network import seeded_network

WIDTH, HEADS, LAYERS, FEED_FORWARD = 16, 4, 2, 24
FEATURES = 12
LENGTHS = (5, 5, 1, 9, 3, 3, 3)


@pytest.fixture
def stack() -> TransformerStack:
    stack = TransformerStack(WIDTH, LAYERS, HEADS, FEED_FORWARD, dropout=0.0, attention_dropout=0.0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return stack


def padded_reference(stack: TransformerStack) -> nn.TransformerEncoder:
    """Return torch's encoder, which pads and masks, with the weights of ours."""
    layer = nn.TransformerEncoderLayer(
        WIDTH, HEADS, FEED_FORWARD, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    reference = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
    names = {
        "self_attn.in_proj_": "attention.query_key_value.",
        "self_attn.out_proj.": "attention.output.",
        "linear1.": "feed_forward.0.",
        "linear2.": "feed_forward.3.",
        "norm1.": "attention_norm.",
        "norm2.": "feed_forward_norm.",
    }
    ours = stack.state_dict()
    reference.load_state_dict(
        {
            f"layers.{index}.{theirs}{kind}": ours[f"blocks.{index}.{name}{kind}"]
            for index in range(LAYERS)
            for theirs, name in names.items()
            for kind in ("weight", "bias")
        }
    )
    return reference.train()  # without dropout; in evaluation torch takes a path of its own that has no gradients


def states_of(lengths) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(length, WIDTH, generator=generator) for length in lengths]


@pytest.mark.parametrize("backend", ["sdpa", "eager"])
def test_packed_outputs_and_gradients_are_the_padded_ones(stack, backend):
    for block in stack.blocks:
        block.attention.backend = backend
    samples = states_of(LENGTHS)
    packed = torch.cat(samples).requires_grad_()
    found = stack(packed, Packing.from_lengths(LENGTHS, torch.device("cpu")))
    reference = padded_reference(stack)
    padded = nn.utils.rnn.pad_sequence(samples, batch_first=True).requires_grad_()
    hidden = torch.arange(max(LENGTHS)) >= torch.tensor(LENGTHS).unsqueeze(1)
    masked = reference(padded, src_key_padding_mask=hidden)
    torch.testing.assert_close(found, masked[~hidden], rtol=1e-5, atol=1e-5)

    upstream = torch.randn(found.shape, generator=torch.Generator().manual_seed(2))
    (found * upstream).sum().backward()
    (masked[~hidden] * upstream).sum().backward()
    torch.testing.assert_close(packed.grad, padded.grad[~hidden], rtol=1e-4, atol=1e-5)
    for block, layer in zip(stack.blocks, reference.layers, strict=True):
        ours, theirs = block.attention.query_key_value.weight.grad, layer.self_attn.in_proj_weight.grad
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(block.feed_forward[0].weight.grad, layer.linear1.weight.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backend", ["sdpa", "eager"])
@pytest.mark.parametrize("first_token_only", [False, True])
def test_no_sample_sees_another(stack, backend, first_token_only):
    for block in stack.blocks:
        block.attention.backend = backend
    packing = Packing.from_lengths(LENGTHS, torch.device("cpu"))
    samples = states_of(LENGTHS)
    before = stack(torch.cat(samples), packing, first_token_only)
    changed = 1  # of the same length as sample 0, with which it shares a call
    samples[changed] = samples[changed] * 7 - 3
    after = stack(torch.cat(samples), packing, first_token_only)
    owner = torch.arange(len(LENGTHS)) if first_token_only else packing.sample_of_token
    assert torch.equal(before[owner != changed], after[owner != changed])
    assert not torch.isclose(before[owner == changed], after[owner == changed]).all()


def test_no_gradient_flows_between_samples(stack):
    packing = Packing.from_lengths(LENGTHS, torch.device("cpu"))
    states = torch.cat(states_of(LENGTHS)).requires_grad_()
    stack(states, packing)[packing.sample_of_token == 3].square().sum().backward()
    assert not states.grad[packing.sample_of_token != 3].any()
    assert (states.grad[packing.sample_of_token == 3] != 0).all()


def test_tokens_of_one_sample_do_see_each_other(stack):
    packing = Packing.from_lengths(LENGTHS, torch.device("cpu"))
    states = torch.cat(states_of(LENGTHS)).requires_grad_()
    stack(states, packing)[-1].square().sum().backward()  # the last sample's last token
    assert (states.grad[-3:] != 0).any(dim=1).all()


def network_and_samples():
    layout = Layout(
        channels=(
            Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + FEATURES),
            Channel(name="value", kind="scalar", role="value"),
        ),
        num_features=FEATURES,
        has_cls=True,
        emits_every_feature=False,
        max_tokens=FEATURES + 1,
    )
    encoder = TransformerEncoder(layers=LAYERS, heads=HEADS, feed_forward=FEED_FORWARD)
    network = seeded_network(ModelSettings(encoder=encoder, width=WIDTH), layout, HeadSpec(outputs=3), EmbeddingStart(), 0).eval()
    with torch.no_grad():
        network.linear_path.weight.copy_(torch.randn(FEATURES, 3, generator=torch.Generator().manual_seed(3)))
    rng = np.random.default_rng(4)
    samples = []
    for length in LENGTHS:
        identities = np.concatenate([[0], NUM_SPECIALS + np.sort(rng.choice(FEATURES, length - 1, replace=False))])
        samples.append((identities, np.where(identities > 0, rng.uniform(0, 3, length), 0).astype(np.float32)))
    return network, samples


def batch_of(samples) -> Batch:
    identities = np.concatenate([identities for identities, _ in samples])
    values = np.concatenate([values for _, values in samples])
    offsets = np.cumsum([0] + [len(values) for _, values in samples])
    return Batch.from_tokens(Tokens({"feature": identities, "value": values}, offsets), np.arange(len(samples)))


def test_the_order_of_samples_in_a_batch_is_irrelevant():
    network, samples = network_and_samples()
    straight = network(batch_of(samples)).outputs
    order = [3, 0, 6, 2, 5, 1, 4]
    shuffled = network(batch_of([samples[index] for index in order])).outputs
    torch.testing.assert_close(shuffled, straight[order], rtol=1e-5, atol=1e-6)
    assert (straight - straight[order]).abs().max() > 0.1


def test_a_sample_alone_has_the_outputs_that_it_has_in_company():
    network, samples = network_and_samples()
    together = network(batch_of(samples)).outputs
    alone = torch.cat([network(batch_of([sample])).outputs for sample in samples])
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-6)


def test_the_order_of_tokens_in_a_sample_is_irrelevant():
    network, samples = network_and_samples()
    rng = np.random.default_rng(5)
    shuffled = []
    for identities, values in samples:
        order = np.concatenate([[0], 1 + rng.permutation(len(values) - 1)]).astype(int)
        shuffled.append((identities[order], values[order]))
    torch.testing.assert_close(network(batch_of(shuffled)).outputs, network(batch_of(samples)).outputs, rtol=1e-5, atol=1e-5)
