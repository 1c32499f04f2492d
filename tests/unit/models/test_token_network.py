"""The network of masked objectives: outputs at the targets alone, tied weights, states shared with the supervised network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from genoken.core.batch import Batch, Tokens
from genoken.core.config import EmbeddingSettings, ModelSettings
from genoken.core.errors import ConfigError
from genoken.core.layout import FIRST_CATEGORY, NUM_SPECIALS, Channel, HeadSpec, Layout
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.mlp import MlpEncoder
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.layers.packing import Packing
from genoken.models.network import Network
from genoken.models.token_network import TokenHead, TokenNetwork

LAYOUT = Layout(
    channels=(
        Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + 5),
        Channel(name="bin", kind="category", role="value", size=FIRST_CATEGORY + 2),
    ),
    num_features=5,
    has_cls=True,
    emits_every_feature=False,
    max_tokens=6,
)
HEADS = {
    "masked_feature": HeadSpec(outputs=5, level="token", tied_to="identity"),
    "masked_value": HeadSpec(outputs=2, level="token", tied_to="value"),
    "own": HeadSpec(outputs=3, level="token", initial_bias=(1.0, 2.0, 3.0)),
}
SETTINGS = ModelSettings(
    width=8,
    embedding=EmbeddingSettings(init="random"),
    encoder=TransformerEncoder(layers=2, heads=2, feed_forward=12, dropout=0.0),
)


@pytest.fixture
def network() -> TokenNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return TokenNetwork(SETTINGS, LAYOUT, HEADS, EmbeddingStart()).eval()


@pytest.fixture
def batch() -> Batch:
    channels = {"feature": np.array([0, 4, 1, 6, 0, 3, 7]), "bin": np.array([0, 2, 1, 3, 0, 1, 2])}
    batch = Batch.from_tokens(Tokens(channels=channels, offsets=np.array([0, 4, 7])), np.arange(2))
    places = {"masked_feature": [2], "masked_value": [2, 5], "own": [1, 3, 6]}
    return replace(batch, targets={f"{name}.places": torch.tensor(found) for name, found in places.items()})


def test_outputs_are_computed_at_the_targets_alone(network, batch):
    states = network.token_states(batch)
    found = network(batch)
    assert {name: tuple(outputs.shape) for name, outputs in found.items()} == {
        "masked_feature": (1, 5),
        "masked_value": (2, 2),
        "own": (3, 3),
    }
    for name, places in (("masked_feature", [2]), ("masked_value", [2, 5]), ("own", [1, 3, 6])):
        head = network.heads[name]
        hidden = head.transform(states[places])
        if name == "own":
            expected = hidden @ head.output.weight.T + torch.tensor([1.0, 2.0, 3.0])
        else:
            table = (
                network.embedding.identity.weight[3:8] if name == "masked_feature" else network.embedding.tables["bin"].weight[2:4]
            )
            expected = hidden @ table.T / 8**0.5 + head.bias
        torch.testing.assert_close(found[name], expected)


def test_tokens_out_of_sight_move_no_target(network, batch):
    seen = replace(batch, visible=torch.tensor([0, 1, 2, 3, 4, 5, 6]), visible_lengths=(4, 3))
    for name, outputs in network(batch).items():
        torch.testing.assert_close(network(seen)[name], outputs)
    fewer = replace(batch, visible=torch.tensor([0, 1, 2, 3, 4, 6]), visible_lengths=(4, 2))
    fewer = replace(fewer, targets=batch.targets | {"masked_value.places": torch.tensor([2])})
    own = network(fewer)["own"]
    torch.testing.assert_close(own[:2], network(batch)["own"][:2])  # the first sample is whole
    assert not torch.allclose(own[2], network(batch)["own"][2])


def test_the_weights_carry_over_to_a_supervised_network(network, batch):
    supervised = Network(replace(SETTINGS, linear_path=False), LAYOUT, HeadSpec(outputs=1), EmbeddingStart()).eval()
    missing = supervised.load_state_dict(network.state_dict(), strict=False)
    assert all(name.startswith("head.") for name in missing.missing_keys)
    torch.testing.assert_close(supervised.pooled_states(batch), network.pooled_states(batch))


def test_tied_outputs_start_at_scale_one():
    head = TokenHead(64, HeadSpec(outputs=500, tied_to="identity"))
    outputs = head(torch.randn(200, 64), torch.randn(500, 64))
    assert outputs.std().item() == pytest.approx(1, rel=0.1)
    uniform = functional.cross_entropy(outputs, torch.arange(200))
    assert uniform.item() < np.log(500) + 1


def test_a_head_that_chooses_a_feature_starts_from_how_often_each_occurs():
    network = TokenNetwork(SETTINGS, LAYOUT, HEADS, EmbeddingStart(feature_counts=np.array([0, 1, 3, 7, 1])))
    # log2 of one more than the counts is 0, 1, 2, 3, 1, whose mean is 1.4
    expected = np.log(2) * np.array([-1.4, -0.4, 0.6, 1.6, -0.4])
    np.testing.assert_allclose(network.heads["masked_feature"].bias.detach(), expected, atol=1e-6)
    assert network.heads["masked_value"].bias.tolist() == [0.0, 0.0]
    assert network.heads["own"].bias.tolist() == [1.0, 2.0, 3.0]


def test_an_encoder_without_tokens_is_refused():
    with pytest.raises(ConfigError, match="masked objectives need an encoder of tokens"):
        TokenNetwork(replace(SETTINGS, encoder=MlpEncoder()), LAYOUT, HEADS, EmbeddingStart())


def test_operations_are_those_of_the_encoder_over_what_it_sees(network, batch):
    assert network.training_flops(batch) == network.encoder.training_flops(Packing.from_lengths((4, 3), torch.device("cpu")))
    seen = replace(batch, visible=torch.tensor([0, 1, 4]), visible_lengths=(2, 1))
    assert network.training_flops(seen) == network.encoder.training_flops(Packing.from_lengths((2, 1), torch.device("cpu")))
