"""What is taken over from a pretrained network, bit by bit, and what stays frozen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genoken.core.batch import Batch, Tokens
from genoken.core.config import EmbeddingSettings, ModelSettings
from genoken.core.errors import ConfigError, RunError
from genoken.core.layout import FIRST_CATEGORY, NUM_SPECIALS, Channel, HeadSpec, Layout
from genoken.data.phenotype_tokens import extend_layout
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.linear import LinearEncoder
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.network import seeded_network
from genoken.models.pretrained_weights import freeze_layers, take_over
from genoken.models.token_network import seeded_token_network
from genoken.vocabulary.phenotypes import PhenotypeVocabulary

VALUES = {
    "scalar": Channel(name="value", kind="scalar", role="value"),
    "bins": Channel(name="bin", kind="category", role="value", size=FIRST_CATEGORY + 3),
}
PHENOTYPES = PhenotypeVocabulary.from_map({"sex": ["f", "m"], "tissue": ["lung"]}, where="typed")


def layout_of(value):
    identity = Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + 5)
    channels = (identity, VALUES[value]) if value else (identity,)
    return Layout(channels=channels, num_features=5, has_cls=True, emits_every_feature=False, max_tokens=6)


def settings_of(**embedding):
    return ModelSettings(
        width=8,
        embedding=EmbeddingSettings(init="random", **embedding),
        encoder=TransformerEncoder(layers=2, heads=2, feed_forward=12, dropout=0.0),
        linear_path=False,
    )


def pair_of(value, phenotypes, **embedding):
    settings, layout = settings_of(**embedding), layout_of(value)
    wide = extend_layout(layout, PHENOTYPES, end=True) if phenotypes else layout
    heads = {"masked_feature": HeadSpec(outputs=5, level="token", tied_to="identity")}
    pretrained = seeded_token_network(settings, wide, heads, EmbeddingStart(), 1)
    with torch.no_grad():
        for parameter in pretrained.parameters():
            parameter.add_(torch.rand_like(parameter))
    return seeded_network(settings, layout, HeadSpec(outputs=3), EmbeddingStart(), 2), pretrained


@pytest.mark.parametrize("value", ["", "scalar", "bins"])
@pytest.mark.parametrize("phenotypes", [False, True])
@pytest.mark.parametrize("position", ["none", "learned", "sinusoidal"])
def test_embedding_and_encoder_are_the_pretrained_ones(value, phenotypes, position):
    network, pretrained = pair_of(value, phenotypes, position=position)
    head = {name: weight.clone() for name, weight in network.head.state_dict().items()}
    take_over(network, pretrained, 2 if phenotypes else 0)
    theirs = pretrained.state_dict()
    for name, own in network.state_dict().items():
        if name == "embedding.positions.weight" and phenotypes:  # CLS, sex, tissue, genes
            assert torch.equal(own, theirs[name][[0, 3, 4, 5, 6, 7]])
        elif name.startswith("embedding."):
            assert torch.equal(own, theirs[name][: len(own)]), name
        elif name.startswith("encoder."):
            assert torch.equal(own, theirs[name]), name
    assert all(torch.equal(weight, head[name]) for name, weight in network.head.state_dict().items())


@pytest.mark.parametrize("value", ["", "scalar", "bins"])
def test_both_networks_see_the_same_states(value):
    network, pretrained = pair_of(value, phenotypes=False, position="learned")
    take_over(network, pretrained, 0)
    channels = {"feature": np.array([0, 4, 3, 6, 0, 7])}
    channels |= {"value": np.array([0, 1.5, 0.2, 3, 0, 2], dtype=np.float32)} if value == "scalar" else {}
    channels |= {"bin": np.array([0, 2, 3, 4, 0, 3])} if value == "bins" else {}
    batch = Batch.from_tokens(Tokens(channels=channels, offsets=np.array([0, 4, 6])), np.arange(2))
    assert torch.equal(network.eval().pooled_states(batch), pretrained.eval().pooled_states(batch))


@pytest.mark.parametrize(
    "other", [settings_of(position="learned"), ModelSettings(width=4, encoder=settings_of().encoder, linear_path=False)]
)
def test_a_network_of_another_shape_is_refused(other):
    _, pretrained = pair_of("bins", phenotypes=False)
    network = seeded_network(other, layout_of("bins"), HeadSpec(outputs=3), EmbeddingStart(), 2)
    with pytest.raises(RunError, match=r"the pretrained network does not fit: 'embedding\.\w+\.weight' is missing or of another"):
        take_over(network, pretrained, 0)


@pytest.mark.parametrize(
    ("count", "frozen"),
    [(0, ()), (1, ("embedding.", "encoder.blocks.0.")), (2, ("embedding.", "encoder."))],
)
def test_the_lowest_blocks_are_frozen_with_the_embedding(count, frozen):
    network, _ = pair_of("scalar", phenotypes=False)
    freeze_layers(network, count)
    found = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    assert found == {name for name, _ in network.named_parameters() if name.startswith(frozen) and frozen}
    assert network.num_parameters()["embedding"] == (0 if count else sum(p.numel() for p in network.embedding.parameters()))


def test_more_blocks_than_there_are_cannot_be_frozen():
    network, _ = pair_of("scalar", phenotypes=False)
    with pytest.raises(ConfigError, match=r"'training\.freeze_layers' is 3, but the encoder has 2 blocks — use at most 2"):
        freeze_layers(network, 3)
    linear = ModelSettings(width=4, encoder=LinearEncoder())
    bag = seeded_network(linear, layout_of("scalar"), HeadSpec(outputs=3), EmbeddingStart(), 0)
    with pytest.raises(ConfigError, match="the encoder has 0 blocks"):
        freeze_layers(bag, 1)
