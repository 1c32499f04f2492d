"""What stands at one place of a successor is told from the sample alone: the mask of next-cell prediction is consumed."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from genoken.core.batch import Batch, Tokens
from genoken.core.config import EmbeddingSettings, ModelSettings
from genoken.core.layout import CLS_ID, FIRST_CATEGORY, MASK_ID, NUM_SPECIALS, SEPARATOR_ID, Channel, HeadSpec, Layout
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.token_network import TokenNetwork, seeded_token_network

FEATURES = 20
APART = ["next_cell_strict", "next_cell_self"]
PATTERNS = ["full", *APART]
LAYOUT = Layout(
    channels=(
        Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + FEATURES),
        Channel(name="segment", kind="category", role="segment", size=FIRST_CATEGORY + 1),
    ),
    num_features=FEATURES,
    has_cls=True,
    emits_every_feature=False,
    max_tokens=12,
)
# Features of each sample and of its successor: an ordinary pair, one whose current cell is empty, one whose next cell is, no
# successor at all, and a pair of the same size as the first.
PAIRS = [([1, 2, 3], [2, 4, 6, 8]), ([], [5, 1]), ([7, 9], []), ([4, 0, 5, 6], None), ([11, 12, 13], [14, 3, 2, 0])]
CHANGED, NEW = 0, 17
"""The sample in which something is changed, and a feature that is nowhere else."""


@pytest.fixture(params=["sdpa", "eager"])
def network(request) -> TokenNetwork:
    settings = ModelSettings(
        width=16,
        embedding=EmbeddingSettings(init="random", position="learned"),
        encoder=TransformerEncoder(layers=3, heads=2, feed_forward=24, dropout=0.0),
        linear_path=False,
    )
    heads = {"next_cell": HeadSpec(outputs=FEATURES, level="token", tied_to="identity")}
    network = seeded_token_network(settings, LAYOUT, heads, EmbeddingStart(), 0).eval()
    network.set_attention_backend(request.param)
    return network


def batch_of(pairs, pattern: str) -> Batch:
    """Return ``[CLS] current [SEP] next`` of each pair, or ``[CLS] current`` where there is no successor."""
    identities, segments, offsets = [], [], [0]
    for current, following in pairs:
        behind = [] if following is None else [SEPARATOR_ID, *(NUM_SPECIALS + feature for feature in following)]
        identities += [CLS_ID, *(NUM_SPECIALS + feature for feature in current), *behind]
        segments += [0] * (1 + len(current)) + [FIRST_CATEGORY] * len(behind)
        offsets.append(len(identities))
    channels = {"feature": np.array(identities), "segment": np.array(segments)}
    batch = Batch.from_tokens(Tokens(channels, np.array(offsets)), np.arange(len(pairs)))
    return replace(batch, context_lengths=tuple(1 + len(current) for current, _ in pairs), pattern=pattern)


def with_identity(batch: Batch, place: int, identity: int) -> Batch:
    feature = batch.channels["feature"].clone()
    feature[place] = identity
    return replace(batch, channels=dict(batch.channels) | {"feature": feature})


def places_that_change(network: TokenNetwork, batch: Batch, place: int, identity: int) -> list[int]:
    """Return the places whose logits differ at all after one token was replaced."""
    everywhere = torch.arange(batch.num_tokens)
    with torch.no_grad():
        before = network.at_places(batch, "next_cell", everywhere)
        after = network.at_places(with_identity(batch, place, identity), "next_cell", everywhere)
    assert before.isfinite().all()
    return (before != after).any(dim=1).nonzero().flatten().tolist()


# The first sample: CLS 0, current 1 to 3, SEP 4, next 5 to 8.
@pytest.mark.parametrize("pattern", APART)
@pytest.mark.parametrize("identity", [NUM_SPECIALS + NEW, MASK_ID])
@pytest.mark.parametrize("place", [5, 7, 8])
def test_a_next_token_changes_no_other_place(network, pattern, identity, place):
    assert places_that_change(network, batch_of(PAIRS, pattern), place, identity) == [place]


def test_where_everything_is_seen_a_next_token_changes_its_whole_sample(network):
    assert places_that_change(network, batch_of(PAIRS, "full"), 7, NUM_SPECIALS + NEW) == list(range(9))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_current_token_changes_its_whole_sample_and_its_successor(network, pattern):
    assert places_that_change(network, batch_of(PAIRS, pattern), 2, NUM_SPECIALS + NEW) == list(range(9))


@pytest.mark.parametrize("pattern", APART)
def test_the_separator_changes_what_stands_behind_it(network, pattern):
    assert places_that_change(network, batch_of(PAIRS, pattern), 4, NUM_SPECIALS + NEW) == [4, 5, 6, 7, 8]


@pytest.mark.parametrize("pattern", APART)
def test_a_sample_has_the_states_that_it_has_without_a_successor(network, pattern):
    batch = batch_of(PAIRS, pattern)
    alone = batch_of([(current, None) for current, _ in PAIRS], "full")
    alone = replace(alone, channels={"feature": alone.channels["feature"]}, context_lengths=())
    is_context = torch.cat([torch.arange(length) < own for length, own in zip(batch.lengths, batch.context_lengths, strict=True)])
    torch.testing.assert_close(network.token_states(batch)[is_context], network.token_states(alone), rtol=1e-5, atol=1e-5)
    for pooling in ("cls", "mean"):
        network.pooling = pooling
        torch.testing.assert_close(network.pooled_states(batch), network.pooled_states(alone), rtol=1e-5, atol=1e-5)
        whole = network.pooled_states(replace(batch, pattern="full"))
        assert not torch.isclose(whole[:3], network.pooled_states(alone)[:3], atol=1e-3).all(dim=1).any()


def asked(batch: Batch, places: list[int]) -> Batch:
    """Return the batch without the next tokens that are not asked for, and with these as targets."""
    starts = batch.offsets.tolist()
    behind = [start + own for start, own in zip(starts, batch.context_lengths, strict=False)]
    seen = [
        place
        for start, separator, end in zip(starts, behind, starts[1:], strict=False)
        for place in range(start, end)
        if place <= separator or place in places
    ]
    lengths = tuple(sum(start <= place < end for place in seen) for start, end in itertools.pairwise(starts))
    return replace(batch, visible=torch.tensor(seen), visible_lengths=lengths, targets={"next_cell.places": torch.tensor(places)})


@pytest.mark.parametrize("pattern", APART)
def test_next_tokens_that_are_not_asked_for_may_be_left_out(network, pattern):
    batch, places = batch_of(PAIRS, pattern), [6, 8, 11, 28]
    few = asked(batch, places)
    assert sum(few.visible_lengths) == batch.num_tokens - 6
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    results = []
    for kind in (few, replace(batch, targets=few.targets)):
        outputs = network(kind)["next_cell"]
        torch.testing.assert_close(outputs, network.at_places(kind, "next_cell", torch.tensor(places)), rtol=0, atol=0)
        results.append([outputs, *torch.autograd.grad(outputs.square().sum(), weights)])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_where_everything_is_seen_leaving_tokens_out_changes_what_is_said(network):
    batch = batch_of(PAIRS, "full")
    few = asked(batch, [6, 8, 11, 28])
    outputs = network(few)["next_cell"]
    assert not torch.isclose(outputs, network.at_places(batch, "next_cell", few.targets["next_cell.places"]), atol=1e-3).all()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_empty_current_cell_and_an_empty_next_cell_are_no_trouble(network, pattern):
    batch = batch_of([([], []), ([], [3]), ([], None), ([2], [])], pattern)
    outputs = network.at_places(batch, "next_cell", torch.arange(batch.num_tokens))
    assert outputs.isfinite().all()
    gradients = torch.autograd.grad(outputs.square().sum(), list(network.encoder.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("pattern", APART)
def test_operations_grow_with_the_context_times_what_stands_behind(network, pattern):
    context, behind = [1, 2, 3], list(range(4, 12))
    long, short = (network.training_flops(batch_of([(context, behind[:number])], pattern)) for number in (8, 4))
    per_token = 6 * (4 * 16**2 + 2 * 16 * 24)
    own = pattern == "next_cell_self"
    assert long - short == 3 * (
        4 * per_token + 12 * 16 * 4 * (4 + 1 + own)
    )  # 3 layers, 4 tokens that see CLS, 3, SEP (and themselves)
