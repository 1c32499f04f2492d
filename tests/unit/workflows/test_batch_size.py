"""The estimate of memory that is not measured: by hand, and that it counts what attention keeps."""

from __future__ import annotations

import pytest

from genoken.core.config import RunConfig, build
from genoken.core.contracts import TargetState, TokenizerState
from genoken.models.embeddings import EmbeddingStart
from genoken.workflows.batch_size import estimated_bytes, used_batches
from genoken.workflows.store import build_network

FEATURES = 64


def config_of(encoder, **training):
    content = {
        "tokenizer": {"kind": "genotype"},
        "model": {"encoder": encoder, "width": 8, "linear_path": False, "head": "linear"},
        "training": {"average_decay": 0.0, **training},
    }
    return build(RunConfig, content)


def estimate(config, num_features=FEATURES, samples=1):
    state = TokenizerState(feature_ids=tuple(f"rs{index}" for index in range(FEATURES)))
    target = TargetState(task="classification", label="", classes=("a", "b"), class_counts=(1, 1))
    return estimated_bytes(config, build_network(config, state, target, EmbeddingStart(), 0), num_features, samples)


def test_weights_and_samples_are_counted_by_hand():
    config = config_of({"kind": "linear"})
    weights, others = FEATURES * 8, 9  # a vector of 8 per feature, with its bias; a head of 8 weights and a bias
    sample = 4 * (FEATURES + 8)
    assert estimate(config, samples=3) - estimate(config, samples=1) == 2 * sample
    assert estimate(config) - sample == pytest.approx(16 * (weights + others), rel=0.05)
    # twice the features: twice their weights, the head as it was, and more values
    assert estimate(config, 2 * FEATURES) - estimate(config) == pytest.approx(16 * weights + 4 * FEATURES, rel=0.05)
    averaged = config_of({"kind": "linear"}, average_decay=0.9)
    assert (estimate(averaged) - sample) / (estimate(config) - sample) == pytest.approx(20 / 16)


TRANSFORMER = {"kind": "transformer", "layers": 3, "heads": 2, "feed_forward": 16}


def per_sample(config, num_features):
    return estimate(config, num_features, 2) - estimate(config, num_features, 1)


def test_attention_that_keeps_its_weights_is_counted_with_the_square():
    fused, eager = config_of(TRANSFORMER), config_of(TRANSFORMER, attention="eager")
    assert per_sample(fused, 20_000) == pytest.approx(2 * per_sample(fused, 10_000))
    assert per_sample(eager, 20_000) == pytest.approx(4 * per_sample(eager, 10_000), rel=0.01)
    assert per_sample(eager, 10_000) - per_sample(fused, 10_000) == 3 * 2 * 2 * 10_000**2 * 4


@pytest.mark.parametrize("kind", ["cnn", "cnn_transformer", "gnn", "mlp"])
def test_other_networks_grow_linearly(kind):
    config = config_of({"kind": kind})
    assert per_sample(config, 2**17) <= 2.05 * per_sample(config, 2**16)
    assert per_sample(config, 2**16) > 0


def test_recomputed_states_take_less():
    assert per_sample(config_of(TRANSFORMER, gradient_checkpointing=True), 1000) < 0.6 * per_sample(config_of(TRANSFORMER), 1000)


def test_only_batches_that_were_made_smaller_are_told_of():
    config = config_of({"kind": "linear"}, batch_size=8, accumulate=2)
    assert used_batches({"batches": [8, 2]}, config) == ""
    assert used_batches({"batches": [4, 4]}, config).endswith("batches had 4 samples, 4 of them per step: the same 16 samples")
