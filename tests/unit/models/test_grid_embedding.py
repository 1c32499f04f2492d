"""From packed tokens to a grid: answers by hand, what is refused, and lookups in the embedding of tokens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from genoken.core.batch import Batch, Tokens
from genoken.core.config import EmbeddingSettings
from genoken.core.errors import ConfigError
from genoken.core.layout import NUM_SPECIALS, Channel, Layout
from genoken.models.embeddings import EmbeddingStart, TokenEmbedding
from genoken.models.grid_embedding import GridEmbedding
from genoken.models.layers.packing import Packing

TABLE = ((0.0, 0.0), (1.0, 0.0), (0.0, 2.0))
IDENTITY = Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + 2)
VALUE = Channel(name="value", kind="scalar", role="value")
GENOTYPE = Channel(name="genotype", kind="lookup", role="genotype", size=3, table=TABLE)
START = EmbeddingStart(
    mean=np.array([1.0, 0.5]),
    deviation=np.array([0.5, 2.0]),
    expressed_mean=np.array([1.0, 0.5]),
    expressed_deviation=np.array([0.5, 2.0]),
)


def layout_of(*channels: Channel, every: bool = True) -> Layout:
    return Layout(
        channels=(IDENTITY, *channels), num_features=2, has_cls=True, emits_every_feature=every, max_tokens=3, is_panel=every
    )


@pytest.fixture
def batch() -> Batch:
    channels = {
        "feature": np.array([0, 3, 4, 0, 3, 4]),
        "value": np.array([0, 2, 1, 0, 0, 0.5], dtype=np.float32),
        "genotype": np.array([0, 2, 1, 0, 1, 0]),
    }
    return Batch.from_tokens(Tokens(channels, np.array([0, 3, 6])), np.arange(2))


def test_values_are_standardized_by_the_train_split(batch):
    embedding = GridEmbedding(layout_of(VALUE), START)
    numbers = embedding(batch)
    np.testing.assert_allclose(numbers, [[0], [2], [0.25], [0], [-2], [0]])
    np.testing.assert_allclose(embedding.grid(numbers, 2), [[[2], [0.25]], [[-2], [0]]])
    assert embedding.num_channels == 1
    assert embedding.table.shape == (2, 0)
    assert list(embedding.parameters()) == []


def test_genotypes_are_the_rows_of_their_table(batch):
    embedding = GridEmbedding(layout_of(VALUE, GENOTYPE), START)
    np.testing.assert_array_equal(embedding(batch), [[0, 0], [0, 2], [1, 0], [0, 0], [1, 0], [0, 0]])
    assert embedding.num_channels == 2


def test_tokens_that_are_left_out_are_zero_and_the_others_larger(batch):
    embedding = GridEmbedding(layout_of(VALUE), START)
    hidden = replace(batch, visible=torch.tensor([0, 1, 3, 4, 5]), visible_lengths=(2, 3))
    np.testing.assert_allclose(embedding(hidden), [[0], [3], [0], [0], [-2], [0]])


def test_what_features_have_goes_back_to_tokens():
    embedding = GridEmbedding(layout_of(VALUE), START)
    assert embedding.on_tokens(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist() == [0, 1, 2, 0, 3, 4]


def test_tokens_that_are_no_grid_of_numbers_are_refused():
    with pytest.raises(ConfigError, match="needs every feature"):
        GridEmbedding(layout_of(VALUE, every=False), START)
    with pytest.raises(ConfigError, match="hold none"):
        GridEmbedding(layout_of(Channel(name="rank", kind="category", role="value", size=4)), START)


def test_a_token_gets_the_product_of_its_numbers_with_a_matrix(batch):
    packing = Packing(batch.lengths, batch.offsets)
    without = TokenEmbedding(layout_of(VALUE), EmbeddingSettings(init="random"), 4, START)
    found = TokenEmbedding(layout_of(VALUE, GENOTYPE), EmbeddingSettings(init="random"), 4, START)
    found.load_state_dict(without.state_dict() | {"lookups.genotype.weight": torch.arange(8.0).view(4, 2)})
    expected = np.array(TABLE)[batch.channels["genotype"]] @ np.arange(8.0).reshape(4, 2).T
    np.testing.assert_allclose((found(batch, packing) - without(batch, packing)).detach(), expected, atol=1e-5)


def test_an_encoder_is_told_what_numbers_stand_for():
    grid = GridEmbedding(layout_of(VALUE), replace(START, frequency=np.array([0.25, 0.5]))).built_for(np.array([[0], [1]]), 0)
    assert (grid.channels, grid.num_features, grid.edges.tolist()) == (1, 2, [[0], [1]])
    np.testing.assert_array_equal(grid.moments.unit, [0.5, 2.0])
    np.testing.assert_array_equal(grid.moments.frequency, [0.25, 0.5])
    assert GridEmbedding(layout_of(VALUE), EmbeddingStart()).built_for(None, 0).moments is None
    assert GridEmbedding(layout_of(VALUE, GENOTYPE), START).built_for(None, 0).moments is None
