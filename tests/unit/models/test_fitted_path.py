"""A linear path that was fitted beforehand: what it says in training and elsewhere, and that nothing changes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genoken.core.batch import Batch, Tokens
from genoken.core.config import ModelSettings, TrainingSettings
from genoken.core.layout import NUM_SPECIALS, Channel, HeadSpec, Layout
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.fitted_path import FittedPath
from genoken.models.network import seeded_network
from genoken.models.path_start import PathStart
from genoken.training.optim import parameter_groups

LAYOUT = Layout(
    channels=(
        Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + 2),
        Channel(name="value", kind="scalar", role="value"),
    ),
    num_features=2,
    has_cls=True,
    emits_every_feature=False,
    max_tokens=3,
)
START = EmbeddingStart(
    mean=np.array([1.0, 0.5]),
    deviation=np.array([2.0, 0.25]),
    path=PathStart(
        weights=np.array([[3.0], [-1.0]]),
        intercept=np.array([0.5]),
        fold_weights=np.array([[[1.0], [0.0]], [[0.0], [2.0]]]),
        fold_intercepts=np.array([[10.0], [20.0]]),
        fold_of_sample=np.array([1, 0, 0, 1]),
    ),
)
SPEC = HeadSpec(outputs=1)


@pytest.fixture
def batch() -> Batch:
    """The train samples 3, 0 and 1: (1, 2), (2, 0), of which the zero is no token, and (0, 1)."""
    first = NUM_SPECIALS
    tokens = {
        "feature": np.array([0, first, first + 1, 0, first, 0, first + 1], dtype=np.int64),
        "value": np.array([0, 1, 2, 0, 2, 0, 1], dtype=np.float32),
    }
    return Batch.from_tokens(Tokens(tokens, np.array([0, 3, 5, 7])), np.array([3, 0, 1]))


def test_a_sample_gets_the_fit_that_has_not_seen_it_in_training_and_the_whole_fit_elsewhere(batch):
    path = FittedPath(LAYOUT, START.path, START)
    expected = [[20 + 2 * 2], [20 + 0], [10 + 0]]
    torch.testing.assert_close(path.train()(batch), torch.tensor(expected, dtype=torch.float32), rtol=1e-6, atol=1e-5)
    expected = [[0.5 + 3 - 2], [0.5 + 6], [0.5 - 1]]
    torch.testing.assert_close(path.eval()(batch), torch.tensor(expected), rtol=1e-6, atol=1e-5)


def network_of(start: EmbeddingStart):
    settings = ModelSettings(encoder=TransformerEncoder(layers=1, heads=1, feed_forward=4), width=4)
    return seeded_network(settings, LAYOUT, SPEC, start, 0).eval()


def test_the_network_writes_the_whole_fit_alone_and_no_step_changes_it(batch):
    network = network_of(START)
    plain = network_of(EmbeddingStart(mean=START.mean, deviation=START.deviation))
    plain.load_state_dict(network.state_dict())
    torch.testing.assert_close(plain(batch).outputs, network(batch).outputs)
    stepped = {id(one) for group in parameter_groups(network, TrainingSettings()) for one in group["params"]}
    assert stepped == {id(one) for name, one in network.named_parameters() if not name.startswith("linear_path.")}


def test_without_folds_training_gets_the_whole_fit(batch):
    whole = PathStart(START.path.weights, START.path.intercept, np.zeros((0, 2, 1)), np.zeros((0, 1)), np.zeros(4, dtype=np.int64))
    path = FittedPath(LAYOUT, whole, START)
    torch.testing.assert_close(path.train()(batch), path.eval()(batch))
