"""The network: what its outputs consist of, what pooling means, what its start depends on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from genoken.core.batch import Batch, Tokens
from genoken.core.config import EmbeddingSettings, ModelSettings
from genoken.core.errors import ConfigError
from genoken.core.layout import NUM_SPECIALS, Channel, HeadSpec, Layout
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.linear import LinearEncoder
from genoken.models.encoders.mlp import MlpEncoder
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.network import compile_blocks, seeded_network, set_gradient_checkpointing

FEATURES, WIDTH = 7, 8
LAYOUT = Layout(
    channels=(
        Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + FEATURES),
        Channel(name="value", kind="scalar", role="value"),
    ),
    num_features=FEATURES,
    has_cls=True,
    emits_every_feature=False,
    max_tokens=FEATURES + 1,
)


@pytest.fixture
def batch() -> Batch:
    """Four samples with CLS and 3, 0, 5 and 5 of 7 features."""
    rng = np.random.default_rng(0)
    kept = [[0, 2, 5], [], [0, 1, 2, 3, 6], [1, 2, 4, 5, 6]]
    identities = np.concatenate([[0, *(NUM_SPECIALS + feature for feature in row)] for row in kept]).astype(np.int64)
    values = np.where(identities >= NUM_SPECIALS, rng.uniform(0.5, 3, len(identities)), 0).astype(np.float32)
    offsets = np.cumsum([0] + [1 + len(row) for row in kept])
    return Batch.from_tokens(Tokens({"feature": identities, "value": values}, offsets), np.arange(4))


def network_of(encoder=None, *, outputs=3, seed=0, layout=LAYOUT, start=None, **settings):
    encoder = encoder or TransformerEncoder(layers=2, heads=2, feed_forward=12)
    model = ModelSettings(encoder=encoder, width=WIDTH, **settings)
    network = seeded_network(model, layout, HeadSpec(outputs=outputs), start or EmbeddingStart(), seed)
    if network.linear_path is not None:  # it starts from zero, where nothing could be seen
        generator = torch.Generator().manual_seed(9)
        with torch.no_grad():
            network.linear_path.weight.copy_(torch.randn(FEATURES, outputs, generator=generator))
    return network.eval()


def test_pooling_by_cls_is_the_first_tokens_final_state(batch):
    network = network_of(pooling="cls")
    everything = network.token_states(batch)
    assert everything.shape == (batch.num_tokens, WIDTH)
    torch.testing.assert_close(network.pooled_states(batch), everything[batch.offsets[:-1].long()], rtol=1e-5, atol=1e-5)


def test_pooling_by_mean_is_the_mean_of_all_final_states(batch):
    network = network_of(pooling="mean")
    parts = network.token_states(batch).split(batch.lengths)
    torch.testing.assert_close(
        network.pooled_states(batch), torch.stack([part.mean(dim=0) for part in parts]), rtol=1e-5, atol=1e-5
    )


def test_outputs_are_the_heads_plus_the_linear_paths(batch):
    network = network_of()
    found = network(batch)
    of_head, of_path = network.head(found.states), network.linear_path(batch)
    assert of_path.abs().max() > 0.1
    torch.testing.assert_close(found.outputs, of_head + of_path)
    torch.testing.assert_close(found.summands[0], of_head)
    torch.testing.assert_close(found.summands[1], of_path)
    assert (found.outputs.shape, found.outputs.dtype, found.states.shape) == ((4, 3), torch.float32, (4, WIDTH))


def test_one_summand_can_be_had_alone(batch):
    network = network_of()
    with network.only("encoder"):
        torch.testing.assert_close(network(batch).outputs, network(batch).summands[0])
    with network.only("linear_path"):
        torch.testing.assert_close(network(batch).outputs, network.linear_path(batch))
    torch.testing.assert_close(network(batch).outputs, sum(network(batch).summands))


def test_a_prior_is_added_once_to_the_sum_and_to_each_summand_alone(batch):
    network = network_of()
    network.summand_weights.copy_(torch.tensor([0.5, 2.0]))
    prior = torch.arange(12.0).view(4, 3)
    with torch.no_grad():
        plain, known = network(batch), network(dataclasses.replace(batch, prior=prior))
        torch.testing.assert_close(known.outputs, plain.outputs + prior)
        for before, after, alone in zip(plain.summands, known.summands, known.alone, strict=True):
            assert torch.equal(before, after)
            torch.testing.assert_close(alone, before + prior)
        with network.only("linear_path"):
            torch.testing.assert_close(network(dataclasses.replace(batch, prior=prior)).outputs, plain.summands[1] + prior)
        single = network_of(linear_path=False)
        torch.testing.assert_close(single(dataclasses.replace(batch, prior=prior)).outputs, single(batch).outputs + prior)


def test_without_a_linear_path_the_head_speaks_alone(batch):
    network = network_of(linear_path=False)
    found = network(batch)
    assert network.linear_path is None
    assert found.summands == ()
    torch.testing.assert_close(found.outputs, network.head(found.states))
    with network.only("linear_path"):
        torch.testing.assert_close(network(batch).outputs, found.outputs)


@pytest.mark.parametrize("encoder", [MlpEncoder(layers=1), LinearEncoder()])
def test_rivals_work_on_the_bag_of_values(encoder, batch):
    network = network_of(encoder)
    found = network(batch)
    torch.testing.assert_close(found.states, network.encoder(network.embedding(batch)))
    torch.testing.assert_close(found.outputs, network.head(found.states))
    assert network.linear_path is None
    assert network.attention_layers() == []
    assert network.feature_table.shape == (FEATURES, WIDTH)
    with pytest.raises(ConfigError, match="no token states"):
        network.token_states(batch)


def test_the_linear_rival_is_linear_in_the_values(batch):
    network = network_of(LinearEncoder(), head="linear")
    outputs = [
        network(dataclasses.replace(batch, channels={**batch.channels, "value": factor * batch.channels["value"]})).outputs
        for factor in (0, 1, 2)
    ]
    torch.testing.assert_close(outputs[2] - outputs[1], outputs[1] - outputs[0])
    assert (outputs[1] - outputs[0]).abs().max() > 0.01


def test_the_encoder_sees_visible_tokens_and_the_linear_path_all(batch):
    network = network_of()
    visible = torch.tensor([0, 2, 4, 5, 7, 9, 11, 12])  # CLS of the samples: 0, 4, 5, 11
    hidden = dataclasses.replace(batch, visible=visible, visible_lengths=(2, 1, 3, 2))
    seen = Batch.from_tokens(
        Tokens({name: channel[visible].numpy() for name, channel in batch.channels.items()}, np.array([0, 2, 3, 6, 8])),
        np.arange(4),
    )
    torch.testing.assert_close(network(hidden).states, network(seen).states)
    torch.testing.assert_close(network(hidden).summands[1], network(batch).summands[1])
    assert (network(hidden).states - network(batch).states).abs().max() > 0.01
    assert network.token_states(hidden).shape == (8, WIDTH)


def test_parameters_are_counted_by_part():
    counts = network_of(embedding=EmbeddingSettings(combine="additive")).num_parameters()
    block = 2 * 2 * WIDTH + 4 * WIDTH**2 + 4 * WIDTH + 2 * 12 * WIDTH + 12 + WIDTH
    assert counts == {
        "embedding": (FEATURES + NUM_SPECIALS) * WIDTH + WIDTH,
        "encoder": 2 * block,
        "head": 2 * WIDTH + WIDTH * 4 + 4 + 4 * 3 + 3,
        "linear_path": FEATURES * 3 + 3,
    }


def test_the_start_depends_on_the_seed_alone(batch):
    torch.manual_seed(1)
    one = network_of(seed=5).state_dict()
    torch.manual_seed(2)
    other = network_of(seed=5).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    different = network_of(seed=6).state_dict()
    assert not torch.equal(one["head.1.weight"], different["head.1.weight"])


def test_building_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    network_of(seed=5)
    torch.testing.assert_close(torch.rand(4), expected, rtol=0, atol=0)


def test_pooling_by_cls_needs_a_cls_token():
    layout = dataclasses.replace(LAYOUT, has_cls=False)
    with pytest.raises(ConfigError, match=r"needs a tokenizer that emits a CLS token — use model.pooling: mean"):
        network_of(layout=layout)
    network_of(layout=layout, pooling="mean")


def test_the_backend_is_set_on_every_layer(batch):
    network = network_of()
    expected = network(batch).outputs
    network.set_attention_backend("eager")
    assert [layer.backend for layer in network.attention_layers()] == ["eager", "eager"]
    torch.testing.assert_close(network(batch).outputs, expected, rtol=1e-5, atol=1e-5)


def test_attention_is_read_layer_by_layer_without_changing_outputs(batch):
    network = network_of(pooling="mean")
    expected = network(batch).outputs
    seen = {}
    with network.reading_attention(lambda layer, sample, weights: seen.__setitem__((layer, sample), weights)):
        torch.testing.assert_close(network(batch).outputs, expected, rtol=1e-5, atol=1e-5)
    assert sorted(seen) == [(layer, sample) for layer in range(2) for sample in range(4)]
    for (_, sample), weights in seen.items():
        assert weights.shape == (2, batch.lengths[sample], batch.lengths[sample])
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:2]))
    seen.clear()
    network(batch)
    assert seen == {}


def test_gradient_checkpointing_is_set_where_it_is_known():
    network = network_of()
    set_gradient_checkpointing(network, True)
    assert network.encoder.gradient_checkpointing
    set_gradient_checkpointing(network_of(LinearEncoder()), True)


def test_compiling_touches_the_blocks_alone(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, dynamic: compiled.append((module, dynamic)))
    network = network_of()
    compile_blocks(network)
    assert compiled == [(block, True) for block in network.encoder.blocks]
    compile_blocks(network_of(LinearEncoder()))
    assert len(compiled) == 2
