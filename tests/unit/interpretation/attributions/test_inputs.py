"""Explaining tokens that hold no numbers: over their vectors, against a hidden feature in each place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from genoken.core.config import EmbeddingSettings, ModelSettings
from genoken.core.contracts import TokenizerState
from genoken.core.layout import MASK_CATEGORY, MASK_ID, NUM_SPECIALS
from genoken.data.dataset import TokenDataset
from genoken.interpretation.attributions._inputs import input_of
from genoken.interpretation.attributions.gradient import GradientTimesInput
from genoken.interpretation.attributions.integrated_gradients import IntegratedGradients
from genoken.interpretation.draw import Part
from genoken.interpretation.explain import explain_parts
from genoken.interpretation.subject import Subject
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.network import seeded_network
from genoken.objectives.classify import ClassifyObjective
from genoken.tokenizers.binned import BinnedTokenizer
from genoken.tokenizers.rank import RankTokenizer

VALUES = np.array([[1.0, 0.0, 2.0, 0.5, 3.0], [0.0, 1.5, 0.7, 0.0, 0.0], [2.0, 1.0, 0.3, 1.2, 0.4]], dtype=np.float32)
ROWS, CLASSES = np.arange(3), np.array([2, 0, 1])
TOKENIZERS = {
    "rank_order": RankTokenizer(scale="none"),
    "gene_order": RankTokenizer(order="gene_order", values="all", scale="none"),
    "binned": BinnedTokenizer(edges=(0.1, 0.6, 1.1)),
}


def subject_of(kind: str, *, linear: bool = False, pooling: str = "mean") -> Subject:
    """Return random weights in every part; ``linear``: blocks that change nothing, so that outputs are linear in the vectors."""
    tokenizer, state = TOKENIZERS[kind], TokenizerState(feature_ids=tuple("abcde"))
    objective = ClassifyObjective()
    target = objective.fit(np.arange(12) % 3, "kind", ("x", "y", "z"))
    settings = ModelSettings(
        width=12,
        embedding=EmbeddingSettings(init="random", position="sinusoidal"),
        encoder=TransformerEncoder(layers=2, heads=3, feed_forward=16),
        head="linear" if linear else "mlp",
        pooling=pooling,
        linear_path=False,
    )
    network = seeded_network(settings, tokenizer.layout(state), objective.head(target), EmbeddingStart(), 3)
    draws = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draws), alpha=0.3)
            if linear and ("attention.output" in name or "feed_forward.3" in name):
                parameter.zero_()
    return Subject(network.eval(), TokenDataset(tokenizer, state, sp.csr_matrix(VALUES)), objective, target)


def linear_scores(subject: Subject) -> np.ndarray:
    """Return ``w_c (e - hidden) / tokens`` of each feature, from the tables of the network itself."""
    layer, embedding = subject.network.head[0], subject.network.embedding
    scores = np.zeros(VALUES.shape)
    for row, code in enumerate(CLASSES):
        batch = subject.batch(np.array([row]))
        for place in range(1, batch.num_tokens):
            identity = int(batch.channels["feature"][place])
            change = embedding.identity.weight[identity] - embedding.identity.weight[MASK_ID]
            for name, table in embedding.tables.items():
                change = change + table.weight[batch.channels[name][place]] - table.weight[MASK_CATEGORY]
            scores[row, identity - NUM_SPECIALS] = (layer.weight[code] @ change).item() / batch.num_tokens
    return scores


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_what_is_linear_in_the_vectors_is_attributed_exactly(kind):
    subject = subject_of(kind, linear=True)
    integrated = IntegratedGradients().attribute(subject, ROWS, CLASSES)
    multiplied = GradientTimesInput().attribute(subject, ROWS, CLASSES)
    assert np.abs(linear_scores(subject)).max() > 0.1
    assert np.allclose(integrated.scores.toarray(), linear_scores(subject), atol=1e-5)
    assert np.allclose(multiplied.scores.toarray(), linear_scores(subject), atol=1e-5)
    assert integrated.completeness_error < 1e-5


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_scores_sum_to_what_hiding_all_features_changes(kind, pooling):
    subject = subject_of(kind, pooling=pooling)
    found = IntegratedGradients().attribute(subject, ROWS, CLASSES)
    batch = subject.batch(ROWS)
    is_feature = batch.channels["feature"] >= NUM_SPECIALS
    channels = {
        name: channel.masked_fill(is_feature, MASK_ID if name == "feature" else MASK_CATEGORY)
        for name, channel in batch.channels.items()
    }
    change = subject.class_scores(batch, CLASSES) - subject.class_scores(replace(batch, channels=channels), CLASSES)
    assert np.allclose(np.asarray(found.scores.sum(axis=1)).ravel(), change.detach().numpy(), atol=0.01)
    assert found.completeness_error < 0.005
    assert np.array_equal(found.scores.toarray() != 0, (VALUES > 0) | (kind == "gene_order"))


def test_specials_are_the_same_in_sample_and_baseline():
    taken = input_of(subject_of("binned"), subject_of("binned").batch(ROWS))
    first = subject_of("binned").batch(ROWS).offsets[:-1].long()
    assert torch.equal(taken.observed[first], taken.baseline[first])
    assert taken.observed.shape == (14, 12)
    assert not (taken.observed == taken.baseline).all(dim=1)[1:5].any()


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_an_explanation_has_all_controls_and_says_what_the_baseline_is(kind):
    explanation = explain_parts([Part(subject_of(kind), ROWS, tuple("ABCDE"))], seed=0)
    controls = explanation.controls
    assert controls["completeness_error"] < 0.01
    assert len(controls["deletion"]["importance"]) == len(controls["deletion"]["fractions"])
    assert np.isfinite(controls["deletion"]["importance"]).all()
    assert np.isfinite(controls["randomized_weights_correlation"])
    assert controls["notes"][0].startswith("Integrated gradients over the tokens' vectors, because ranks and bins are no numbers")
    assert set(explanation.genes["symbol"]) == set("ABCDE")
