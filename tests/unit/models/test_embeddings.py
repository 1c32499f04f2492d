"""From channels to vectors: formulas by hand, parity with dense computations, balance at the start."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import nn
from torch.nn import functional

from genoken.core.batch import Batch, Tokens
from genoken.core.config import EmbeddingSettings
from genoken.core.errors import ConfigError
from genoken.core.layout import FIRST_CATEGORY, NUM_SPECIALS, Channel, Layout
from genoken.models.embeddings import EmbeddingStart, FeatureBag, TokenEmbedding, floored, sinusoidal, svd_start
from genoken.models.layers.packing import Packing
from genoken.models.layers.stack import TransformerStack
from genoken.synthetic import planted_markers
from genoken.tokenizers._features import expressed_moments, normalize_total_log1p

COMBINATIONS = ["affine", "multiplicative", "additive", "concatenate"]


def layout_of(num_features=4, max_tokens=5) -> Layout:
    return Layout(
        channels=(
            Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + num_features),
            Channel(name="value", kind="scalar", role="value"),
        ),
        num_features=num_features,
        has_cls=True,
        emits_every_feature=False,
        max_tokens=max_tokens,
    )


def batch_of(dense, *, zeros=False) -> Batch:
    """Return CLS and the expressed features (or all of them) of each row."""
    identities, values, offsets = [], [], [0]
    for row in np.asarray(dense):
        kept = np.arange(len(row)) if zeros else np.flatnonzero(row)
        identities += [0, *(kept + NUM_SPECIALS)]
        values += [0.0, *row[kept]]
        offsets.append(len(values))
    channels = {"feature": np.array(identities), "value": np.array(values, dtype=np.float32)}
    return Batch.from_tokens(Tokens(channels=channels, offsets=np.array(offsets)), np.arange(len(offsets) - 1))


def packing_of(batch) -> Packing:
    return Packing(batch.lengths, batch.offsets)


def embedding_of(width=6, start=None, *, num_features=4, **settings) -> TokenEmbedding:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TokenEmbedding(
            layout_of(num_features), EmbeddingSettings(init="random", **settings), width, start or EmbeddingStart()
        )


DENSE = np.array([[0, 2.5, 0, 1.5], [5, 0, -1, 0]], dtype=np.float32)  # tokens: CLS b d, CLS a c
IDENTITIES = [0, 4, 6, 0, 3, 5]
VALUES = torch.tensor([0, 2.5, 1.5, 0, 5, -1.0]).unsqueeze(1)


def test_multiplicative():
    embedding = embedding_of(combine="multiplicative")
    batch = batch_of(DENSE)
    expected = embedding.identity.weight[IDENTITIES] * (torch.tanh(VALUES / 5) + 1)
    torch.testing.assert_close(embedding(batch, packing_of(batch)), expected)
    assert math.isclose(math.tanh(5 / 5) + 1, (expected[4, 0] / embedding.identity.weight[3, 0]).item(), rel_tol=1e-6)


def test_a_value_of_zero_leaves_the_multiplicative_vector_as_it_is():
    embedding = embedding_of(combine="multiplicative")
    batch = batch_of(np.zeros((1, 4)), zeros=True)
    torch.testing.assert_close(embedding(batch, packing_of(batch)), embedding.identity.weight[[0, 3, 4, 5, 6]], rtol=0, atol=0)


def test_additive():
    embedding = embedding_of(combine="additive")
    batch = batch_of(DENSE)
    expected = embedding.identity.weight[IDENTITIES] + VALUES * embedding.value.weight.T
    torch.testing.assert_close(embedding(batch, packing_of(batch)), expected)
    assert embedding.value.bias is None


def test_concatenate():
    embedding = embedding_of(combine="concatenate", width=6)
    assert embedding.table.shape == (4, 3)
    batch = batch_of(DENSE)
    halves = torch.cat([embedding.identity.weight[IDENTITIES], VALUES * embedding.value.weight.T], dim=1)
    expected = halves @ embedding.fusion.weight.T + embedding.fusion.bias
    torch.testing.assert_close(embedding(batch, packing_of(batch)), expected)
    with pytest.raises(ConfigError, match=r"'model.width' must be even .* — use 8"):
        embedding_of(combine="concatenate", width=7)


def test_affine():
    start = EmbeddingStart(expressed_mean=np.array([1.0, 2, 0, 1]), expressed_deviation=np.array([0.5, 0.25, 2, 4]))
    embedding = embedding_of(start=start, combine="affine")
    batch = batch_of(DENSE)
    # CLS none, b (2.5 - 2) / 0.25, d (1.5 - 1) / 4, CLS none, a (5 - 1) / 0.5 = 8 limited to 4, c (-1 - 0) / 2
    standardized = torch.tensor([0, 2, 0.125, 0, 4, -0.5]).unsqueeze(1)
    expected = embedding.identity.weight[IDENTITIES] + standardized * embedding.slope.weight[IDENTITIES]
    torch.testing.assert_close(embedding(batch, packing_of(batch)), expected)
    assert embedding.slope.weight[3:].std().item() == pytest.approx(0.3, rel=0.3)


def test_a_value_at_its_genes_mean_leaves_the_affine_vector_as_it_is():
    mean = np.array([1.0, 2, 3, 4])
    embedding = embedding_of(start=EmbeddingStart(expressed_mean=mean, expressed_deviation=np.ones(4)), combine="affine")
    batch = batch_of(mean[None])
    torch.testing.assert_close(embedding(batch, packing_of(batch)), embedding.identity.weight[[0, 3, 4, 5, 6]], rtol=0, atol=0)


def test_specials_have_no_slope():
    embedding = embedding_of(combine="affine")
    with torch.no_grad():
        embedding.slope.weight.fill_(1.0)
    batch = batch_of(DENSE)
    batch.channels["value"][[0, 3]] = 2.0
    torch.testing.assert_close(embedding(batch, packing_of(batch))[[0, 3]], embedding.identity.weight[[0, 0]], rtol=0, atol=0)


@pytest.mark.parametrize("combine", COMBINATIONS)
def test_hidden_tokens_are_left_out(combine):
    embedding = embedding_of(combine=combine)
    batch = batch_of(DENSE)
    whole = embedding(batch, packing_of(batch))
    visible = Batch(batch.channels, batch.lengths, batch.offsets, batch.rows, {}, torch.tensor([0, 2, 3]), (2, 1))
    packing = Packing.from_lengths((2, 1), torch.device("cpu"))
    torch.testing.assert_close(embedding(visible, packing), whole[[0, 2, 3]])


def test_positions_count_within_each_sample():
    plain, sinus, learned = (embedding_of(combine="additive", position=kind) for kind in ("none", "sinusoidal", "learned"))
    for embedding in (sinus, learned):
        embedding.load_state_dict(plain.state_dict(), strict=False)
    batch = batch_of(DENSE)
    packing = packing_of(batch)
    without = plain(batch, packing)
    places = torch.tensor([0, 1, 2, 0, 1, 2])
    torch.testing.assert_close(sinus(batch, packing) - without, sinusoidal(places, 6))
    torch.testing.assert_close(learned(batch, packing) - without, learned.positions.weight[places])
    assert learned.positions.weight.shape == (5, 6)
    assert learned.positions.weight.std().item() < 0.05


@pytest.mark.parametrize("position", ["sinusoidal", "learned"])
@pytest.mark.parametrize("combine", COMBINATIONS)
def test_positions_count_the_hidden_tokens_too(combine, position):
    embedding = embedding_of(combine=combine, position=position)
    batch = batch_of(DENSE)
    whole = embedding(batch, packing_of(batch))
    # The first sample's tokens 0 and 2 stay, and the second sample's 0 and 2: without the hidden ones they would be 0 and 1.
    visible = Batch(batch.channels, batch.lengths, batch.offsets, batch.rows, {}, torch.tensor([0, 2, 3, 5]), (2, 2))
    packing = Packing.from_lengths((2, 2), torch.device("cpu"))
    torch.testing.assert_close(embedding(visible, packing), whole[[0, 2, 3, 5]])


@pytest.mark.parametrize("width", [8, 7, 1])
def test_sinusoidal_positions_are_those_of_the_paper(width):
    table = np.zeros((50, width + 1))
    for place in range(50):
        for pair in range((width + 1) // 2):
            angle = place / 10_000 ** (2 * pair / (2 * ((width + 1) // 2)))
            table[place, 2 * pair : 2 * pair + 2] = math.sin(angle), math.cos(angle)
    found = sinusoidal(torch.arange(50), width)
    assert found.shape == (50, width)
    np.testing.assert_allclose(found.numpy(), table[:, :width], atol=1e-5)


def test_vectors_start_from_the_table_given_and_specials_small():
    features = np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)
    given = embedding_of(start=EmbeddingStart(features=features), num_features=400)
    np.testing.assert_array_equal(given.table.detach().numpy(), features)
    drawn = embedding_of(num_features=400, width=50)
    assert drawn.table.std().item() == pytest.approx(1, rel=0.02)
    assert drawn.identity.weight[:NUM_SPECIALS].std().item() == pytest.approx(0.02, rel=0.3)
    half = embedding_of(start=EmbeddingStart(features=features[:, :3]), num_features=400, combine="concatenate")
    np.testing.assert_array_equal(half.table.detach().numpy(), features[:, :3])


def layout_with(*channels) -> Layout:
    return Layout(channels=channels, num_features=4, has_cls=True, emits_every_feature=False, max_tokens=5)


def test_a_tokenizer_without_what_is_needed_is_refused():
    identity = Channel(name="feature", kind="category", role="identity", size=7)
    bins = Channel(name="bin", kind="category", role="value", size=FIRST_CATEGORY + 3)
    for channels in ((identity,), (identity, bins)):
        with pytest.raises(ConfigError, match="this encoder weighs numbers, and the tokens of this tokenizer hold none"):
            FeatureBag(layout_with(*channels), 4, EmbeddingStart(), zero_start=True)
    with pytest.raises(ConfigError, match="no identity channel"):
        TokenEmbedding(layout_with(), EmbeddingSettings(), 4, EmbeddingStart())


# --- tokens whose value is a category, and phenotypes ---


def test_categories_have_tables_whose_vectors_are_added():
    layout = layout_with(
        Channel(name="feature", kind="category", role="identity", size=9),
        Channel(name="bin", kind="category", role="value", size=FIRST_CATEGORY + 3),
        Channel(name="phenotype", kind="category", role="phenotype", size=6),
    )
    embedding = TokenEmbedding(layout, EmbeddingSettings(position="learned"), 4, EmbeddingStart())
    channels = {
        "feature": np.array([0, 7, 3, 0, 8, 5]),
        "bin": np.array([0, 0, 4, 0, 0, 1]),
        "phenotype": np.array([0, 3, 0, 0, 1, 0]),
    }
    batch = Batch.from_tokens(Tokens(channels=channels, offsets=np.array([0, 3, 6])), np.arange(2))
    tables = embedding.tables
    expected = embedding.identity.weight[[0, 7, 3, 0, 8, 5]] + embedding.positions.weight[[0, 1, 2, 0, 1, 2]]
    expected = expected + tables["bin"].weight[[0, 0, 4, 0, 0, 1]] + tables["phenotype"].weight[[0, 3, 0, 0, 1, 0]]
    torch.testing.assert_close(embedding(batch, packing_of(batch)), expected)
    assert not tables["bin"].weight[0].any()
    assert not tables["phenotype"].weight[0].any()
    assert embedding.table.shape == (4, 4)
    ordered = tables["bin"].weight[FIRST_CATEGORY:].detach()
    assert (ordered - sinusoidal(torch.arange(3), 4)).abs().max() < 0.1


SEGMENTED = layout_with(
    Channel(name="feature", kind="category", role="identity", size=7),
    Channel(name="segment", kind="category", role="segment", size=FIRST_CATEGORY + 1),
)


def test_a_successor_has_a_segment_of_its_own_and_starts_its_positions_again():
    embedding = TokenEmbedding(SEGMENTED, EmbeddingSettings(position="learned"), 4, EmbeddingStart())
    # CLS a b SEP c d | CLS SEP a
    channels = {"feature": np.array([0, 3, 4, 2, 5, 6, 0, 2, 3]), "segment": np.array([0, 0, 0, 2, 2, 2, 0, 2, 2])}
    batch = Batch.from_tokens(Tokens(channels=channels, offsets=np.array([0, 6, 9])), np.arange(2))
    packing = Packing(batch.lengths, batch.offsets, (3, 1), "full")
    expected = embedding.identity.weight[channels["feature"]] + embedding.positions.weight[[0, 1, 2, 0, 1, 2, 0, 0, 1]]
    expected = expected + embedding.tables["segment"].weight[2] * torch.tensor([0, 0, 0, 1, 1, 1, 0, 1, 1]).unsqueeze(1)
    torch.testing.assert_close(embedding(batch, packing), expected)
    assert embedding.tables["segment"].weight[2].all()

    visible = replace(batch, visible=torch.tensor([0, 1, 2, 3, 5, 6, 7, 8]), visible_lengths=(5, 3))
    some = Packing((5, 3), torch.tensor([0, 5, 8], dtype=torch.int32), (3, 1), "next_cell_strict")
    torch.testing.assert_close(embedding(visible, some), expected[visible.visible])


def test_samples_without_successors_need_no_segments():
    embedding = TokenEmbedding(SEGMENTED, EmbeddingSettings(position="sinusoidal"), 4, EmbeddingStart())
    channels = {"feature": np.array([0, 3, 4]), "segment": np.zeros(3, dtype=np.int64)}
    offsets = np.array([0, 3])
    with_segments = Batch.from_tokens(Tokens(channels=channels, offsets=offsets), np.arange(1))
    without = Batch.from_tokens(Tokens(channels={"feature": channels["feature"]}, offsets=offsets), np.arange(1))
    assert torch.equal(embedding(with_segments, packing_of(with_segments)), embedding(without, packing_of(without)))


def test_at_the_start_segments_are_told_apart_and_drown_no_position():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        embedding = TokenEmbedding(SEGMENTED, EmbeddingSettings(position="learned"), 400, EmbeddingStart())
    segment, position = embedding.tables["segment"].weight, embedding.positions.weight
    assert not segment[0].any()
    assert segment[FIRST_CATEGORY].std().item() == pytest.approx(0.1, rel=0.15)
    assert segment[FIRST_CATEGORY].std() < 6 * position.std()


@pytest.mark.parametrize("combine", COMBINATIONS)
def test_a_hidden_value_is_the_middle_of_its_range_and_a_learned_vector(combine):
    start = EmbeddingStart(expressed_mean=np.array([1.0, 2, 3, 4]), expressed_deviation=np.array([0.5, 1, 2, 4]))
    embedding = TokenEmbedding(layout_of(), EmbeddingSettings(init="random", combine=combine), 6, start, hides_values=True)
    with torch.no_grad():
        embedding.hidden_value.copy_(torch.arange(6.0))
    middle = {"affine": DENSE * 0 + np.array([1, 2, 3, 4])}.get(combine, DENSE * 0)
    hidden, plain = batch_of(DENSE * np.nan, zeros=True), batch_of(middle, zeros=True)
    expected = embedding(plain, packing_of(plain)) + torch.arange(6.0) * (plain.channels["feature"] > 0).unsqueeze(1)
    torch.testing.assert_close(embedding(hidden, packing_of(hidden)), expected)


def test_moments_are_taken_from_what_the_tokenizer_learned():
    start = EmbeddingStart.from_state({"train_mean": np.ones(2), "expressed_deviation": np.zeros(2)}, np.eye(2))
    assert start.mean.tolist() == [1, 1]
    assert start.expressed_deviation.tolist() == [0, 0]
    assert start.deviation is None
    assert start.expressed_mean is None
    assert start.features.tolist() == [[1, 0], [0, 1]]


def test_deviations_have_a_floor():
    np.testing.assert_allclose(floored(np.array([0, 0.05, 2, 1, 3])), [0.1, 0.1, 2, 1, 3])
    np.testing.assert_allclose(floored(np.zeros(3)), 1e-3)


class TestFeatureBag:
    @pytest.fixture
    def dense(self):
        rng = np.random.default_rng(3)
        return (rng.random((6, 9)) * (rng.random((6, 9)) < 0.5)).astype(np.float32)

    @pytest.fixture
    def bag(self, dense):
        mean, deviation = dense.mean(axis=0), dense.std(axis=0)
        bag = FeatureBag(layout_of(9), 5, EmbeddingStart(mean=mean, deviation=deviation), zero_start=False)
        with torch.no_grad():
            bag.bias.copy_(torch.linspace(-1, 1, 5))
        return bag

    @pytest.mark.parametrize("zeros", [False, True])
    def test_it_is_a_dense_product_of_standardized_values(self, bag, dense, zeros):
        standardized = (dense - dense.mean(axis=0)) / floored(dense.std(axis=0))
        expected = standardized @ bag.weight.detach().numpy() + bag.bias.detach().numpy()
        found = bag(batch_of(dense, zeros=zeros)).detach().numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)

    def test_specials_count_for_nothing(self, bag, dense):
        batch = batch_of(dense)
        expected = bag(batch)
        batch.channels["value"][batch.offsets[:-1].long()] = 5.0
        torch.testing.assert_close(bag(batch), expected, rtol=0, atol=0)

    def test_its_gradient_is_that_of_the_dense_product(self, bag, dense):
        upstream = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
        (bag(batch_of(dense)) * upstream).sum().backward()
        standardized = torch.from_numpy((dense - dense.mean(axis=0)) / floored(dense.std(axis=0)))
        torch.testing.assert_close(bag.weight.grad, (standardized.T @ upstream).float(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(bag.bias.grad, upstream.sum(dim=0))

    def test_a_sample_without_expression_is_not_empty(self, bag, dense):
        expected = -(dense.mean(axis=0) / floored(dense.std(axis=0))) @ bag.weight.detach().numpy() + bag.bias.detach().numpy()
        np.testing.assert_allclose(bag(batch_of(np.zeros((1, 9)))).detach().numpy()[0], expected, rtol=1e-4, atol=1e-5)

    def test_without_moments_values_are_taken_as_they_are(self, dense):
        bag = FeatureBag(layout_of(9), 5, EmbeddingStart(), zero_start=False)
        np.testing.assert_allclose(bag(batch_of(dense)).detach().numpy(), dense @ bag.weight.detach().numpy(), rtol=1e-4, atol=1e-5)

    def test_its_start(self):
        assert not FeatureBag(layout_of(9), 5, EmbeddingStart(), zero_start=True).weight.any()
        weight = FeatureBag(layout_of(400), 50, EmbeddingStart(), zero_start=False).table
        assert weight.std().item() == pytest.approx(1 / 20, rel=0.05)

    def test_it_computes_in_32_bits_under_mixed_precision(self, bag, dense):
        batch = batch_of(dense)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = bag(batch)
        assert mixed.dtype == torch.float32
        torch.testing.assert_close(mixed, bag(batch), rtol=0, atol=0)


class TestSvdStart:
    @pytest.fixture
    def values(self):
        rng = np.random.default_rng(4)
        return sp.csr_matrix(rng.gamma(1, 1, size=(30, 20)) * (rng.random((30, 20)) < 0.6) * rng.uniform(0.1, 5, 20))

    @pytest.mark.parametrize("transposed", [False, True])
    def test_it_holds_numpys_singular_vectors_with_signs_fixed(self, values, transposed):
        dense = (values.T if transposed else values).toarray()
        standardized = (dense - dense.mean(axis=0)) / floored(dense.std(axis=0))
        right = np.linalg.svd(standardized, full_matrices=False)[2][:7]
        table = svd_start(sp.csr_matrix(dense), 7, seed=0)
        assert table.dtype == np.float32
        np.testing.assert_allclose(np.square(table).mean(axis=0), 1, rtol=1e-5)  # equal weights
        unit = table / np.linalg.norm(table, axis=0)
        np.testing.assert_allclose(np.abs(unit.T @ right.T), np.eye(7), atol=1e-4)
        assert (table[np.abs(table).argmax(axis=0), np.arange(7)] > 0).all()

    def test_it_depends_on_data_and_seed_alone(self, values):
        first = svd_start(values, 25, seed=0)
        np.random.default_rng(0).random()
        np.testing.assert_array_equal(first, svd_start(values, 25, seed=0))
        other = svd_start(values, 25, seed=1)
        np.testing.assert_allclose(first[:, :19], other[:, :19], atol=1e-4)
        assert np.abs(first[:, 19:] - other[:, 19:]).max() > 0.01

    @pytest.mark.parametrize(
        ("dense", "rank"),
        [
            (np.repeat(np.random.default_rng(0).random((3, 12)), 5, axis=0), 2),
            (np.outer(np.arange(8.0), np.arange(1.0, 7)), 1),
            (np.ones((6, 5)), 0),
            (np.zeros((6, 5)), 0),
            (np.ones((1, 4)), 0),
            (np.array([[1.0], [2.0], [4.0]]), 0),
        ],
    )
    def test_coordinates_beyond_the_rank_are_little_noise(self, dense, rank):
        table = svd_start(sp.csr_matrix(dense), 40, seed=0)
        assert table.shape == (dense.shape[1], 40)
        np.testing.assert_array_equal(table, svd_start(sp.csr_matrix(dense), 40, seed=0))
        assert table[:, rank:].std() == pytest.approx(0.1, rel=0.5)
        if rank:
            assert np.square(table[:, :rank]).mean() == pytest.approx(1, rel=1e-5)


def share_of_values(pooled, dense, means) -> float:
    """Return the relative change of pooled states when each value becomes its gene's mean: what the values contribute."""
    replaced = np.where(dense > 0, means, 0)
    with torch.no_grad():
        whole, without = pooled(batch_of(dense)), pooled(batch_of(replaced))
    return ((whole - without).norm(dim=1) / whole.norm(dim=1)).mean().item()


