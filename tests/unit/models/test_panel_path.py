"""The linear path of panels: conditional means by hand, and the same predictions as the linear floors."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from genoken.core.batch import Batch
from genoken.core.config import EmbeddingSettings, ModelSettings
from genoken.core.gaussian import GaussianMoments
from genoken.core.layout import FIRST_CATEGORY, MASK_CATEGORY, MASK_ID, NUM_SPECIALS, Channel, Layout
from genoken.evaluation.floors import value_gaussian
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.panel_path import GaussianStart, PanelPath, has_panel_path
from genoken.models.token_network import TokenNetwork
from genoken.objectives.masked_feature import MaskedFeatureObjective
from genoken.objectives.masked_value import MaskedValueObjective

FEATURE = Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + 3)
VALUE = Channel(name="value", kind="scalar", role="value")
RANK = Channel(name="rank", kind="category", role="value", size=FIRST_CATEGORY + 3)
CORRELATION = np.array([[1.0, 0.6, 0.0], [0.6, 1.0, 0.5], [0.0, 0.5, 1.0]])
MEAN, DEVIATION = np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 0.5])
PRECISION = np.linalg.inv(CORRELATION)
START = GaussianStart(GaussianMoments(MEAN, DEVIATION, PRECISION, np.array([1.0, 4.0, 1.0])), np.zeros(3), np.full(3, 2.0))


def panel(*channels: Channel) -> Layout:
    return Layout(channels=channels, num_features=3, has_cls=True, emits_every_feature=True, max_tokens=4, is_panel=True)


def batch_of(lengths: tuple[int, ...], **channels: list[float]) -> Batch:
    offsets = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)
    tensors = {name: torch.tensor(values) for name, values in channels.items()}
    return Batch(channels=tensors, lengths=lengths, offsets=offsets, rows=torch.arange(len(lengths)))


@pytest.fixture
def values() -> Batch:
    """Two samples; the first hides its middle feature, the second the first and the last."""
    nan = math.nan
    return batch_of((4, 4), feature=[0, 3, 4, 5] * 2, value=[0.0, 3.0, nan, 2.5, 0.0, nan, 3.0, nan])


def test_hidden_values_follow_from_the_visible_ones(values):
    path = PanelPath(panel(FEATURE, VALUE), START)
    guess = path(values)
    # in standard units the first sample shows 1 and -1; weights (0.6, 0.5), as the outer two do not correlate
    expected = [[0.0, 0.6 * 1.0 + 0.5 * -1.0, 0.0], [0.6 * 1.0, 0.0, 0.5 * 1.0]]
    np.testing.assert_allclose(guess.means, expected, atol=1e-6)
    unexplained = 1 - 0.6**2 - 0.5**2
    deviations = [[1.0, math.sqrt(4 * unexplained), 1.0], [math.sqrt(1 - 0.36), 1.0, math.sqrt(1 - 0.25)]]
    np.testing.assert_allclose(guess.deviations, deviations, atol=1e-6)
    assert guess.hidden.tolist() == [[False, True, False], [True, False, True]]
    places = torch.tensor([2, 5, 7])
    in_units = np.array([[2.0 + 0.1], [1.0 + 2.0 * 0.6], [3.0 + 0.5 * 0.5]])
    np.testing.assert_allclose(path.outputs("value", guess, values, places), in_units, atol=1e-6)
    np.testing.assert_allclose(path.outputs("standardized", guess, values, places), in_units / 2, atol=1e-6)
    np.testing.assert_allclose(path.hints(guess, values)[places], in_units[:, 0], atol=1e-6)


def test_guesses_are_those_of_the_floor_of_the_same_gaussian():
    rng = np.random.default_rng(3)
    known = rng.normal(size=(60, 12)) @ rng.normal(size=(12, 12)) + np.arange(12)
    fitted = value_gaussian(known, 0.3, None).whole
    asked = rng.permutation(known)[:5] + rng.normal(size=(5, 12))
    hidden = [np.sort(rng.choice(12, size, replace=False)) for size in (1, 3, 12, 5, 2)]
    layout = Layout(
        channels=(Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + 12), VALUE),
        num_features=12, has_cls=True, emits_every_feature=True, max_tokens=13, is_panel=True,
    )  # fmt: skip
    shown = asked.copy()
    for row, features in zip(shown, hidden, strict=True):
        row[features] = math.nan
    tokens = np.concatenate([np.zeros((5, 1)), shown], axis=1).astype(np.float32)
    batch = batch_of((13,) * 5, feature=[0, *range(NUM_SPECIALS, NUM_SPECIALS + 12)] * 5, value=tokens.ravel().tolist())
    path = PanelPath(layout, GaussianStart(fitted, fitted.mean, fitted.deviation))
    guess = path(batch)
    assert guess.hidden.sum() == 23
    for row, (mean, deviation) in enumerate(fitted.conditional(asked, hidden)):
        features = hidden[row]
        in_units = guess.means[row, features].numpy() * fitted.deviation[features] + fitted.mean[features]
        np.testing.assert_allclose(in_units, mean, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(guess.deviations[row, features].numpy() * fitted.deviation[features], deviation, rtol=1e-4)


def test_without_a_start_the_guess_is_the_mean(values):
    guess = PanelPath(panel(FEATURE, VALUE), None)(values)
    assert not guess.means.any()


def test_in_training_the_guess_is_one_that_has_not_seen_the_sample(values):
    without_correlation = GaussianMoments(MEAN + 1, 2 * DEVIATION, np.eye(3), np.ones(3))
    folds = (START.whole, without_correlation)
    path = PanelPath(panel(FEATURE, VALUE), replace(START, folds=folds, fold_of_sample=np.array([1, 0])))
    plain = PanelPath(panel(FEATURE, VALUE), START)
    np.testing.assert_array_equal(path.eval()(values).means, plain(values).means)
    guess = path.train()(values)
    np.testing.assert_allclose(guess.means[1], plain(values).means[1], atol=1e-6)
    # the first sample's middle feature is guessed to be its mean, 2 + 1, one above the whole's mean, with twice the deviation
    np.testing.assert_allclose(guess.means[0], [0.0, 1.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(guess.deviations[0], [1.0, 2.0 * 2.0, 1.0], atol=1e-6)
    assert not any(name.startswith("fold") for name in path.state_dict())


def _student(scores: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    deviation = 0.65 * deviation
    return -2.0 * np.log1p(((scores - mean) / deviation) ** 2 / 3.0) - np.log(deviation)


STANDARD = GaussianStart(GaussianMoments(np.zeros(3), np.ones(3), PRECISION, np.ones(3)), np.zeros(3), np.ones(3))
SCORES = np.array([-0.9674216, 0.0, 0.9674216])  # quantiles 1/6, 3/6 and 5/6 of the normal distribution


def test_features_are_matched_with_places():
    # feature 1 stands first; the places 1 and 2 are hidden, so the features 0 and 2 are missing
    batch = batch_of((4,), feature=[0, NUM_SPECIALS + 1, MASK_ID, MASK_ID])
    path = PanelPath(panel(FEATURE), STANDARD)
    guess = path(batch)
    means, deviations = np.array([0.6 * SCORES[0], 0.0, 0.5 * SCORES[0]]), np.array([0.8, 1.0, math.sqrt(0.75)])
    found = path.outputs("feature", guess, batch, torch.tensor([2, 3])).detach()
    np.testing.assert_allclose(found, [_student(score, means, deviations) for score in SCORES[1:]], atol=1e-5)
    masked, vectors = path.expected_vectors(guess, batch, torch.eye(3))
    assert masked.tolist() == [2, 3]
    shares = np.exp(found.numpy()[:, [0, 2]])
    np.testing.assert_allclose(vectors.detach()[:, [0, 2]], shares / shares.sum(axis=1, keepdims=True), atol=1e-5)
    assert not vectors[:, 1].any()


def test_ranks_are_matched_with_features():
    batch = batch_of((4,), feature=[0, 3, 4, 5], rank=[0, MASK_CATEGORY, FIRST_CATEGORY + 2, MASK_CATEGORY])
    path = PanelPath(panel(FEATURE, RANK), STANDARD)
    found = path.outputs("rank", path(batch), batch, torch.tensor([1, 3])).detach()
    expected = [_student(SCORES, 0.6 * SCORES[2], 0.8), _student(SCORES, 0.5 * SCORES[2], math.sqrt(0.75))]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_path_is_for_panels_of_a_size_that_can_be_inverted():
    assert has_panel_path(panel(FEATURE, VALUE))
    assert not has_panel_path(Layout(channels=(FEATURE,), num_features=3, has_cls=True, emits_every_feature=False, max_tokens=4))
    large = Layout(channels=(FEATURE,), num_features=3001, has_cls=True, emits_every_feature=True, max_tokens=3002, is_panel=True)
    assert not has_panel_path(large)


def _network(layout: Layout, objective: object, *, share: float) -> TokenNetwork:
    settings = ModelSettings(
        width=4,
        embedding=EmbeddingSettings(init="random"),
        encoder=TransformerEncoder(layers=1, heads=1, feed_forward=4, dropout=0.0),
    )
    torch.manual_seed(0)
    network = TokenNetwork(settings, layout, {"it": objective.head(layout)}, EmbeddingStart(gaussian=START))
    with torch.no_grad():
        network.encoder_share.fill_(share)
    return network.eval()


def test_the_network_adds_to_what_the_path_says(values):
    layout, places = panel(FEATURE, VALUE), torch.tensor([2, 5, 7])
    network = _network(layout, MaskedValueObjective(standardize=False), share=0.0)
    linear = network.at_places(values, "it", places)
    np.testing.assert_allclose(linear.detach(), [[2.1], [2.2], [3.25]], atol=1e-6)
    with torch.no_grad():
        network.encoder_share.fill_(1.0)
        whole = network.at_places(values, "it", places)
        network.encoder_share.fill_(0.5)
        half = network.at_places(values, "it", places)
    assert (whole - linear).abs().min() > 1e-3
    np.testing.assert_allclose((half - linear).detach(), 0.5 * (whole - linear).detach(), atol=1e-6)


def test_the_encoder_is_shown_the_guess(values):
    network = _network(panel(FEATURE, VALUE), MaskedValueObjective(), share=1.0)
    before = network.token_states(values)
    network.linear_path.mean += 1.0
    assert (network.token_states(values) - before).abs().max() > 1e-3


def test_a_tied_head_of_missing_features_takes_the_path():
    batch = batch_of((4,), feature=[0, NUM_SPECIALS + 1, MASK_ID, MASK_ID])
    network = _network(panel(FEATURE), MaskedFeatureObjective(restrict_to_missing=True), share=0.0)
    path = network.linear_path
    expected = path.outputs("feature", path(batch), batch, torch.tensor([2, 3]))
    np.testing.assert_allclose(network.at_places(batch, "it", torch.tensor([2, 3])).detach(), expected.detach())
    assert MaskedFeatureObjective().head(panel(FEATURE)).linear == ""


def test_the_path_can_be_asked_alone(values):
    layout, places = panel(FEATURE, VALUE), torch.tensor([2, 5, 7])
    network = _network(layout, MaskedValueObjective(standardize=False), share=1.0)
    assert network.has_linear_path("it")
    with network.only_linear_path():
        alone = network.at_places(values, "it", places)
    np.testing.assert_allclose(alone.detach(), [[2.1], [2.2], [3.25]], atol=1e-6)
    assert (network.at_places(values, "it", places) - alone).abs().min() > 1e-3
