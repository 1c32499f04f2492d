"""Genotypes are held against the average person: what is explained does not depend on which allele is counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genoken.core.components import resolve
from genoken.core.contracts import TokenizerState
from genoken.interpretation.attributed import attribute_draw
from genoken.interpretation.attributions._inputs import input_of
from genoken.interpretation.attributions.attention import AttentionToGenes
from genoken.interpretation.attributions.integrated_gradients import IntegratedGradients
from genoken.interpretation.controls import _notes
from genoken.interpretation.draw import Part, draw_samples
from genoken.tokenizers.genotype import GenotypeTokenizer

ROWS, CLASSES = np.arange(6), np.array([0, 1, 0, 1, 1, 0])


def test_shares_of_genotypes_by_hand():
    # 0, 0, 1, 2: mean 3/4, mean square 5/4, variance 5/4 - 9/16 = 11/16. 0, 1, 1, 1: mean 3/4, variance 3/16.
    per_feature = {"frequency": np.array([0.375, 0.375]), "train_deviation": np.sqrt([11 / 16, 3 / 16])}
    state = TokenizerState(feature_ids=("a", "b"), per_feature=per_feature)
    found = GenotypeTokenizer().population(state)
    assert found.values == (0.0, 1.0, 2.0)
    np.testing.assert_allclose(found.shares, [[0.5, 0.25, 0.25], [0.25, 0.75, 0.0]], atol=1e-12)
    phased = GenotypeTokenizer(encoding="haplotype").population(state)
    assert phased.values == (0.0, 1.0, -1.0, 2.0)
    np.testing.assert_allclose(phased.shares, [[0.5, 0.125, 0.125, 0.25], [0.25, 0.375, 0.375, 0.0]], atol=1e-12)


@pytest.mark.parametrize(("encoder", "encoding"), [("cnn", "dosage"), ("cnn", "one_hot"), ("transformer", "one_hot")])
def test_the_baseline_is_the_train_mean(genotype_subject, encoder, encoding):
    subject = genotype_subject(encoder=encoder, encoding=encoding)
    batch = subject.batch(np.array([0, 3]))
    taken = input_of(subject, batch)
    baseline = taken.baseline.view(2, 6, -1)
    torch.testing.assert_close(baseline[0], baseline[1])
    mean = 2 * subject.dataset.state.per_feature["frequency"]
    np.testing.assert_allclose(baseline[0, 1:, 0], mean, rtol=1e-5)
    torch.testing.assert_close(baseline[0, 0], taken.observed.view(2, 6, -1)[0, 0])  # CLS is as it is
    if encoder == "cnn" and encoding == "one_hot":
        np.testing.assert_allclose(baseline[0, 1:, 1:4], subject.population.shares, atol=1e-6)


@pytest.mark.parametrize("method", ["gradient", "smoothgrad", "allele_flip"])
def test_a_linear_network_is_attributed_exactly(genotype_subject, method):
    subject = genotype_subject(encoder="linear")
    exact = IntegratedGradients().attribute(subject, ROWS, CLASSES)
    other = resolve("attributions", method)().attribute(subject, ROWS, CLASSES)
    assert exact.completeness_error < 1e-4
    assert np.abs(exact.scores.toarray()).max() > 0.1
    np.testing.assert_allclose(other.scores.toarray(), exact.scores.toarray(), atol=1e-4)


@pytest.mark.parametrize("layers", ["rollout", "mean", "last"])
def test_attention_between_patches_is_followed_back_and_shared_out(genotype_subject, layers):
    subject = genotype_subject(encoder="cnn_transformer")
    found = AttentionToGenes(layers=layers).attribute(subject, ROWS, CLASSES).scores.toarray()
    assert [weights.shape for weights in subject.attention(1)] == [(3, 3), (3, 3)]
    for row in ROWS:
        pooled = subject.place_weights(subject.batch(np.array([row])))[0].double().numpy()
        first, second = (weights.double().numpy() for weights in subject.attention(row))
        mixed = (0.5 * second + 0.5 * np.eye(3)) @ (0.5 * first + 0.5 * np.eye(3))
        whole = {"rollout": mixed, "mean": (first + second) / 2, "last": second}[layers]
        places = pooled @ whole
        np.testing.assert_allclose(found[row], places[[0, 0, 1, 1, 2]] / [2, 2, 2, 2, 1], atol=1e-6)  # 5 variants, patches of 2


def test_notes_speak_of_variants(genotype_subject):
    part = Part(genotype_subject(), ROWS, tuple("abcde"))
    found = attribute_draw([part], draw_samples([part], 0), IntegratedGradients())
    assert "average person of the train split" in _notes(found, 6)[0]