class TestValuesAreNotDrowned:
    """How much of the pooled state comes from the values, before anything is learned.

    In the recipe that this model goes back to, gene vectors have standard deviation 0.02, positions of amplitude 1 are added, and
    CLS is drawn from N(0, 1): what the value changes is a few percent of a token, and CLS covers what attention gathers.
    """

    WIDTH, FEATURES, SEEDS = 64, 80, (0, 1)

    @pytest.fixture(scope="class")
    def dense(self):
        counts = sp.csr_matrix(planted_markers(samples=24, features=self.FEATURES, groups=6, seed=1).X)
        return normalize_total_log1p(counts, 1e4, total=True, log=True).toarray()

    @pytest.fixture(scope="class")
    def means(self, dense):
        return expressed_moments(sp.csr_matrix(dense))[0]

    @pytest.fixture(scope="class")
    def original(self, dense, means):
        """The share of values in the original recipe."""
        with torch.random.fork_rng():
            return np.mean([share_of_values(self.original_network(seed), dense, means) for seed in self.SEEDS])

    def encoder(self):
        return TransformerStack(self.WIDTH, layers=2, heads=8, feed_forward=128, dropout=0.0, attention_dropout=0.0).eval()

    def original_network(self, seed):
        torch.manual_seed(seed)
        table, cls = nn.Embedding(self.FEATURES, self.WIDTH), torch.randn(1, self.WIDTH)
        nn.init.normal_(table.weight, std=0.02)
        encoder = self.encoder()

        def pooled(batch):
            packing = packing_of(batch)
            identities, values = batch.channels["feature"] - NUM_SPECIALS, batch.channels["value"].unsqueeze(1)
            vectors = functional.embedding(identities.clamp(min=0), table.weight) * (torch.tanh(values / 5) + 1)
            places = torch.arange(len(values)) - packing.first_tokens[packing.sample_of_token]
            tokens = torch.where(identities.unsqueeze(1) < 0, cls, vectors) + sinusoidal(places, self.WIDTH)
            return encoder(tokens, packing, first_token_only=True)

        return pooled

    def our_network(self, seed, dense, combine, init):
        torch.manual_seed(seed)
        mean, deviation = expressed_moments(sp.csr_matrix(dense))
        own_width = self.WIDTH // 2 if combine == "concatenate" else self.WIDTH
        features = svd_start(sp.csr_matrix(dense), own_width, seed) if init == "svd" else None
        start = EmbeddingStart(features, expressed_mean=mean, expressed_deviation=deviation)
        layout = layout_of(self.FEATURES, self.FEATURES + 1)
        embedding = TokenEmbedding(layout, EmbeddingSettings(combine=combine), self.WIDTH, start)
        encoder = self.encoder()

        def pooled(batch):
            packing = packing_of(batch)
            return encoder(embedding(batch, packing), packing, first_token_only=True)

        return pooled

    @pytest.mark.parametrize("init", ["svd", "random"])
    @pytest.mark.parametrize(("combine", "factor"), [("affine", 20), ("multiplicative", 5), ("additive", 20), ("concatenate", 20)])
    def test_values_change_the_pooled_state_many_times_more(self, dense, means, original, combine, factor, init):
        with torch.random.fork_rng():
            networks = [self.our_network(seed, dense, combine, init) for seed in self.SEEDS]
            ours = np.mean([share_of_values(pooled, dense, means) for pooled in networks])
        print(f"{combine}, {init}: {ours:.4f} against {original:.4f}, {ours / original:.0f} times")
        assert ours > factor * original
